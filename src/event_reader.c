#include "event_reader.h"

#include "number.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char id_option[] = "_id", time_option[] = "_time", weight_option[] = "_weight";

static enum event_result read_value(struct event_reader *reader, struct json **json,
                                    struct error *error)
{
    const char *text;
    size_t length;
    switch (json_stream_next(&reader->body.json, &text, &length, error)) {
    case JSON_STREAM_VALUE:
        break;
    case JSON_STREAM_END:
        return EVENT_END;
    case JSON_STREAM_ERROR:
        return EVENT_BROKEN;
    }
    *json = json_parse(text, length, error);
    return *json ? EVENT_FETCHED : EVENT_BROKEN;
}

static bool parse_ahead(struct event_reader *reader, struct error *error)
{
    enum event_result result;
    struct json *json;
    do {
        if (reader->ahead_count == reader->ahead_capacity) {
            size_t capacity = reader->ahead_capacity ? 2 * reader->ahead_capacity : 4;
            struct json **ahead = realloc(reader->ahead, capacity * sizeof *ahead);
            if (!ahead)
                return error_memory(error);
            reader->ahead = ahead;
            reader->ahead_capacity = capacity;
        }
        result = read_value(reader, &json, error);
        if (result == EVENT_FETCHED)
            reader->ahead[reader->ahead_count++] = json;
    } while (result == EVENT_FETCHED);
    return result == EVENT_END;
}

static void find_options(struct event_reader *reader)
{
    struct table *table = reader->body.table;
    reader->id_column = reader->weight_column = SIZE_MAX;
    for (size_t i = 0; i < table_columns(table); i++)
        if (strcmp(table_column_name(table, i), id_option) == 0) {
            reader->id_column = i;
            table_set_text_column(table, i);
        } else if (strcmp(table_column_name(table, i), weight_option) == 0) {
            reader->weight_column = i;
            table_set_target(table, i);
        }
}

void event_reader_begin(struct event_reader *reader, struct request *request)
{
    *reader = (struct event_reader){0};
    body_begin(&reader->body, request);
}

bool event_reader_open(struct event_reader *reader, struct error *error)
{
    if (!reader->opened && !body_open(&reader->body, error))
        return false;
    reader->opened = true;
    if (!reader->body.is_table)
        return reader->body.request->content_length > EVENT_READER_AHEAD ||
               parse_ahead(reader, error);
    find_options(reader);
    reader->cells = calloc(table_columns(reader->body.table), sizeof *reader->cells);
    return reader->cells || error_memory(error);
}

void event_reader_close(struct event_reader *reader)
{
    body_close(&reader->body);
    json_free(reader->json);
    while (reader->ahead_next < reader->ahead_count)
        json_free(reader->ahead[reader->ahead_next++]);
    free(reader->ahead);
    free(reader->cells);
    binding_free(&reader->binding);
    buffer_free(&reader->id_text);
    buffer_free(&reader->id);
    flat_object_free(&reader->flat);
}

static enum event_result fetch_row(struct event_reader *reader, struct error *error)
{
    switch (table_next(reader->body.table, reader->cells, error)) {
    case TABLE_ROW:
        reader->any_row = true;
        return EVENT_FETCHED;
    case TABLE_END:
        if (reader->any_row)
            return EVENT_END;
        body_no_rows(error);
        return EVENT_BROKEN;
    case TABLE_ERROR:
        break;
    }
    if (error->kind != ERROR_UNUSABLE)
        return EVENT_BROKEN;
    reader->any_row = true;
    return EVENT_REFUSED;
}

static enum event_result next_value(struct event_reader *reader, struct error *error)
{
    if (!reader->ahead)
        return read_value(reader, &reader->json, error);
    if (reader->ahead_next == reader->ahead_count)
        return EVENT_END;
    reader->json = reader->ahead[reader->ahead_next++];
    return EVENT_FETCHED;
}

static enum event_result fetch_object(struct event_reader *reader, struct error *error)
{
    json_free(reader->json);
    reader->json = NULL;
    enum event_result result = next_value(reader, error);
    if (result != EVENT_FETCHED || json_kind(reader->json) == JSON_OBJECT)
        return result;
    error_set(error, ERROR_UNUSABLE, "an event must be a JSON object of named values");
    return EVENT_REFUSED;
}

static bool expect_columns(const struct event_reader *reader, const struct schema *schema,
                           struct error *error)
{
    struct table *table = reader->body.table;
    for (size_t i = 0; i < table_columns(table); i++)
        if (strcmp(table_column_name(table, i), schema_target()) == 0)
            table_set_target(table, i);
    if (reader->binding.missing_allowed)
        table_allow_missing(table);
    if (!schema)
        return table_guess_categories(table, error);
    for (size_t i = 0; i < table_columns(table); i++) {
        long j = schema_find(schema, table_column_name(table, i));
        if (j >= 0 && schema->kinds[j] == CELL_CATEGORY)
            table_set_category(table, i);
    }
    return true;
}

bool event_reader_expect(struct event_reader *reader, const struct schema *schema,
                         bool missing_allowed, struct error *error)
{
    if (reader->expects)
        return true;
    reader->binding.missing_allowed = missing_allowed;
    reader->expects = !reader->body.is_table || expect_columns(reader, schema, error);
    return reader->expects;
}

enum event_result event_reader_fetch(struct event_reader *reader, struct error *error)
{
    return reader->body.is_table ? fetch_row(reader, error) : fetch_object(reader, error);
}

bool event_reader_next_flat(struct event_reader *reader, const struct schema *schema,
                            struct event *event)
{
    struct flat_object *flat = &reader->flat;
    const char *text;
    size_t length, used;
    if (reader->body.is_table || reader->ahead || !flat_object_begin(flat, schema, true) ||
        !json_stream_peek(&reader->body.json, &text, &length) ||
        (used = flat_object_read(flat, text, length)) == 0 || (reader->exported && !flat->event.id))
        return false;
    json_stream_take(&reader->body.json, used);
    *event = flat->event;
    return true;
}

bool event_reader_is_single(const struct event_reader *reader, size_t fetched)
{
    return fetched == 1 && !reader->body.is_bulk && !reader->body.json.any_array;
}

/* Collects names until the schema's limit is passed, which schema_new then reports. */
struct names {
    const char *list[SCHEMA_FEATURES_MAX + 1];
    enum cell_kind kinds[SCHEMA_FEATURES_MAX + 1];
    size_t count;
};

static bool is_option(const char *name)
{
    return strcmp(name, id_option) == 0 || strcmp(name, time_option) == 0 ||
           strcmp(name, weight_option) == 0;
}

static void add_feature(struct names *names, const char *name, bool is_text)
{
    if (strcmp(name, schema_target()) == 0 || is_option(name) || names->count > SCHEMA_FEATURES_MAX)
        return;
    names->kinds[names->count] = is_text ? CELL_CATEGORY : CELL_NUMBER;
    names->list[names->count++] = name;
}

/* Does a member of the first event tell whether it is a number or a category? */
static bool tells_kind(const struct json *member, struct error *error)
{
    double ignored;
    if (is_option(json_name(member)))
        return true;
    if (json_kind(member) == JSON_NULL)
        return error_set(
            error, ERROR_UNUSABLE,
            "\"%.200s\" is null: nothing may be missing in the first event, which tells "
            "what is a number and what is text",
            json_name(member));
    if (json_kind(member) == JSON_STRING &&
        number_parse(json_string(member), strlen(json_string(member)), &ignored) == NUMBER_OK)
        return error_set(error, ERROR_UNUSABLE,
                         "\"%.200s\" is a number in quotes: send it without, or, if it is a "
                         "category, begin with an event where it does not look like a number",
                         json_name(member));
    return true;
}

struct schema *event_reader_schema(const struct event_reader *reader, struct error *error)
{
    struct names names = {.count = 0};
    if (reader->body.is_table)
        for (size_t i = 0; i < table_columns(reader->body.table); i++)
            add_feature(&names, table_column_name(reader->body.table, i),
                        table_is_category(reader->body.table, i));
    else
        for (const struct json *member = json_first(reader->json); member;
             member = json_next(member)) {
            if (!reader->exported && !tells_kind(member, error))
                return NULL;
            add_feature(&names, json_name(member), json_kind(member) == JSON_STRING);
        }
    return schema_new(names.list, names.kinds, names.count, error);
}

void binding_object(struct binding *binding, const struct json *object, bool is_event)
{
    for (const struct json *member = json_first(object); member; member = json_next(member)) {
        const char *name = json_name(member);
        if (is_event && is_option(name))
            continue;
        if (json_kind(member) == JSON_STRING)
            binding_text(binding, name, json_string(member));
        else if (json_kind(member) == JSON_NULL)
            binding_value(binding, name, BINDING_MISSING, 0);
        else if (json_kind(member) == JSON_BOOLEAN)
            binding_value(binding, name, BINDING_NUMBER, json_truth(member));
        else if (json_kind(member) != JSON_NUMBER)
            binding_value(binding, name, BINDING_NOT_A_NUMBER, 0);
        else if (!isfinite(json_number(member)))
            binding_value(binding, name, BINDING_TOO_LARGE, 0);
        else
            binding_value(binding, name, BINDING_NUMBER, json_number(member));
    }
}

/* Takes an id that was given as text. */
static bool take_id(struct event_reader *reader, const char *text, size_t length,
                    struct event *event, struct error *error)
{
    if (length == 0 || length > IDS_LENGTH_MAX)
        return error_set(error, ERROR_UNUSABLE, "_id must have 1 to %d bytes, and has %zu",
                         IDS_LENGTH_MAX, length);
    if (!utf8_valid(text, length))
        return error_set(error, ERROR_UNUSABLE, "_id is not valid UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return error_set(error, ERROR_UNUSABLE, "_id has a control character");
    buffer_clear(&reader->id);
    json_write_string(&reader->id, text, length);
    if (reader->id.failed)
        return error_memory(error);
    event->id = reader->id.data + 1;
    event->id_length = reader->id.length - 2;
    return true;
}

/* The member of an option; NULL: it is not there. False: it is there twice. */
static bool find_option(const struct event_reader *reader, const char *name,
                        const struct json **member, struct error *error)
{
    *member = json_get(reader->json, name);
    for (const struct json *other = *member ? json_next(*member) : NULL; other;
         other = json_next(other))
        if (strcmp(json_name(other), name) == 0)
            return error_set(error, ERROR_UNUSABLE, "\"%s\" is repeated", name);
    return true;
}

/* Beyond 2^53 - 1 a double stands for several whole numbers, which would be one id. */
static bool is_exact_whole(double value)
{
    return fabs(value) < 0x1p53 && trunc(value) == value;
}

/* A string; a whole number is taken for its digits, since database keys are such. */
static bool take_member_id(struct event_reader *reader, struct event *event, struct error *error)
{
    char digits[NUMBER_TEXT_MAX];
    const struct json *member;
    if (!find_option(reader, id_option, &member, error))
        return false;
    if (!member)
        return !reader->exported || error_set(error, ERROR_UNUSABLE, "missing \"_id\"");
    if (json_kind(member) == JSON_STRING)
        return take_id(reader, json_string(member), strlen(json_string(member)), event, error);
    if (json_kind(member) != JSON_NUMBER || !is_exact_whole(json_number(member)))
        return error_set(error, ERROR_UNUSABLE,
                         "_id must be a string, or a whole number up to 9007199254740991 "
                         "(2^53 - 1); send a longer one in quotes");
    return take_id(reader, digits, number_format(json_number(member), digits), event, error);
}

static bool take_member_time(struct event_reader *reader, struct event *event, struct error *error)
{
    const struct json *member;
    if (!find_option(reader, time_option, &member, error))
        return false;
    if (!member)
        return true;
    const char *text = json_kind(member) == JSON_STRING ? json_string(member) : "";
    event->time = reader->time;
    return timestamp_parse(text, strlen(text), reader->time) ||
           error_set(error, ERROR_UNUSABLE,
                     "_time must be a moment in UTC such as \"2026-11-20T22:00:00.123Z\"");
}

static bool take_weight(struct event_reader *reader, double weight, struct error *error)
{
    reader->binding.row[reader->binding.schema->count + 1] = weight;
    return (weight > 0 && isfinite(weight)) ||
           error_set(error, ERROR_UNUSABLE, "_weight must be a number above 0");
}

static bool take_member_weight(struct event_reader *reader, struct error *error)
{
    const struct json *member;
    if (!find_option(reader, weight_option, &member, error))
        return false;
    return !member ||
           take_weight(reader, json_kind(member) == JSON_NUMBER ? json_number(member) : 0, error);
}

static bool take_cell_weight(struct event_reader *reader, struct error *error)
{
    return reader->weight_column == SIZE_MAX ||
           take_weight(reader, reader->cells[reader->weight_column], error);
}

static bool take_cell_id(struct event_reader *reader, struct event *event, struct error *error)
{
    if (reader->id_column == SIZE_MAX)
        return true;
    buffer_clear(&reader->id_text);
    table_text(reader->body.table, &reader->id_text);
    if (reader->id_text.failed)
        return error_memory(error);
    return take_id(reader, reader->id_text.data, reader->id_text.length, event, error);
}

static void bind_cells(struct event_reader *reader)
{
    const struct table *table = reader->body.table;
    for (size_t i = 0; i < table_columns(table); i++)
        if (i != reader->id_column && i != reader->weight_column)
            binding_cell(&reader->binding, table_column_name(table, i),
                         table_is_category(table, i) ? CELL_CATEGORY : CELL_NUMBER,
                         reader->cells[i]);
}

bool event_reader_bind(struct event_reader *reader, const struct schema *schema,
                       struct event *event, struct error *error)
{
    struct binding *binding = &reader->binding;
    *event = (struct event){0};
    if (!binding_begin(binding, schema, true, error))
        return false;
    if (reader->body.is_table)
        bind_cells(reader);
    else
        binding_object(binding, reader->json, true);
    if (!binding_end(binding, error))
        return false;
    event->row = binding->row;
    return reader->body.is_table
               ? take_cell_id(reader, event, error) && take_cell_weight(reader, error)
               : take_member_id(reader, event, error) && take_member_time(reader, event, error) &&
                     take_member_weight(reader, error);
}
