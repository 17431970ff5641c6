#include "prediction_body.h"

#include "binding.h"
#include "body.h"
#include "clock.h"
#include "event_reader.h"
#include "flat_object.h"
#include "json.h"
#include "prediction_query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_A_LOOK = 32 /* at the clock, and at how long the answer is */ };

/* The answer's texts, which in JSON are lists. In a table the first has it all. */
enum {
    TEXT_PREDICTIONS,
    TEXT_INTERVALS,
    TEXT_FLAGS,
    TEXT_END = TEXT_FLAGS + (int)PREDICTION_FLAGS
};

struct prediction_body {
    struct request *request;
    const struct config *config;
    struct model *model; /* the same for all rows; shared */
    char headers[MODEL_HEADERS_MAX];
    struct prediction_options options;
    struct body body;
    bool opened;
    int64_t until;           /* clock_us: when to stop for now */
    struct binding *binding; /* for one row at a time */
    struct flat_object flat;
    size_t *place; /* of a table's columns: where each goes in a row */
    double *cells; /* of a table's row */
    uint64_t rows; /* predicted */
    /* of the last row. It is written when the next one comes: a single one has an answer of another
     * form */
    struct prediction last;
    struct buffer explanation;
    struct spool spool;
};

/* ------------------------------------------------------------------ the answer's texts */

static struct buffer *text_of(struct prediction_body *body, size_t text)
{
    return &body->spool.texts[text].tail;
}

/* One a line, with its interval's ends behind tabs. */
static void write_line(struct prediction_body *body)
{
    struct buffer *out = text_of(body, TEXT_PREDICTIONS);
    const struct prediction *last = &body->last;
    json_write_number(out, last->value);
    if (body->options.level > 0) {
        buffer_puts(out, "\t");
        json_write_number(out, last->value - last->half);
        buffer_puts(out, "\t");
        json_write_number(out, last->value + last->half);
    }
    buffer_puts(out, "\n");
}

/* Each list but the first ends the one before it. That of a flag is there only if it has rows. */
static void begin_lists(struct prediction_body *body)
{
    buffer_puts(text_of(body, TEXT_PREDICTIONS), "{\"predictions\": [");
    if (body->options.level > 0)
        buffer_puts(text_of(body, TEXT_INTERVALS), "], \"intervals\": [");
}

static void write_flagged(struct prediction_body *body, size_t flag, uint64_t index)
{
    struct buffer *out = text_of(body, TEXT_FLAGS + flag);
    if (out->length == 0 && body->spool.texts[TEXT_FLAGS + flag].blocks.length == 0)
        buffer_printf(out, "], \"%s\": [", prediction_flag_names[flag]);
    else
        buffer_puts(out, ", ");
    json_write_number(out, (double)index);
}

/* {"predictions": [1, 2]}, and "intervals": [[0.5, 1.5], [1, 3]]. */
static void write_members(struct prediction_body *body)
{
    uint64_t index = body->rows - 1;
    const char *between = index > 0 ? ", " : "";
    if (index == 0)
        begin_lists(body);
    buffer_puts(text_of(body, TEXT_PREDICTIONS), between);
    json_write_number(text_of(body, TEXT_PREDICTIONS), body->last.value);
    if (body->options.level > 0) {
        buffer_puts(text_of(body, TEXT_INTERVALS), between);
        prediction_write_interval(&body->last, text_of(body, TEXT_INTERVALS));
    }
    for (size_t flag = 0; flag < PREDICTION_FLAGS; flag++)
        if (body->last.flags[flag])
            write_flagged(body, flag, index);
}

static void write_last(struct prediction_body *body)
{
    if (body->rows > 0 && body->body.is_table)
        write_line(body);
    else if (body->rows > 0)
        write_members(body);
}

static void end_texts(struct prediction_body *body)
{
    write_last(body);
    if (body->body.is_table)
        return;
    if (body->rows == 0)
        begin_lists(body);
    buffer_puts(text_of(body, TEXT_END), "]}\n");
}

/* ------------------------------------------------------------------ rows */

/* Puts where in the body it went wrong before what went wrong. */
static bool at_index(const struct prediction_body *body, struct error *error)
{
    struct error what = *error;
    if (!body->body.is_table && !body->body.json.any_array && body->rows == 0)
        return false; /* there is only one */
    return error_set(error, what.kind, "at index %llu: %.450s", (unsigned long long)body->rows,
                     what.text);
}

static bool keep_prediction(struct prediction_body *body, const double *row, struct error *error)
{
    if (body->options.explained && body->rows > 0)
        return error_set(error, ERROR_UNUSABLE, "_explain is for a single row");
    write_last(body);
    if (!prediction_make(body->model, &body->options, row, &body->last, error) ||
        (body->options.explained &&
         !prediction_explain(body->model, row, &body->explanation, error)))
        return false;
    body->rows++;
    return true;
}

/* Between two rows. */
static bool go_on(struct prediction_body *body, struct error *error)
{
    if (body->rows % ROWS_A_LOOK != 0)
        return true;
    return spool_settle(&body->spool, error) && (clock_us() < body->until || error_later(error));
}

/* A binding to the model's features. */
static bool begin_binding(struct prediction_body *body, struct error *error)
{
    const struct model *model = body->model;
    body->binding->known = model->predictor->encoding;
    body->binding->missing_allowed = body->config->missing_allowed;
    body->binding->unseen_allowed = body->config->unseen_allowed;
    return binding_begin(body->binding, model->schema, false, error);
}

/* ------------------------------------------------------------------ rows of JSON */

static bool predict_object(struct prediction_body *body, const char *text, size_t length,
                           struct error *error)
{
    struct binding *binding = body->binding;
    struct json *object = json_parse(text, length, error);
    if (!object)
        return false;
    bool ok = json_kind(object) == JSON_OBJECT ||
              error_set(error, ERROR_UNUSABLE, "a row must be a JSON object of named values");
    if (ok && (ok = begin_binding(body, error)))
        binding_object(binding, object, false);
    json_free(object);
    return ok && binding_end(binding, error) && keep_prediction(body, binding->row, error);
}

/* Takes the common kind of rows (flat_object.h) up to the first of another kind. */
static bool predict_flat(struct prediction_body *body, struct error *error)
{
    const char *text;
    size_t length, used;
    while (json_stream_peek(&body->body.json, &text, &length) &&
           (used = flat_object_read(&body->flat, text, length)) > 0) {
        if (!keep_prediction(body, body->flat.row, error))
            return at_index(body, error);
        json_stream_take(&body->body.json, used);
        if (!go_on(body, error))
            return false;
    }
    return true;
}

static bool predict_objects(struct prediction_body *body, struct error *error)
{
    const char *text;
    size_t length;
    while (predict_flat(body, error)) {
        enum json_stream_result result = json_stream_next(&body->body.json, &text, &length, error);
        if (result != JSON_STREAM_VALUE)
            return result == JSON_STREAM_END;
        if (!predict_object(body, text, length, error))
            return at_index(body, error);
        if (!go_on(body, error))
            return false;
    }
    return false;
}

/* ------------------------------------------------------------------ rows of a table */

/* Where each column of the table goes in a row; names what is missing or unknown. */
static bool place_columns(struct prediction_body *body, struct error *error)
{
    const struct schema *schema = body->model->schema;
    const struct table *table = body->body.table;
    if (!begin_binding(body, error))
        return false;
    for (size_t i = 0; i < table_columns(table); i++) {
        const char *name = table_column_name(table, i);
        binding_cell(body->binding, name, binding_kind(body->binding, name), 0);
        body->place[i] = (size_t)schema_find(schema, name);
    }
    return binding_end(body->binding, error);
}

/* What is in the cells of each column. */
static void set_columns(const struct prediction_body *body)
{
    const struct schema *schema = body->model->schema;
    struct table *table = body->body.table;
    table_forget_texts(table);
    if (body->config->missing_allowed)
        table_allow_missing(table);
    for (size_t i = 0; i < table_columns(table); i++)
        if (schema->kinds[body->place[i]] == CELL_CATEGORY)
            table_set_category(table, i);
}

/* A row of a table against what the model knows. */
static bool check_known(const struct prediction_body *body, const double *row, struct error *error)
{
    const struct model *model = body->model;
    const struct encoding *encoding = model->predictor->encoding;
    size_t j = 0;
    while (j < encoding->features && encoding_knows_cell(encoding, row, j))
        j++;
    return j == encoding->features || body->config->unseen_allowed ||
           error_set(error, ERROR_UNUSABLE, "\"%s\" %s", model->schema->names[j],
                     isnan(row[j]) ? "is missing, which it never was in what was learnt"
                                   : "has a level that was never learnt");
}

static bool begin_table(struct prediction_body *body, struct error *error)
{
    size_t columns = table_columns(body->body.table);
    body->place = calloc(columns, sizeof *body->place);
    body->cells = calloc(columns, sizeof *body->cells);
    if (!body->place || !body->cells)
        return error_memory(error);
    if (!place_columns(body, error))
        return false;
    set_columns(body);
    return true;
}

static bool predict_rows(struct prediction_body *body, struct error *error)
{
    struct table *table = body->body.table;
    double *row = body->binding->row;
    enum table_result result;
    while ((result = table_next(table, body->cells, error)) == TABLE_ROW) {
        for (size_t i = 0; i < table_columns(table); i++)
            row[body->place[i]] = body->cells[i];
        if (!check_known(body, row, error) || !keep_prediction(body, row, error))
            return at_index(body, error);
        if (!go_on(body, error))
            return false;
    }
    return result == TABLE_END && (body->rows > 0 || body_no_rows(error));
}

/* ------------------------------------------------------------------ a body */

struct prediction_body *prediction_body_new(struct request *request, const struct config *config,
                                            struct model *model,
                                            const char headers[static MODEL_HEADERS_MAX],
                                            struct prediction_room *room, struct error *error)
{
    struct prediction_options options;
    if (!prediction_query(request->query, model, NULL, &options, error))
        return NULL;
    struct prediction_body *body = calloc(1, sizeof *body);
    if (!body) {
        error_memory(error);
        return NULL;
    }
    body->request = request;
    body->config = config;
    body->model = model_share(model);
    body->options = options;
    memcpy(body->headers, headers, sizeof body->headers);
    body_begin(&body->body, request);
    body->binding = &room->binding;
    spool_begin(&body->spool, &room->file);
    return body;
}

void prediction_body_free(struct prediction_body *body)
{
    body_close(&body->body);
    model_free(body->model);
    flat_object_free(&body->flat);
    free(body->place);
    free(body->cells);
    buffer_free(&body->explanation);
    spool_free(&body->spool);
    free(body);
}

struct request *prediction_body_request(const struct prediction_body *body)
{
    return body->request;
}

static bool begin_rows(struct prediction_body *body, struct error *error)
{
    if (!body_open(&body->body, error))
        return false;
    body->opened = true;
    if (body->body.is_table)
        return begin_table(body, error);
    return flat_object_begin(&body->flat, body->model->schema, false) || error_memory(error);
}

bool prediction_body_go_on(struct prediction_body *body, int64_t until, struct error *error)
{
    body->until = body->body.until = until;
    if (!body->opened && !begin_rows(body, error))
        return false;
    return body->body.is_table ? predict_rows(body, error) : predict_objects(body, error);
}

static bool read_spool(void *context, char *data, size_t size, struct error *error)
{
    return spool_read(context, data, size, error);
}

static void close_spool(void *context)
{
    spool_free(context);
    free(context);
}

/* A long answer stays where it is until it is sent. */
static bool take_spool(struct prediction_body *body, struct response_stream *rest,
                       struct error *error)
{
    struct spool *spool = malloc(sizeof *spool);
    if (!spool)
        return error_memory(error);
    *spool = body->spool;
    spool_begin(&body->spool, spool->file);
    *rest = (struct response_stream){
        .length = spool_length(spool), .read = read_spool, .close = close_spool, .context = spool};
    return true;
}

static bool take_texts(struct prediction_body *body, struct response *response, struct error *error)
{
    end_texts(body);
    if (!spool_settle(&body->spool, error))
        return false;
    uint64_t length = spool_length(&body->spool);
    if (length > SPOOL_BLOCK)
        return take_spool(body, &response->rest, error);
    char *room = buffer_reserve(&response->body, (size_t)length);
    if (!room)
        return error_memory(error);
    response->body.length += (size_t)length;
    return spool_read(&body->spool, room, (size_t)length, error);
}

bool prediction_body_answer(struct prediction_body *body, struct response *response,
                            struct error *error)
{
    response_clear(response);
    memcpy(response->headers, body->headers, sizeof body->headers);
    if (body->body.is_table)
        response->content_type = "text/plain";
    bool single = !body->body.is_bulk && !body->body.json.any_array && body->rows == 1;
    if (!single)
        return take_texts(body, response, error);
    prediction_write(&body->last, &body->options, &body->explanation, &response->body);
    return true;
}
