#include "flat_object.h"

#include "ids.h"
#include "json_stream.h"
#include "number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_LENGTH_MAX = 63, /* as json_parse */
    ID_DIGITS_MAX = 15      /* below 2^53 */
};

bool flat_object_begin(struct flat_object *flat, const struct schema *schema, bool with_target)
{
    if (flat->schema == schema && flat->count == schema->count && flat->with_target == with_target)
        return true;
    flat_object_free(flat);
    size_t fields = schema_cells(schema);
    flat->row = calloc(fields, sizeof *flat->row);
    flat->seen = calloc(fields, sizeof *flat->seen);
    if (!flat->row || !flat->seen) {
        flat_object_free(flat);
        return false;
    }
    flat->schema = schema;
    flat->count = schema->count;
    flat->with_target = with_target;
    return true;
}

void flat_object_free(struct flat_object *flat)
{
    free(flat->row);
    free(flat->seen);
    *flat = (struct flat_object){0};
}

/* A place in the text; each take_… steps over what it expects, or fails. */
struct cursor {
    const char *at, *end;
};

static inline bool take(struct cursor *cursor, char byte)
{
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

static inline void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                        *cursor->at == '\n' || *cursor->at == '\r'))
        cursor->at++;
}

/* A string without escapes. */
static inline bool take_string(struct cursor *cursor, const char **text, size_t *length)
{
    if (!take(cursor, '"'))
        return false;
    *text = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        if ((unsigned char)*cursor->at < 0x20 || *cursor->at == '\\')
            return false;
        cursor->at++;
    }
    *length = (size_t)(cursor->at - *text);
    return take(cursor, '"');
}

static inline bool is_digit(char byte)
{
    return (unsigned char)(byte - '0') < 10;
}

/* number_parse takes more than JSON allows: +1, 01, .5 and 1. are to be refused here. */
static bool take_number(struct cursor *cursor, double *value)
{
    const char *start = cursor->at, *at = start, *end = cursor->end;
    if (at < end && *at == '-')
        at++;
    if (end - at < 2 || !is_digit(at[0]) || (at[0] == '0' && is_digit(at[1])))
        return false;
    while (at < end && is_digit(*at))
        at++;
    if (at < end && *at == '.' && (++at == end || !is_digit(*at)))
        return false;
    while (at < end && (is_digit(*at) || *at == 'e' || *at == 'E' || *at == '+' || *at == '-'))
        at++;
    cursor->at = at;
    return at - start <= NUMBER_LENGTH_MAX &&
           number_parse(start, (size_t)(at - start), value) == NUMBER_OK;
}

static inline bool is_called(const char *field, const char *name, size_t length)
{
    return strncmp(field, name, length) == 0 && field[length] == '\0';
}

/* The field of that name, most likely the next in the schema's order; -1: unknown. */
static long find_field(const struct flat_object *flat, size_t likely, const char *name,
                       size_t length)
{
    const struct schema *schema = flat->schema;
    char terminated[SCHEMA_NAME_MAX + 1];
    if (likely < schema->count && is_called(schema->names[likely], name, length))
        return (long)likely;
    if (is_called(schema_target(), name, length))
        return flat->with_target ? (long)schema->count : -1;
    if (length > SCHEMA_NAME_MAX)
        return -1;
    memcpy(terminated, name, length);
    terminated[length] = '\0';
    return schema_find(schema, terminated);
}

static bool is_printable_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)(text[i] - 0x20) >= 0x7F - 0x20)
            return false;
    return true;
}

static bool take_text_id(struct event *event, struct cursor *cursor)
{
    return take_string(cursor, &event->id, &event->id_length) && event->id_length > 0 &&
           event->id_length <= IDS_LENGTH_MAX && is_printable_ascii(event->id, event->id_length);
}

/* A whole number without sign, fraction or exponent, of so few digits that it would be written the
 * same again. */
static bool take_number_id(struct event *event, struct cursor *cursor)
{
    event->id = cursor->at;
    while (cursor->at < cursor->end && is_digit(*cursor->at))
        cursor->at++;
    event->id_length = (size_t)(cursor->at - event->id);
    return event->id_length > 0 && event->id_length <= ID_DIGITS_MAX &&
           (event->id[0] != '0' || event->id_length == 1) && cursor->at < cursor->end &&
           (*cursor->at == ',' || *cursor->at == '}' || *cursor->at == ' ');
}

static bool take_id(struct flat_object *flat, struct cursor *cursor)
{
    struct event *event = &flat->event;
    if (event->id || !flat->with_target || cursor->at == cursor->end)
        return false;
    return *cursor->at == '"' ? take_text_id(event, cursor) : take_number_id(event, cursor);
}

static bool take_time(struct flat_object *flat, struct cursor *cursor)
{
    const char *text;
    size_t length;
    if (flat->event.time || !flat->with_target || !take_string(cursor, &text, &length) ||
        !timestamp_parse(text, length, flat->time))
        return false;
    flat->event.time = flat->time;
    return true;
}

static bool take_weight(struct flat_object *flat, struct cursor *cursor)
{
    double *weight = &flat->row[flat->count + 1];
    return flat->with_target && *weight == 0 && take_number(cursor, weight) && *weight > 0 &&
           *weight < INFINITY;
}

static bool take_value(struct flat_object *flat, struct cursor *cursor, const char *name,
                       size_t length, size_t *taken)
{
    if (is_called("_id", name, length))
        return take_id(flat, cursor);
    if (is_called("_time", name, length))
        return take_time(flat, cursor);
    if (is_called("_weight", name, length))
        return take_weight(flat, cursor);
    long field = find_field(flat, *taken, name, length);
    if (field < 0 || flat->seen[field] == flat->row_number ||
        ((size_t)field < flat->count && flat->schema->kinds[field] != CELL_NUMBER))
        return false;
    flat->seen[field] = flat->row_number;
    ++*taken;
    return take_number(cursor, &flat->row[field]);
}

size_t flat_object_read(struct flat_object *flat, const char *text, size_t length)
{
    struct cursor cursor = {text, text + length};
    size_t taken = 0;
    const char *name;
    size_t name_length;
    flat->event = (struct event){.row = flat->row};
    flat->row_number++;
    flat->row[flat->count + 1] = 0; /* until there is one */
    if (!take(&cursor, '{'))
        return 0;
    do {
        skip_blanks(&cursor);
        if (!take_string(&cursor, &name, &name_length))
            return 0;
        skip_blanks(&cursor);
        if (!take(&cursor, ':'))
            return 0;
        skip_blanks(&cursor);
        if (!take_value(flat, &cursor, name, name_length, &taken))
            return 0;
        skip_blanks(&cursor);
    } while (take(&cursor, ','));
    if (flat->row[flat->count + 1] == 0)
        flat->row[flat->count + 1] = 1;
    bool all = take(&cursor, '}') && taken == flat->schema->count + flat->with_target;
    return all && cursor.at - text <= JSON_VALUE_MAX ? (size_t)(cursor.at - text) : 0;
}
