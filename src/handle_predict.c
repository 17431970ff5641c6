/* GET and POST /predict, GET /model, GET /readyz: everything that only reads the current model. */
#include "binding.h"
#include "body.h"
#include "config.h"
#include "event_reader.h"
#include "flat_object.h"
#include "handler.h"
#include "json.h"
#include "model_file.h"
#include "number.h"
#include "unready.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREDICT_ROWS_MAX = 1000000 /* of one request: their predictions wait in memory */ };

enum { MODEL_HEADERS_MAX = 96 };

/* What the query asks for besides the prediction. */
struct options {
    double level;   /* _interval: how much of the time a new target is in it; 0: none is wanted */
    double scale;   /* of the intervals, see model_interval_scale */
    bool explained; /* _explain: each feature's share is wanted */
};

/* What a user should know of a prediction. */
enum flag {
    FLAG_UNSEEN,        /* something of the row was never learnt */
    FLAG_EXTRAPOLATING, /* it lies beyond the rows learnt */
    FLAG_CLIPPED,       /* the prediction was far beyond the targets learnt, and brought back */
    FLAGS
};

static const char *const flag_names[FLAGS] = {"unseen", "extrapolating", "clipped"};

struct predict {
    const struct config *config;
    struct options options; /* of the request */
    struct model_file model;
    struct binding binding;
    struct flat_object flat;
    struct buffer predictions;    /* doubles */
    struct buffer intervals;      /* doubles: half the widths, where they are wanted */
    struct buffer flagged[FLAGS]; /* size_t: the rows that have each flag */
    struct buffer contributions;  /* a single row's, as they are answered; empty: not wanted */
    struct response response;
    bool looked;                     /* at the model's file, in this round of the loop */
    char headers[MODEL_HEADERS_MAX]; /* of the model last looked at */
};

static void model_headers(const struct predict *predict, struct response *response)
{
    memcpy(response->headers, predict->headers, sizeof predict->headers);
}

static void write_interval(struct buffer *out, double prediction, double half)
{
    buffer_puts(out, "[");
    json_write_number(out, prediction - half);
    buffer_puts(out, ", ");
    json_write_number(out, prediction + half);
    buffer_puts(out, "]");
}

static void answer_one(struct predict *predict, double prediction, double half)
{
    struct response *response = &predict->response;
    response_clear(response);
    model_headers(predict, response);
    buffer_puts(&response->body, "{\"prediction\": ");
    json_write_number(&response->body, prediction);
    if (predict->options.level > 0) {
        buffer_puts(&response->body, ", \"interval\": ");
        write_interval(&response->body, prediction, half);
    }
    buffer_append(&response->body, predict->contributions.data, predict->contributions.length);
    for (size_t flag = 0; flag < FLAGS; flag++)
        if (predict->flagged[flag].length > 0)
            buffer_printf(&response->body, ", \"%s\": true", flag_names[flag]);
    buffer_puts(&response->body, "}\n");
}

/* ------------------------------------------------------------------ options */

struct option_reader {
    struct options *options;
    struct binding *binding; /* for all else; NULL: there must be nothing else */
    struct error error;      /* ERROR_NONE: all is well */
};

static void read_level(struct option_reader *reader, const char *value)
{
    double level;
    if (number_parse(value, strlen(value), &level) == NUMBER_OK && level > 0 && level < 1)
        reader->options->level = level;
    else
        error_set(&reader->error, ERROR_UNUSABLE,
                  "_interval must be between 0 and 1, such as 0.95");
}

static void read_explained(struct option_reader *reader, const char *value)
{
    reader->options->explained = strcmp(value, "1") == 0;
    if (!reader->options->explained && strcmp(value, "0") != 0)
        error_set(&reader->error, ERROR_UNUSABLE, "_explain must be 0 or 1");
}

static void bind_text(struct binding *binding, const char *name, const char *value)
{
    if (binding_kind(binding, name) == CELL_CATEGORY || value[0] == '\0') {
        if (value[0] == '\0')
            binding_value(binding, name, BINDING_MISSING, 0);
        else
            binding_text(binding, name, value);
        return;
    }
    static const enum binding_value kinds[] = {[NUMBER_OK] = BINDING_NUMBER,
                                               [NUMBER_INVALID] = BINDING_NOT_A_NUMBER,
                                               [NUMBER_TOO_LARGE] = BINDING_TOO_LARGE};
    double number = strcmp(value, "true") == 0;
    enum number_result result = NUMBER_OK;
    if (number == 0 && strcmp(value, "false") != 0)
        result = number_parse(value, strlen(value), &number);
    binding_value(binding, name, kinds[result], number);
}

static void read_pair(void *context, const char *name, const char *value)
{
    struct option_reader *reader = context;
    if (strcmp(name, "_interval") == 0)
        read_level(reader, value);
    else if (strcmp(name, "_explain") == 0)
        read_explained(reader, value);
    else if (reader->binding)
        bind_text(reader->binding, name, value);
    else
        error_set(&reader->error, ERROR_UNUSABLE,
                  "\"%.200s\" is no option here: the features are in the body", name);
}

/* Takes the options, and binds the rest to the features. */
static bool read_query(struct predict *predict, const char *query, struct binding *binding,
                       struct error *error)
{
    struct options *options = &predict->options;
    struct option_reader reader = {.options = options, .binding = binding};
    *options = (struct options){.level = 0};
    buffer_clear(&predict->intervals);
    buffer_clear(&predict->contributions);
    for (size_t flag = 0; flag < FLAGS; flag++)
        buffer_clear(&predict->flagged[flag]);
    if (!http_query(query, read_pair, &reader, error))
        return false;
    if (reader.error.kind != ERROR_NONE) {
        *error = reader.error;
        return false;
    }
    if (options->level == 0)
        return true;
    options->scale = model_interval_scale(predict->model.model, options->level);
    return isfinite(options->scale) ||
           error_set(error, ERROR_UNUSABLE,
                     "there is no interval: it takes more rows than coefficients, and of more than "
                     "%d columns a cross-validated error",
                     FIT_INVERSE_MAX);
}

/* By how much each feature moves the prediction away from what it begins with. */
static void write_contributions(const struct model *model, const double *row, struct buffer *out)
{
    double contributions[SCHEMA_FEATURES_MAX];
    buffer_puts(out, ", \"baseline\": ");
    json_write_number(out, model_contributions(model, row, contributions));
    buffer_puts(out, ", \"contributions\": {");
    for (size_t j = 0; j < model->schema->count; j++) {
        const char *name = model->schema->names[j];
        buffer_puts(out, j > 0 ? ", " : "");
        json_write_string(out, name, strlen(name));
        buffer_puts(out, ": ");
        json_write_number(out, contributions[j]);
    }
    buffer_puts(out, "}");
}

static size_t predicted(const struct predict *predict)
{
    return predict->predictions.length / sizeof(double);
}

static void flag_row(struct predict *predict, enum flag flag, bool is_set)
{
    size_t index = predicted(predict);
    if (is_set)
        buffer_append(&predict->flagged[flag], &index, sizeof index);
}

/* The prediction, with its flags, and half its interval and its contributions where they are
 * wanted.
 */
static bool predict_row(struct predict *predict, const double *row, double *prediction,
                        double *half, struct error *error)
{
    const struct model *model = predict->model.model;
    bool clipped;
    *half = 0;
    if (!model_predict(model, row, prediction, &clipped, error))
        return false;
    flag_row(predict, FLAG_UNSEEN, !encoding_knows(model->predictor->encoding, row));
    flag_row(predict, FLAG_EXTRAPOLATING, predictor_extrapolates(model->predictor, row));
    flag_row(predict, FLAG_CLIPPED, clipped);
    if (predict->options.level > 0)
        *half = model_interval(model, row, predict->options.scale);
    if (predict->options.explained && !model_has_means(model))
        return error_set(error, ERROR_UNUSABLE,
                         "there are no contributions: the model is of an earlier version, POST "
                         "/build for one that has them");
    if (predict->options.explained)
        write_contributions(model, row, &predict->contributions);
    return isfinite(*prediction - *half + *half) ||
           error_set(error, ERROR_UNUSABLE, "the interval is beyond the range of a double");
}

/* A binding to the model's features. */
static bool begin_binding(struct predict *predict, struct error *error)
{
    const struct model *model = predict->model.model;
    predict->binding.known = model->predictor->encoding;
    predict->binding.missing_allowed = predict->config->missing_allowed;
    predict->binding.unseen_allowed = predict->config->unseen_allowed;
    return binding_begin(&predict->binding, model->schema, false, error);
}

/* ------------------------------------------------------------------ GET /predict */

static bool predict_query(struct predict *predict, const char *query, struct error *error)
{
    struct binding *binding = &predict->binding;
    double prediction, half;
    buffer_clear(&predict->predictions);
    if (!begin_binding(predict, error) || !read_query(predict, query, binding, error) ||
        !binding_end(binding, error) ||
        !predict_row(predict, binding->row, &prediction, &half, error))
        return false;
    answer_one(predict, prediction, half);
    return true;
}

/* ------------------------------------------------------------------ POST /predict */

/* Puts where in the body it went wrong before what went wrong. */
static bool at_index(struct error *error, size_t index)
{
    struct error what = *error;
    return error_set(error, what.kind, "at index %zu: %.450s", index, what.text);
}

static bool keep_prediction(struct predict *predict, const double *row, struct error *error)
{
    double prediction, half;
    if (predicted(predict) == PREDICT_ROWS_MAX)
        return error_set(error, ERROR_TOO_LARGE, "more than %d rows in one request",
                         PREDICT_ROWS_MAX);
    if (predict->options.explained && predicted(predict) > 0)
        return error_set(error, ERROR_UNUSABLE, "_explain is for a single row");
    if (!predict_row(predict, row, &prediction, &half, error))
        return false;
    buffer_append(&predict->predictions, &prediction, sizeof prediction);
    if (predict->options.level > 0)
        buffer_append(&predict->intervals, &half, sizeof half);
    bool failed = predict->predictions.failed || predict->intervals.failed;
    for (size_t flag = 0; flag < FLAGS; flag++)
        failed |= predict->flagged[flag].failed;
    return !(failed || predict->contributions.failed) || error_memory(error);
}

static bool predict_object(struct predict *predict, const char *text, size_t length,
                           struct error *error)
{
    struct binding *binding = &predict->binding;
    struct json *object = json_parse(text, length, error);
    if (!object)
        return false;
    bool ok = json_kind(object) == JSON_OBJECT ||
              error_set(error, ERROR_UNUSABLE, "a row must be a JSON object of named values");
    if (ok && (ok = begin_binding(predict, error)))
        binding_object(binding, object, false);
    json_free(object);
    return ok && binding_end(binding, error) && keep_prediction(predict, binding->row, error);
}

/* Takes the common kind of rows (flat_object.h) up to the first of another kind. */
static bool predict_flat(struct predict *predict, struct body *body, struct error *error)
{
    const char *text;
    size_t length, used;
    while (json_stream_peek(&body->json, &text, &length) &&
           (used = flat_object_read(&predict->flat, text, length)) > 0) {
        if (!keep_prediction(predict, predict->flat.row, error))
            return false;
        json_stream_take(&body->json, used);
    }
    return true;
}

static bool predict_objects(struct predict *predict, struct body *body, struct error *error)
{
    const char *text;
    size_t length;
    enum json_stream_result result;
    flat_object_free(&predict->flat); /* the model that it was for may be gone */
    if (!flat_object_begin(&predict->flat, predict->model.model->schema, false))
        return error_memory(error);
    bool ok = predict_flat(predict, body, error);
    while (ok &&
           (result = json_stream_next(&body->json, &text, &length, error)) == JSON_STREAM_VALUE)
        ok = predict_object(predict, text, length, error) && predict_flat(predict, body, error);
    if (!ok)
        return body->json.any_array || predicted(predict) > 0 ? at_index(error, predicted(predict))
                                                              : false;
    return result == JSON_STREAM_END;
}

/* Where each column of the table goes in a row; names what is missing or unknown. */
static bool place_columns(struct predict *predict, const struct table *table, size_t *place,
                          struct error *error)
{
    const struct schema *schema = predict->model.model->schema;
    if (!begin_binding(predict, error))
        return false;
    for (size_t i = 0; i < table_columns(table); i++) {
        const char *name = table_column_name(table, i);
        binding_cell(&predict->binding, name, binding_kind(&predict->binding, name), 0);
        place[i] = (size_t)schema_find(schema, name);
    }
    return binding_end(&predict->binding, error);
}

/* What is in the cells of each column. */
static void set_columns(const struct predict *predict, struct table *table, const size_t *place)
{
    const struct schema *schema = predict->model.model->schema;
    table_forget_texts(table);
    if (predict->config->missing_allowed)
        table_allow_missing(table);
    for (size_t i = 0; i < table_columns(table); i++)
        if (schema->kinds[place[i]] == CELL_CATEGORY)
            table_set_category(table, i);
}

/* A row of a table against what the model knows. */
static bool check_known(const struct predict *predict, const double *row, struct error *error)
{
    const struct model *model = predict->model.model;
    const struct encoding *encoding = model->predictor->encoding;
    size_t j = 0;
    while (j < encoding->features && encoding_knows_cell(encoding, row, j))
        j++;
    return j == encoding->features || predict->config->unseen_allowed ||
           error_set(error, ERROR_UNUSABLE, "\"%s\" %s", model->schema->names[j],
                     isnan(row[j]) ? "is missing, which it never was in what was learnt"
                                   : "has a level that was never learnt");
}

static bool predict_rows(struct predict *predict, struct body *body, struct error *error)
{
    struct table *table = body->table;
    size_t place[TABLE_COLUMNS_MAX];
    double cells[TABLE_COLUMNS_MAX];
    double *row;
    enum table_result result;
    if (!place_columns(predict, table, place, error))
        return false;
    row = predict->binding.row;
    set_columns(predict, table, place);
    while ((result = table_next(table, cells, error)) == TABLE_ROW) {
        for (size_t i = 0; i < table_columns(table); i++)
            row[place[i]] = cells[i];
        if (!check_known(predict, row, error) || !keep_prediction(predict, row, error))
            return at_index(error, predicted(predict));
    }
    return result == TABLE_END && (predicted(predict) > 0 || body_no_rows(error));
}

/* One a line, for a table; with its interval's ends behind tabs. */
static void write_lines(const struct predict *predict, struct buffer *out)
{
    const double *predictions = (const double *)predict->predictions.data;
    const double *halves = (const double *)predict->intervals.data;
    for (size_t i = 0; i < predicted(predict); i++) {
        json_write_number(out, predictions[i]);
        if (predict->options.level > 0) {
            buffer_puts(out, "\t");
            json_write_number(out, predictions[i] - halves[i]);
            buffer_puts(out, "\t");
            json_write_number(out, predictions[i] + halves[i]);
        }
        buffer_puts(out, "\n");
    }
}

/* Ends the list before it, and begins one of rows, if there are any. */
static void write_flagged(const char *name, const struct buffer *flagged, struct buffer *out)
{
    const size_t *rows = (const size_t *)flagged->data;
    size_t count = flagged->length / sizeof *rows;
    if (count > 0)
        buffer_printf(out, "], \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s%zu", i > 0 ? ", " : "", rows[i]);
}

/* {"predictions": [1, 2]}, and "intervals": [[0.5, 1.5], [1, 3]]. */
static void write_lists(const struct predict *predict, struct buffer *out)
{
    const double *predictions = (const double *)predict->predictions.data;
    const double *halves = (const double *)predict->intervals.data;
    buffer_puts(out, "{\"predictions\": [");
    for (size_t i = 0; i < predicted(predict); i++) {
        buffer_puts(out, i > 0 ? ", " : "");
        json_write_number(out, predictions[i]);
    }
    if (predict->options.level > 0)
        buffer_puts(out, "], \"intervals\": [");
    for (size_t i = 0; predict->options.level > 0 && i < predicted(predict); i++) {
        buffer_puts(out, i > 0 ? ", " : "");
        write_interval(out, predictions[i], halves[i]);
    }
    for (size_t flag = 0; flag < FLAGS; flag++)
        write_flagged(flag_names[flag], &predict->flagged[flag], out);
    buffer_puts(out, "]}\n");
}

static void answer_many(struct predict *predict, bool lines)
{
    struct response *response = &predict->response;
    response_clear(response);
    model_headers(predict, response);
    if (lines) {
        response->content_type = "text/plain";
        write_lines(predict, &response->body);
    } else {
        write_lists(predict, &response->body);
    }
}

static double first_interval(const struct predict *predict)
{
    return predict->options.level > 0 ? *(const double *)predict->intervals.data : 0;
}

static bool predict_body(struct predict *predict, struct request *request, struct error *error)
{
    struct body body;
    buffer_clear(&predict->predictions);
    if (!read_query(predict, request->query, NULL, error))
        return false;
    bool ok = body_open(&body, request, error) &&
              (body.is_table ? predict_rows(predict, &body, error)
                             : predict_objects(predict, &body, error));
    bool single = !body.is_bulk && !body.json.any_array && predicted(predict) == 1;
    if (ok && single)
        answer_one(predict, *(const double *)predict->predictions.data, first_interval(predict));
    else if (ok)
        answer_many(predict, body.is_table);
    body_close(&body);
    return ok;
}

/* ------------------------------------------------------------------ routes */

/* The model as it is now. One look serves all requests of a round: each was there when the round
 * began, so that whatever its sender had been told before had been published before. */
static bool refresh(struct predict *predict, struct error *error)
{
    if (predict->looked)
        return true;
    if (!model_file_refresh(&predict->model, error)) {
        if (error->kind == ERROR_NOT_READY)
            unready_explain(predict->config->data_dir, error);
        return false;
    }
    const struct model *model = predict->model.model;
    snprintf(predict->headers, sizeof predict->headers,
             "X-Model-Version: %lld\r\nX-Model-Events: %lld\r\n", (long long)model->version,
             (long long)model->events);
    predict->looked = true;
    return true;
}

static int end_round(void *context)
{
    struct predict *predict = context;
    predict->looked = false;
    return -1;
}

static bool route_predict(struct predict *predict, struct request *request, struct error *error)
{
    if (!refresh(predict, error))
        return false;
    if (strcmp(request->method, "POST") == 0)
        return predict_body(predict, request, error);
    return predict_query(predict, request->query, error);
}

static void find_covariance(void *context, const char *name, const char *value)
{
    *(bool *)context |= strcmp(name, "_covariance") == 0 && strcmp(value, "1") == 0;
}

static bool route_model(struct predict *predict, struct request *request, struct error *error)
{
    bool covariance = false;
    if (!http_query(request->query, find_covariance, &covariance, error))
        return false;
    if (!refresh(predict, error)) {
        if (error->kind == ERROR_NOT_READY)
            error->kind = ERROR_ABSENT;
        return false;
    }
    const struct model *model = predict->model.model;
    if (covariance && !model->fit->inverse)
        return error_set(error, ERROR_UNUSABLE,
                         "there is a covariance of least squares, of %d features at most",
                         FIT_INVERSE_MAX);
    response_clear(&predict->response);
    if (covariance)
        model_write_covariance(model, &predict->response.body);
    else if (model_is_outdated(model))
        model_write(model, &predict->response.body);
    else
        buffer_append(&predict->response.body, predict->model.text.data,
                      predict->model.text.length);
    return true;
}

static bool route_readyz(struct predict *predict, struct request *request, struct error *error)
{
    (void)request;
    if (!refresh(predict, error))
        return false;
    response_clear(&predict->response);
    buffer_puts(&predict->response.body, "{\"status\": \"ready\"}\n");
    return true;
}

static void handle(void *context, struct request *request)
{
    static const struct {
        const char *path, *methods;
        bool (*route)(struct predict *, struct request *, struct error *);
    } routes[] = {{"/predict", "GET, HEAD, POST", route_predict},
                  {"/model", "GET, HEAD", route_model},
                  {"/readyz", "GET, HEAD", route_readyz}};
    struct predict *predict = context;
    struct error error;
    error_set(&error, ERROR_ABSENT, "there is no %.200s here", request->path);
    bool ok = false;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(request->path, routes[i].path) != 0)
            continue;
        ok = !http_method_allowed(request, routes[i].methods, &predict->response) ||
             routes[i].route(predict, request, &error);
        break;
    }
    if (!ok)
        response_error(&predict->response, &error);
    request->answer(request, &predict->response);
}

static void close_predict(void *context)
{
    struct predict *predict = context;
    model_file_free(&predict->model);
    binding_free(&predict->binding);
    flat_object_free(&predict->flat);
    buffer_free(&predict->predictions);
    buffer_free(&predict->intervals);
    buffer_free(&predict->contributions);
    for (size_t flag = 0; flag < FLAGS; flag++)
        buffer_free(&predict->flagged[flag]);
    buffer_free(&predict->response.body);
    free(predict);
}

bool predict_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct predict *predict = calloc(1, sizeof *predict);
    if (!predict)
        return error_memory(error);
    predict->config = config;
    if (!model_file_init(&predict->model, config->data_dir, error)) {
        free(predict);
        return false;
    }
    *handler = (struct handler){
        .context = predict, .request = handle, .turn = end_round, .close = close_predict};
    return true;
}
