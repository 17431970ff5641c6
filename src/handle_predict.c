/* GET and POST /predict, GET /model, GET /readyz: everything that only reads the current model. */
#include "binding.h"
#include "body.h"
#include "event_reader.h"
#include "flat_object.h"
#include "handler.h"
#include "json.h"
#include "model_file.h"
#include "number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREDICT_ROWS_MAX = 1000000 /* of one request: their predictions wait in memory */ };

enum { MODEL_HEADERS_MAX = 96 };

struct predict {
    struct model_file model;
    struct binding binding;
    struct flat_object flat;
    struct buffer predictions; /* doubles */
    struct response response;
    bool looked;                     /* at the model's file, in this round of the loop */
    char headers[MODEL_HEADERS_MAX]; /* of the model last looked at */
};

static void model_headers(const struct predict *predict, struct response *response)
{
    memcpy(response->headers, predict->headers, sizeof predict->headers);
}

static void answer_one(struct predict *predict, double prediction)
{
    struct response *response = &predict->response;
    response_clear(response);
    model_headers(predict, response);
    buffer_puts(&response->body, "{\"prediction\": ");
    json_write_number(&response->body, prediction);
    buffer_puts(&response->body, "}\n");
}

/* ------------------------------------------------------------------ GET /predict */

static void bind_text(void *context, const char *name, const char *value)
{
    static const enum binding_value kinds[] = {[NUMBER_OK] = BINDING_NUMBER,
                                               [NUMBER_INVALID] = BINDING_NOT_A_NUMBER,
                                               [NUMBER_TOO_LARGE] = BINDING_TOO_LARGE};
    double number = 0;
    enum number_result result = number_parse(value, strlen(value), &number);
    binding_value(context, name, kinds[result], number);
}

static bool predict_query(struct predict *predict, const char *query, struct error *error)
{
    struct binding *binding = &predict->binding;
    const struct model *model = predict->model.model;
    double prediction;
    if (!binding_begin(binding, model->schema, false, error) ||
        !http_query(query, bind_text, binding, error) || !binding_end(binding, error) ||
        !model_predict(model, binding->row, &prediction, error))
        return false;
    answer_one(predict, prediction);
    return true;
}

/* ------------------------------------------------------------------ POST /predict */

/* Puts where in the body it went wrong before what went wrong. */
static bool at_index(struct error *error, size_t index)
{
    struct error what = *error;
    return error_set(error, what.kind, "at index %zu: %.450s", index, what.text);
}

static size_t predicted(const struct predict *predict)
{
    return predict->predictions.length / sizeof(double);
}

static bool keep_prediction(struct predict *predict, const double *row, struct error *error)
{
    double prediction;
    if (predicted(predict) == PREDICT_ROWS_MAX)
        return error_set(error, ERROR_TOO_LARGE, "more than %d rows in one request",
                         PREDICT_ROWS_MAX);
    if (!model_predict(predict->model.model, row, &prediction, error))
        return false;
    buffer_append(&predict->predictions, &prediction, sizeof prediction);
    return !predict->predictions.failed || error_memory(error);
}

static bool predict_object(struct predict *predict, const char *text, size_t length,
                           struct error *error)
{
    struct binding *binding = &predict->binding;
    struct json *object = json_parse(text, length, error);
    if (!object)
        return false;
    bool ok = json_kind(object) == JSON_OBJECT ||
              error_set(error, ERROR_UNUSABLE, "a row must be a JSON object of named numbers");
    if (ok && (ok = binding_begin(binding, predict->model.model->schema, false, error)))
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
    if (!binding_begin(&predict->binding, schema, false, error))
        return false;
    for (size_t i = 0; i < table_columns(table); i++) {
        const char *name = table_column_name(table, i);
        binding_value(&predict->binding, name, BINDING_NUMBER, 0);
        place[i] = (size_t)schema_find(schema, name);
    }
    return binding_end(&predict->binding, error);
}

static bool predict_rows(struct predict *predict, struct body *body, struct error *error)
{
    struct table *table = body->table;
    size_t place[TABLE_COLUMNS_MAX];
    double cells[TABLE_COLUMNS_MAX];
    double *row = predict->binding.row;
    enum table_result result;
    if (!place_columns(predict, table, place, error))
        return false;
    row = predict->binding.row;
    while ((result = table_next(table, cells, error)) == TABLE_ROW) {
        for (size_t i = 0; i < table_columns(table); i++)
            row[place[i]] = cells[i];
        if (!keep_prediction(predict, row, error))
            return at_index(error, predicted(predict));
    }
    return result == TABLE_END && (predicted(predict) > 0 || body_no_rows(error));
}

/* {"predictions": [1, 2]} for JSON, one a line for a table. */
static void answer_many(struct predict *predict, bool lines)
{
    struct response *response = &predict->response;
    const double *predictions = (const double *)predict->predictions.data;
    response_clear(response);
    model_headers(predict, response);
    if (lines)
        response->content_type = "text/plain";
    else
        buffer_puts(&response->body, "{\"predictions\": [");
    for (size_t i = 0; i < predicted(predict); i++) {
        if (i > 0 && !lines)
            buffer_puts(&response->body, ", ");
        json_write_number(&response->body, predictions[i]);
        if (lines)
            buffer_puts(&response->body, "\n");
    }
    if (!lines)
        buffer_puts(&response->body, "]}\n");
}

static bool predict_body(struct predict *predict, struct request *request, struct error *error)
{
    struct body body;
    buffer_clear(&predict->predictions);
    bool ok = body_open(&body, request, error) &&
              (body.is_table ? predict_rows(predict, &body, error)
                             : predict_objects(predict, &body, error));
    bool single = !body.is_bulk && !body.json.any_array && predicted(predict) == 1;
    if (ok && single)
        answer_one(predict, *(const double *)predict->predictions.data);
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
    if (!model_file_refresh(&predict->model, error))
        return false;
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

static bool route_model(struct predict *predict, struct request *request, struct error *error)
{
    (void)request;
    if (!refresh(predict, error)) {
        if (error->kind == ERROR_NOT_READY)
            error->kind = ERROR_ABSENT;
        return false;
    }
    response_clear(&predict->response);
    buffer_append(&predict->response.body, predict->model.text.data, predict->model.text.length);
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
    buffer_free(&predict->response.body);
    free(predict);
}

bool predict_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct predict *predict = calloc(1, sizeof *predict);
    if (!predict)
        return error_memory(error);
    if (!model_file_init(&predict->model, config->data_dir, error)) {
        free(predict);
        return false;
    }
    *handler = (struct handler){
        .context = predict, .request = handle, .turn = end_round, .close = close_predict};
    return true;
}
