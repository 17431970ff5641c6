#include "table.h"

#include "cells.h"
#include "file.h"
#include "line_reader.h"
#include "number.h"
#include "quote.h"
#include "symbols.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum role { ROLE_NUMBER, ROLE_TARGET, ROLE_CATEGORY, ROLE_TEXT };

struct table {
    struct line_reader lines;
    char *name;
    int file; /* what table_open opened, else -1 */
    char delimiter;
    bool header;
    size_t columns;
    char **column_names;
    enum role *roles; /* of the columns; one at most is ROLE_TEXT */
    struct cell text; /* of the row last read */
    uint64_t blank;   /* the first of the blank lines just passed over; 0: there are none */
    bool missing_allowed;
    bool forgets_texts; /* of categories */
};

struct line {
    const char *text;
    size_t length;
    uint64_t number;
};

/* "NAME:LINE", as errors begin. */
#define AT_FORMAT              "%s:%llu: "
#define AT_LINE(table, number) (table)->name, (unsigned long long)(number)
#define AT(table)              AT_LINE(table, (table)->lines.line)

static const char quotes_fault[] = "a quote is not closed, or text follows it";

static bool is_blank_line(const char *line, size_t length)
{
    while (length && cells_is_blank(line[length - 1]))
        length--;
    return length == 0;
}

/* The next line that is not blank. Blank ones are passed over, but only the end may follow. */
static enum table_result next_line(struct table *table, const char **line, size_t *length,
                                   struct error *error)
{
    enum table_result result = line_reader_next(&table->lines, line, length, error);
    while (result == TABLE_ROW && is_blank_line(*line, *length)) {
        table->blank = table->blank ? table->blank : table->lines.line;
        result = line_reader_next(&table->lines, line, length, error);
    }
    if (result != TABLE_ROW || !table->blank)
        return result;
    error_set(error, ERROR_SYNTAX, "%s:%llu: a blank line, and data after it", table->name,
              (unsigned long long)table->blank);
    return TABLE_ERROR;
}

static bool is_number(struct cell cell)
{
    struct decimal ignored;
    return number_scan(cell.text, cell.length, &ignored);
}

/* Counts the first line's columns and finds out whether it is a header. */
static bool survey(struct table *table, const char *line, size_t length, struct error *error)
{
    struct cell cell;
    table->delimiter = cells_delimiter(line, length);
    struct cells cells = cells_of(line, length, table->delimiter);
    for (; cells.more; table->columns++) {
        if (!cells_next(&cells, &cell))
            return error_set(error, ERROR_SYNTAX, AT_FORMAT "column %zu: %s", AT(table),
                             table->columns + 1, quotes_fault);
        table->header |= !is_number(cell);
    }
    if (table->columns > TABLE_COLUMNS_MAX)
        return error_set(error, ERROR_TOO_LARGE, AT_FORMAT "%zu columns are too many: at most %d",
                         AT(table), table->columns, TABLE_COLUMNS_MAX);
    table->column_names = calloc(table->columns, sizeof *table->column_names);
    table->roles = calloc(table->columns, sizeof *table->roles);
    return (table->column_names && table->roles) || error_memory(error);
}

/* Writes the cell's text with doubled quotes made single; returns its end. */
static char *unquote(struct cell cell, char *out)
{
    for (size_t i = 0; i < cell.length; i++) {
        *out++ = cell.text[i];
        if (cell.quoted && cell.text[i] == '"')
            i++; /* its double */
    }
    return out;
}

static char *copy_name(struct cell cell)
{
    char *name = malloc(cell.length + 1);
    if (name)
        *unquote(cell, name) = '\0';
    return name;
}

/* How long unquote makes it. */
static size_t name_length(struct cell cell)
{
    size_t length = cell.length;
    for (size_t i = 0; i < cell.length && cell.quoted; i++)
        if (cell.text[i] == '"') {
            i++;
            length--;
        }
    return length;
}

static const char *fault_of_name(struct cell cell)
{
    if (cell.length == 0)
        return "the name is empty";
    if (name_length(cell) > TABLE_NAME_MAX)
        return "the name is too long";
    if (!utf8_valid(cell.text, cell.length))
        return "the name is not valid UTF-8";
    for (size_t i = 0; i < cell.length; i++)
        if ((unsigned char)cell.text[i] < ' ' || cell.text[i] == 0x7F)
            return "the name has a control character";
    return NULL;
}

static bool check_unique(const struct table *table, size_t column, struct error *error)
{
    const char *name = table->column_names[column];
    for (size_t i = 0; i < column; i++)
        if (strcmp(table->column_names[i], name) == 0)
            return error_set(error, ERROR_SYNTAX,
                             AT_FORMAT "columns %zu and %zu are both called %s", AT(table), i + 1,
                             column + 1, name);
    return true;
}

static bool set_name(struct table *table, size_t column, struct cell cell, struct error *error)
{
    const char *fault = fault_of_name(cell);
    if (fault) {
        char quoted[QUOTE_MAX];
        return error_set(error, ERROR_SYNTAX, AT_FORMAT "column %zu: %s: %s", AT(table), column + 1,
                         fault, quote(quoted, cell.text, cell.length));
    }
    table->column_names[column] = copy_name(cell);
    if (!table->column_names[column])
        return error_memory(error);
    return check_unique(table, column, error);
}

static bool read_names(struct table *table, const char *line, size_t length, struct error *error)
{
    struct cells cells = cells_of(line, length, table->delimiter);
    struct cell cell;
    for (size_t column = 0; column < table->columns; column++)
        if (!cells_next(&cells, &cell) || !set_name(table, column, cell, error))
            return false;
    return true;
}

/* a, b, …, z, aa, ab, …; NULL without memory. */
static char *letter_name(size_t column)
{
    char reversed[16], *name = calloc(1, sizeof reversed);
    size_t length = 0;
    for (size_t rest = column + 1; rest; rest = (rest - 1) / 26)
        reversed[length++] = (char)('a' + (rest - 1) % 26);
    for (size_t i = 0; name && i < length; i++)
        name[i] = reversed[length - 1 - i];
    return name;
}

static bool make_names(struct table *table, struct error *error)
{
    for (size_t column = 0; column < table->columns; column++) {
        table->column_names[column] = letter_name(column);
        if (!table->column_names[column])
            return error_memory(error);
    }
    return true;
}

static bool read_first_line(struct table *table, struct error *error)
{
    const char *line;
    size_t length;
    switch (next_line(table, &line, &length, error)) {
    case TABLE_ERROR:
        return false;
    case TABLE_END:
        return error_set(error, ERROR_SYNTAX, "%s is empty", table->name);
    case TABLE_ROW:
        break;
    }
    if (!survey(table, line, length, error))
        return false;
    if (table->header)
        return read_names(table, line, length, error);
    line_reader_back(&table->lines);
    return make_names(table, error);
}

/* Without its source yet; NULL with `error` set. */
static struct table *allocate(const char *name, struct error *error)
{
    struct table *table = calloc(1, sizeof *table);
    if (table) {
        table->file = -1;
        table->name = strdup(name);
        if (table->name)
            return table;
        free(table);
    }
    error_memory(error);
    return NULL;
}

/* Returns `table`, or frees it and returns NULL. */
static struct table *begin(struct table *table, table_source *source, void *context,
                           struct error *error)
{
    if (line_reader_begin(&table->lines, source, context, table->name, error) &&
        read_first_line(table, error))
        return table;
    table_free(table);
    return NULL;
}

struct table *table_new(table_source *source, void *context, const char *name, struct error *error)
{
    struct table *table = allocate(name, error);
    return table ? begin(table, source, context, error) : NULL;
}

static long read_file(void *context, char *data, size_t size, struct error *error)
{
    const struct table *table = context;
    ssize_t got;
    do
        got = read(table->file, data, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        error_errno(error, "cannot read %s", table->name);
    return got;
}

/* Takes the open file over; none where `file` is -1 and `error` set. */
static struct table *open_with(int file, const char *path, struct error *error)
{
    if (file < 0)
        return NULL;
    const char *slash = strrchr(path, '/');
    struct table *table = allocate(slash ? slash + 1 : path, error);
    if (!table) {
        close(file);
        return NULL;
    }
    table->file = file;
    return begin(table, read_file, table, error);
}

struct table *table_open(const char *path, struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool absent = file < 0 && errno == ENOENT;
    if (file < 0)
        error_errno(error, "cannot open %s", path);
    if (absent)
        error->kind = ERROR_ABSENT;
    return open_with(file, path, error);
}

struct table *table_open_regular(const char *path, struct error *error)
{
    return open_with(file_open_regular(AT_FDCWD, path, O_RDONLY, error), path, error);
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; table->column_names && i < table->columns; i++)
        free(table->column_names[i]);
    free(table->column_names);
    free(table->roles);
    line_reader_free(&table->lines);
    if (table->file >= 0)
        close(table->file);
    free(table->name);
    free(table);
}

size_t table_columns(const struct table *table)
{
    return table->columns;
}

bool table_has_header(const struct table *table)
{
    return table->header;
}

const char *table_column_name(const struct table *table, size_t column)
{
    return table->column_names[column];
}

/* The code of a category's cell. */
static bool read_category(const struct table *table, struct cell cell, double *code,
                          struct error *error)
{
    char text[2 * SYMBOL_LENGTH_MAX + 1];
    size_t length = name_length(cell);
    if (length <= SYMBOL_LENGTH_MAX)
        unquote(cell, text);
    if (!table->forgets_texts || length == 0 || length > SYMBOL_LENGTH_MAX)
        return symbol_keep(text, length, code, error);
    *code = symbol_code(text, length);
    return true;
}

char *const *table_column_names(const struct table *table)
{
    return table->column_names;
}

static bool may_miss(const struct table *table, size_t column)
{
    return table->missing_allowed && table->roles[column] != ROLE_TARGET;
}

/* Describes what is wrong with a cell; true if nothing is. */
static bool check_cell(const struct table *table, uint64_t line, size_t column, struct cell cell,
                       struct error *error)
{
    double ignored;
    char quoted[QUOTE_MAX];
    struct error why;
    const char *name = table->column_names[column];
    if (cell.length == 0)
        return may_miss(table, column) ||
               error_set(error, ERROR_UNUSABLE, AT_FORMAT "column %s: the cell is empty",
                         AT_LINE(table, line), name);
    if (table->roles[column] == ROLE_CATEGORY)
        return read_category(table, cell, &ignored, &why) ||
               error_set(error, why.kind, AT_FORMAT "column %s: %s %.200s", AT_LINE(table, line),
                         name, quote(quoted, cell.text, cell.length), why.text);
    enum number_result result = number_parse(cell.text, cell.length, &ignored);
    if (result == NUMBER_OK)
        return true;
    const char *fault =
        result == NUMBER_TOO_LARGE ? "is out of the range of doubles" : "is not a number";
    return error_set(error, ERROR_UNUSABLE, AT_FORMAT "column %s: %s %s", AT_LINE(table, line),
                     name, quote(quoted, cell.text, cell.length), fault);
}

/* A wrong number of cells is told rather than what is in them: they may stand in the wrong columns.
 */
static bool check_count(const struct table *table, const struct line *line, struct error *error)
{
    struct cell cell;
    struct cells cells = cells_of(line->text, line->length, table->delimiter);
    size_t count = 0;
    for (; cells.more; count++)
        if (!cells_next(&cells, &cell) && count < table->columns)
            return error_set(error, ERROR_UNUSABLE, AT_FORMAT "column %s: %s",
                             AT_LINE(table, line->number), table->column_names[count],
                             quotes_fault);
    if (count == table->columns)
        return true;
    return error_set(error, ERROR_UNUSABLE, AT_FORMAT "%zu cell%s where the %s has %zu",
                     AT_LINE(table, line->number), count, count == 1 ? "" : "s",
                     table->header ? "header" : "first row", table->columns);
}

/* Why the line could not be read as a row. */
static enum table_result explain(const struct table *table, const struct line *line,
                                 struct error *error)
{
    struct cell cell;
    struct cells cells = cells_of(line->text, line->length, table->delimiter);
    bool fine = check_count(table, line, error);
    for (size_t column = 0; fine && column < table->columns; column++)
        fine = cells_next(&cells, &cell) && (table->roles[column] == ROLE_TEXT ||
                                             check_cell(table, line->number, column, cell, error));
    return TABLE_ERROR;
}

/* Any cell. `text` becomes that of the text column, if there is one. */
static bool read_cell(const struct table *table, size_t column, struct cells *cells, double *value,
                      struct cell *text)
{
    struct cell cell;
    struct error ignored;
    if (!cells_next(cells, &cell))
        return false;
    if (table->roles[column] == ROLE_TEXT) {
        *text = cell;
        *value = 0;
        return true;
    }
    if (cell.length == 0 && may_miss(table, column)) {
        *value = NAN;
        return true;
    }
    if (table->roles[column] == ROLE_CATEGORY)
        return read_category(table, cell, value, &ignored);
    return number_parse(cell.text, cell.length, value) == NUMBER_OK;
}

/* A number from delimiter to delimiter: the most frequent cell, gone through only once. If it is
 * none nothing has been taken. */
static bool read_number(struct cells *cells, double *value)
{
    const char *end = number_read(cells->at, cells->end, value);
    return end && cells_take(cells, end);
}

static bool read_cells(const struct table *table, const struct line *line, double *row,
                       struct cell *text)
{
    struct cells cells = cells_of(line->text, line->length, table->delimiter);
    for (size_t column = 0; column < table->columns; column++) {
        if (!cells.more)
            return false;
        if (table->roles[column] <= ROLE_TARGET && read_number(&cells, &row[column]))
            continue;
        if (!read_cell(table, column, &cells, &row[column], text))
            return false;
    }
    return !cells.more;
}

static enum table_result read_row(const struct table *table, const struct line *line, double *row,
                                  struct cell *text, struct error *error)
{
    return read_cells(table, line, row, text) ? TABLE_ROW : explain(table, line, error);
}

enum table_result table_next(struct table *table, double *row, struct error *error)
{
    struct line line;
    enum table_result result = next_line(table, &line.text, &line.length, error);
    if (result != TABLE_ROW)
        return result;
    line.number = table->lines.line;
    return read_row(table, &line, row, &table->text, error);
}

static bool append_line(struct table_block *block, const char *line, size_t length)
{
    buffer_append(&block->text, line, length);
    buffer_append(&block->text, "\n", 1);
    return !block->text.failed;
}

enum table_result table_take(struct table *table, struct table_block *block, struct error *error)
{
    const char *line;
    size_t length;
    enum table_result result;
    buffer_clear(&block->text);
    block->start = 0;
    block->line = table->lines.line;
    while (block->text.length < TABLE_BLOCK_SIZE) {
        if ((result = next_line(table, &line, &length, error)) != TABLE_ROW)
            return result;
        if (!append_line(block, line, length)) {
            error_memory(error);
            return TABLE_ERROR;
        }
    }
    return TABLE_ROW;
}

enum table_result table_block_next(const struct table *table, struct table_block *block,
                                   double *row, struct error *error)
{
    struct cell unused;
    if (block->start == block->text.length)
        return TABLE_END;
    const char *text = block->text.data + block->start;
    size_t length = (size_t)((const char *)rawmemchr(text, '\n') - text);
    struct line line = {text, length, ++block->line};
    block->start += length + 1;
    return read_row(table, &line, row, &unused, error);
}

void table_block_free(struct table_block *block)
{
    buffer_free(&block->text);
}

void table_set_text_column(struct table *table, size_t column)
{
    table->roles[column] = ROLE_TEXT;
}

void table_set_category(struct table *table, size_t column)
{
    table->roles[column] = ROLE_CATEGORY;
}

void table_set_target(struct table *table, size_t column)
{
    table->roles[column] = ROLE_TARGET;
}

bool table_is_category(const struct table *table, size_t column)
{
    return table->roles[column] == ROLE_CATEGORY;
}

void table_forget_texts(struct table *table)
{
    table->forgets_texts = true;
}

void table_allow_missing(struct table *table)
{
    table->missing_allowed = true;
}

bool table_guess_categories(struct table *table, struct error *error)
{
    const char *line;
    size_t length;
    struct cell cell;
    enum table_result result = next_line(table, &line, &length, error);
    if (result != TABLE_ROW)
        return result == TABLE_END;
    struct cells cells = cells_of(line, length, table->delimiter);
    for (size_t column = 0; column < table->columns && cells.more; column++)
        if (cells_next(&cells, &cell) && cell.length > 0 && !is_number(cell) &&
            table->roles[column] == ROLE_NUMBER)
            table->roles[column] = ROLE_CATEGORY;
    line_reader_back(&table->lines);
    return true;
}

void table_text(const struct table *table, struct buffer *out)
{
    char *room = buffer_reserve(out, table->text.length);
    if (room)
        out->length += (size_t)(unquote(table->text, room) - room);
}

uint64_t table_line(const struct table *table)
{
    return table->lines.line;
}

uint64_t table_bytes(const struct table *table)
{
    return table->lines.bytes;
}

void table_fingerprint(const struct table *table, char hex[static 33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(table->lines.hash));
    for (size_t i = 0; i < sizeof canonical.digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", canonical.digest[i]);
}
