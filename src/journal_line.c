#include "journal_line.h"

#include "json.h"
#include "number.h"
#include "quote.h"
#include "symbols.h"
#include "timestamp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char seq_key[] = "{\"_seq\":", time_key[] = ",\"_time\":\"", id_key[] = ",\"_id\":\"",
                  weight_key[] = ",\"_weight\":", batch_key[] = ",\"_batch\":",
                  crc_key[] = ",\"_crc\":\"", line_end[] = "\"}";

enum {
    CRC_DIGITS = 8,
    TAIL_LENGTH = sizeof crc_key - 1 + CRC_DIGITS + sizeof line_end - 1 /* ,"_crc":"1a2b3c4d"} */
};

bool line_layout_init(struct line_layout *layout, const struct schema *schema, struct error *error)
{
    *layout = (struct line_layout){.schema = schema_copy(schema)};
    layout->keys = calloc(schema->count + 1, sizeof *layout->keys);
    layout->row = calloc(schema_cells(schema), sizeof *layout->row);
    bool failed = !layout->schema || !layout->keys || !layout->row;
    for (size_t i = 0; !failed && i <= schema->count; i++) {
        const char *name = i < schema->count ? schema->names[i] : schema_target();
        buffer_puts(&layout->keys[i], ",");
        json_write_string(&layout->keys[i], name, strlen(name));
        buffer_puts(&layout->keys[i], ":");
        failed = layout->keys[i].failed;
    }
    if (!failed)
        return true;
    line_layout_free(layout);
    return error_memory(error);
}

void line_layout_free(struct line_layout *layout)
{
    for (size_t i = 0; layout->schema && layout->keys && i <= layout->schema->count; i++)
        buffer_free(&layout->keys[i]);
    free(layout->keys);
    free(layout->row);
    schema_free(layout->schema);
    *layout = (struct line_layout){0};
}

static void write_integer(struct buffer *out, uint64_t value)
{
    char digits[20];
    size_t used = sizeof digits;
    do
        digits[--used] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buffer_append(out, digits + used, sizeof digits - used);
}

void line_write(const struct line_layout *layout, struct buffer *out, int64_t seq, const char *time,
                const struct event *event)
{
    buffer_puts(out, seq_key);
    write_integer(out, (uint64_t)seq);
    buffer_puts(out, time_key);
    buffer_puts(out, time);
    buffer_puts(out, "\"");
    if (event->id) {
        buffer_puts(out, id_key);
        buffer_append(out, event->id, event->id_length);
        buffer_puts(out, "\"");
    }
    size_t features = layout->schema->count;
    if (event->row[features + 1] != 1) {
        buffer_puts(out, weight_key);
        json_write_number(out, event->row[features + 1]);
    }
    for (size_t i = 0; i < features; i++) {
        buffer_append(out, layout->keys[i].data, layout->keys[i].length);
        schema_write_cell(layout->schema, event->row, i, out);
    }
    buffer_append(out, layout->keys[features].data, layout->keys[features].length);
    json_write_number(out, event->row[features]);
}

static uint32_t checksum(const char *text, size_t length)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)text, length);
}

static void write_crc(char digits[static CRC_DIGITS], uint32_t crc)
{
    for (int i = CRC_DIGITS - 1; i >= 0; i--, crc >>= 4)
        digits[i] = "0123456789abcdef"[crc & 15];
}

void line_finish(struct buffer *out, size_t start, size_t batch)
{
    if (batch > 0) {
        buffer_puts(out, batch_key);
        write_integer(out, batch);
    }
    if (out->failed)
        return;
    char digits[CRC_DIGITS];
    write_crc(digits, checksum(out->data + start, out->length - start));
    buffer_puts(out, crc_key);
    buffer_append(out, digits, sizeof digits);
    buffer_puts(out, line_end);
    buffer_puts(out, "\n");
}

/* A place in a line; each take_… steps over what it expects or fails. */
struct cursor {
    const char *at, *end;
};

static bool take_text(struct cursor *cursor, const char *text, size_t length)
{
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool take_literal(struct cursor *cursor, const char *text)
{
    return take_text(cursor, text, strlen(text));
}

static bool take_integer(struct cursor *cursor, int64_t *value)
{
    const char *start = cursor->at;
    *value = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *cursor->at - '0', value))
            return false;
    return cursor->at > start;
}

/* From behind the opening quote to behind the closing one; what stands between is *text. */
static bool take_string(struct cursor *cursor, const char **text, size_t *length)
{
    *text = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '"')
        cursor->at += *cursor->at == '\\' ? 2 : 1;
    if (cursor->at >= cursor->end)
        return false;
    *length = (size_t)(cursor->at - *text);
    cursor->at++;
    return true;
}

static bool take_number(struct cursor *cursor, double *value)
{
    const char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != ',')
        cursor->at++;
    return number_parse(start, (size_t)(cursor->at - start), value) == NUMBER_OK;
}

/* The code of a level, which is a JSON string. */
static bool take_level(struct cursor *cursor, double *code)
{
    const char *text, *start = cursor->at;
    size_t length;
    struct error ignored;
    if (!take_literal(cursor, "\"") || !take_string(cursor, &text, &length))
        return false;
    if (!memchr(text, '\\', length))
        return symbol_keep(text, length, code, &ignored);
    struct json *string = json_parse(start, (size_t)(cursor->at - start), &ignored);
    bool ok = string && json_kind(string) == JSON_STRING &&
              symbol_keep(json_string(string), strlen(json_string(string)), code, &ignored);
    json_free(string);
    return ok;
}

static bool take_cell(struct cursor *cursor, enum cell_kind kind, double *cell)
{
    *cell = NAN;
    if (take_literal(cursor, "null") || (kind == CELL_CATEGORY && take_literal(cursor, "\"\"")))
        return true;
    return kind == CELL_CATEGORY ? take_level(cursor, cell) : take_number(cursor, cell);
}

/* The mark stands just before the checksum, and nothing that a client sends can: a name or an id
 * never holds an unescaped quote. */
static size_t find_batch(const char *line, const char *end)
{
    const char *digits = end;
    while (digits > line && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    size_t key_length = sizeof batch_key - 1;
    int64_t batch;
    struct cursor cursor = {digits, end};
    if ((size_t)(digits - line) < key_length ||
        memcmp(digits - key_length, batch_key, key_length) != 0 || !take_integer(&cursor, &batch))
        return 0;
    return (size_t)batch;
}

bool line_check(const char *line, size_t length, int64_t *seq, size_t *batch)
{
    if (length < TAIL_LENGTH)
        return false;
    const char *body_end = line + length - TAIL_LENGTH;
    char digits[CRC_DIGITS];
    write_crc(digits, checksum(line, (size_t)(body_end - line)));
    struct cursor tail = {body_end, line + length}, head = {line, body_end};
    if (!take_literal(&tail, crc_key) || !take_text(&tail, digits, sizeof digits) ||
        !take_literal(&tail, line_end))
        return false;
    if (!take_literal(&head, seq_key) || !take_integer(&head, seq))
        return false;
    *batch = find_batch(line, body_end);
    return true;
}

bool line_read(const struct line_layout *layout, const char *line, size_t length,
               struct journal_event *read)
{
    struct cursor cursor = {line, line + length - TAIL_LENGTH};
    struct event *event = &read->event;
    size_t time_length;
    *event = (struct event){.row = layout->row};
    if (!take_literal(&cursor, seq_key) || !take_integer(&cursor, &read->seq) ||
        !take_literal(&cursor, time_key) || !take_string(&cursor, &event->time, &time_length) ||
        time_length != TIMESTAMP_LENGTH)
        return false;
    if (take_literal(&cursor, id_key) && !take_string(&cursor, &event->id, &event->id_length))
        return false;
    double *weight = &layout->row[layout->schema->count + 1];
    *weight = 1;
    if (take_literal(&cursor, weight_key) && !(take_number(&cursor, weight) && *weight > 0))
        return false;
    for (size_t i = 0; i <= layout->schema->count; i++) {
        const struct buffer *key = &layout->keys[i];
        enum cell_kind kind = i < layout->schema->count ? layout->schema->kinds[i] : CELL_NUMBER;
        if (!take_text(&cursor, key->data, key->length) ||
            !take_cell(&cursor, kind, &layout->row[i]))
            return false;
    }
    int64_t batch;
    if (take_literal(&cursor, batch_key) && !take_integer(&cursor, &batch))
        return false;
    return cursor.at == cursor.end;
}

size_t line_tell_kinds(const char *line, size_t length, struct schema *schema, bool *untold)
{
    struct error ignored; /* whoever reads that line is told */
    struct json *json = json_parse(line, length, &ignored);
    size_t left = 0;
    for (size_t i = 0; i < schema->count; i++) {
        const struct json *member = untold[i] && json ? json_get(json, schema->names[i]) : NULL;
        if (member && json_kind(member) != JSON_NULL) {
            schema->kinds[i] = json_kind(member) == JSON_STRING ? CELL_CATEGORY : CELL_NUMBER;
            untold[i] = false;
        }
        left += untold[i];
    }
    json_free(json);
    return left;
}

/* The last member that is no option is the target. */
struct schema *line_schema(const char *line, size_t length, bool *untold, size_t *untold_count,
                           struct error *error)
{
    *untold_count = 0;
    struct json *json = json_parse(line, length, error);
    if (!json)
        return NULL;
    const char *names[SCHEMA_FEATURES_MAX + 2];
    enum cell_kind kinds[SCHEMA_FEATURES_MAX + 2];
    size_t count = 0;
    for (const struct json *member = json_first(json); member; member = json_next(member))
        if (json_name(member)[0] != '_' && count < SCHEMA_FEATURES_MAX + 2) {
            kinds[count] = json_kind(member) == JSON_STRING ? CELL_CATEGORY : CELL_NUMBER;
            if (count < SCHEMA_FEATURES_MAX)
                *untold_count += untold[count] = json_kind(member) == JSON_NULL;
            names[count++] = json_name(member);
        }
    char called[QUOTE_MAX];
    struct schema *schema = NULL;
    if (count == 0 || strcmp(names[count - 1], schema_target()) == 0)
        schema = schema_new(names, kinds, count > 0 ? count - 1 : 0, error);
    else
        error_set(error, ERROR_DAMAGED, "the target is called %s here, not \"%.100s\": see TARGET",
                  quote(called, names[count - 1], strlen(names[count - 1])), schema_target());
    json_free(json);
    return schema;
}
