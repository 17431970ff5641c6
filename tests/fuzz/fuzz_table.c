/* Tables: the input is one, as train.tsv, test.tsv and request bodies are. */
#include "fuzz.h"
#include "number.h"
#include "table.h"

/* Everything a table tells, written as another table. Returns how reading it ended. */
static enum table_result retell(struct pieces pieces, struct buffer *told, struct buffer *lines,
                                struct error *error)
{
    static double row[TABLE_COLUMNS_MAX];
    char text[NUMBER_TEXT_MAX];
    enum table_result result;
    buffer_clear(told);
    buffer_clear(lines);
    struct table *table = table_new(pieces_read, &pieces, "t", error);
    if (!table)
        return TABLE_ERROR;
    size_t columns = table_columns(table);
    WANT(columns >= 1 && columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < columns && table_has_header(table); i++) {
        buffer_puts(told, i ? "\t\"" : "\"");
        for (const char *at = table_column_name(table, i); *at; at++)
            buffer_append(told, "\"\"", *at == '"' ? 2 : (buffer_append(told, at, 1), 0));
        buffer_puts(told, i + 1 < columns ? "\"" : "\"\n");
    }
    while ((result = table_next(table, row, error)) == TABLE_ROW ||
           (result == TABLE_ERROR && error->kind == ERROR_UNUSABLE)) {
        buffer_printf(lines, "%llu %s\n", (unsigned long long)table_line(table),
                      result == TABLE_ERROR ? error->text : "");
        for (size_t i = 0; i < columns && result == TABLE_ROW; i++) {
            number_format(row[i], text);
            buffer_printf(told, "%s%s", text, i + 1 < columns ? "\t" : "\n");
        }
    }
    if (result == TABLE_END) {
        char fingerprint[33];
        table_fingerprint(table, fingerprint);
        WANT(table_bytes(table) == pieces.length);
        buffer_puts(lines, fingerprint);
    }
    table_free(table);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer told = {0}, lines = {0}, told_again = {0}, lines_again = {0};
    struct pieces pieces = {.data = (const char *)data, .length = size};
    struct error error = {0}, again = {0};
    enum table_result result = retell(pieces, &told, &lines, &error);
    WANT(result == TABLE_END || is_told(&error));

    pieces.small = true; /* however the bytes come */
    WANT(retell(pieces, &told_again, &lines_again, &again) == result);
    WANT(same_bytes(&told, &told_again) && same_bytes(&lines, &lines_again));
    WANT(strcmp(error.text, again.text) == 0);

    if (told.length > 0) { /* what was understood is itself a table, which says the same */
        pieces = (struct pieces){.data = told.data, .length = told.length};
        WANT(retell(pieces, &told_again, &lines_again, &again) == TABLE_END);
        WANT(same_bytes(&told, &told_again));
    }
    buffer_free(&told);
    buffer_free(&lines);
    buffer_free(&told_again);
    buffer_free(&lines_again);
    return 0;
}
