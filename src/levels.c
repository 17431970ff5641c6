#include "levels.h"

#include "symbols.h"

#include <string.h>

static void put_level(double level, struct buffer *out)
{
    const char *text = symbol_text(level);
    buffer_puts(out, text ? text : "?");
}

void column_name(char *const *names, const struct encoding *encoding, size_t j, struct buffer *out)
{
    struct encoding_column column = encoding_column(encoding, j);
    buffer_puts(out, names[column.feature]);
    if (column.is_missing) {
        buffer_puts(out, " is missing");
    } else if (column.level > 0) {
        buffer_puts(out, "=");
        put_level(column.level, out);
    }
}

void column_write_name(char *const *names, const struct encoding *encoding, size_t j,
                       struct buffer *out)
{
    struct buffer name = {0};
    column_name(names, encoding, j, &name);
    json_write_string(out, name.data, name.length);
    out->failed |= name.failed;
    buffer_free(&name);
}

void column_name_error(char *const *names, const struct encoding *encoding, size_t coefficient,
                       struct error *error)
{
    struct buffer name = {0};
    struct error cause = *error;
    if (coefficient > 0)
        column_name(names, encoding, coefficient - 1, &name);
    error_set(error, cause.kind, "%s%.*s: %.200s", coefficient > 0 ? "column " : "the intercept",
              (int)name.length, name.length > 0 ? name.data : "", cause.text);
    buffer_free(&name);
}

/* ------------------------------------------------------------------ as JSON */

static void write_level(double level, const char *separator, struct buffer *out)
{
    const char *text = symbol_text(level);
    buffer_puts(out, separator);
    json_write_string(out, text ? text : "?", text ? strlen(text) : 1);
}

static void write_list(const struct coding *coding, struct buffer *out)
{
    const char *separator = "";
    buffer_puts(out, "[");
    if (coding->base > 0) {
        write_level(coding->base, separator, out);
        separator = ", ";
    }
    for (size_t i = 0; i < coding->count; i++)
        if (coding->levels[i] != coding->base) {
            write_level(coding->levels[i], separator, out);
            separator = ", ";
        }
    buffer_puts(out, "]");
}

static void write_missing(const struct schema *schema, const struct encoding *encoding,
                          const char *indent, struct buffer *out)
{
    bool any = false;
    for (size_t j = 0; j < encoding->features; j++)
        if (encoding->of[j].missing) {
            buffer_printf(out, any ? ", " : ",%s\"missing\": [", indent);
            json_write_string(out, schema->names[j], strlen(schema->names[j]));
            any = true;
        }
    buffer_puts(out, any ? "]" : "");
}

void levels_write(const struct schema *schema, const struct encoding *encoding, const char *indent,
                  struct buffer *out)
{
    bool any = false;
    for (size_t j = 0; j < encoding->features; j++)
        if (encoding->of[j].kind == CELL_CATEGORY) {
            buffer_printf(out, any ? ", " : ",%s\"levels\": {", indent);
            json_write_string(out, schema->names[j], strlen(schema->names[j]));
            buffer_puts(out, ": ");
            write_list(&encoding->of[j], out);
            any = true;
        }
    buffer_puts(out, any ? "}" : "");
    write_missing(schema, encoding, indent, out);
}

static bool damaged(struct error *error)
{
    return error_set(error, ERROR_DAMAGED, "the levels are not what they should be");
}

static bool parse_level(struct encoding *encoding, size_t j, const struct json *item, double *code,
                        struct error *error)
{
    const char *text = json_kind(item) == JSON_STRING ? json_string(item) : "";
    if (!symbol_keep(text, strlen(text), code, error))
        return error->kind == ERROR_UNUSABLE ? damaged(error) : false;
    return encoding_add_level(encoding, j, *code) || error_memory(error);
}

static bool parse_list(struct encoding *encoding, size_t j, const struct json *list, bool with_base,
                       struct error *error)
{
    double first = 0, code;
    for (const struct json *item = json_first(list); item; item = json_next(item)) {
        if (!parse_level(encoding, j, item, &code, error))
            return false;
        first = first > 0 ? first : code;
    }
    if (with_base && first > 0)
        encoding_set_base(encoding, j, first);
    return true;
}

static bool parse_levels(struct encoding *encoding, const struct schema *schema,
                         const struct json *lists, bool with_bases, struct error *error)
{
    for (const struct json *list = json_first(lists); list; list = json_next(list)) {
        long j = schema_find(schema, json_name(list));
        if (j < 0 || schema->kinds[j] != CELL_CATEGORY || json_kind(list) != JSON_ARRAY)
            return damaged(error);
        if (!parse_list(encoding, (size_t)j, list, with_bases, error))
            return false;
    }
    return true;
}

static bool parse_missing(struct encoding *encoding, const struct schema *schema,
                          const struct json *list, struct error *error)
{
    for (const struct json *item = json_first(list); item; item = json_next(item)) {
        long j = json_kind(item) == JSON_STRING ? schema_find(schema, json_string(item)) : -1;
        if (j < 0)
            return damaged(error);
        if (!encoding_add_missing(encoding, (size_t)j))
            return error_memory(error);
    }
    return true;
}

struct encoding *levels_parse(const struct schema *schema, const struct json *json, bool with_bases,
                              struct error *error)
{
    struct encoding *encoding = encoding_new(schema->kinds, schema->count);
    const struct json *lists = json_get_kind(json, "levels", JSON_OBJECT);
    const struct json *missing = json_get_kind(json, "missing", JSON_ARRAY);
    bool ok = encoding || error_memory(error);
    if (ok && lists)
        ok = parse_levels(encoding, schema, lists, with_bases, error);
    if (ok && missing)
        ok = parse_missing(encoding, schema, missing, error);
    if (ok)
        return encoding;
    encoding_free(encoding);
    return NULL;
}
