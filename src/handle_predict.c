/* GET and POST /predict, GET /model, GET /readyz: everything that only reads the current model.
 *
 * What is short is answered at once. The bodies of POST /predict go on by turns, in two lanes: long
 * ones never keep short ones waiting for more than a slice of time, nor those anyone else. A few of
 * each lane are begun; the others wait unread, so that any number takes little memory. */
#include "binding.h"
#include "clock.h"
#include "config.h"
#include "handler.h"
#include "model_file.h"
#include "prediction_body.h"
#include "prediction_query.h"
#include "spool.h"
#include "unready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHORT_BODY = 64 << 10, /* bytes */
    BEGUN_MAX = 4,         /* bodies of a lane that are being predicted */
    SLICE_US = 2000,       /* of a turn, for a lane */
    LOOK_MS = 100          /* how often a body is looked at that does not come */
};

/* A body that has not been begun. */
struct waiting {
    struct request *request;
    struct waiting *next;
};

struct lane {
    struct waiting *first, **last;
    struct prediction_body *begun[BEGUN_MAX]; /* the first is next */
    size_t count;
};

struct predict {
    const struct config *config;
    struct model_file model;
    struct prediction_room room;
    struct buffer explanation;
    struct lane brief, lengthy;
    struct response response;
    bool looked;                     /* at the model's file, in this round of the loop */
    char headers[MODEL_HEADERS_MAX]; /* of the model last looked at */
};

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

/* ------------------------------------------------------------------ GET /predict */

static bool predict_query(struct predict *predict, const char *query, struct error *error)
{
    const struct model *model = predict->model.model;
    struct binding *binding = &predict->room.binding;
    struct prediction_options options;
    struct prediction prediction;
    binding->known = model->predictor->encoding;
    binding->missing_allowed = predict->config->missing_allowed;
    binding->unseen_allowed = predict->config->unseen_allowed;
    buffer_clear(&predict->explanation);
    if (!binding_begin(binding, model->schema, false, error) ||
        !prediction_query(query, model, binding, &options, error) || !binding_end(binding, error) ||
        !prediction_make(model, &options, binding->row, &prediction, error) ||
        (options.explained &&
         !prediction_explain(model, binding->row, &predict->explanation, error)))
        return false;
    response_clear(&predict->response);
    memcpy(predict->response.headers, predict->headers, sizeof predict->headers);
    prediction_write(&prediction, &options, &predict->explanation, &predict->response.body);
    return true;
}

/* ------------------------------------------------------------------ POST /predict */

static void begin(struct predict *predict, struct lane *lane, struct request *request)
{
    struct error error;
    struct prediction_body *body =
        refresh(predict, &error)
            ? prediction_body_new(request, predict->config, predict->model.model, predict->headers,
                                  &predict->room, &error)
            : NULL;
    if (body) {
        lane->begun[lane->count++] = body;
        return;
    }
    response_error(&predict->response, &error);
    request->answer(request, &predict->response);
}

static bool has_room(const struct lane *lane)
{
    return lane->count < BEGUN_MAX;
}

/* Begins a body, or lets it wait. */
static bool enqueue(struct predict *predict, struct request *request, struct error *error)
{
    bool is_short = request->content_length <= SHORT_BODY;
    struct lane *lane = is_short ? &predict->brief : &predict->lengthy;
    if (!lane->first && has_room(lane)) {
        begin(predict, lane, request);
        return true;
    }
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting)
        return error_memory(error);
    *waiting = (struct waiting){.request = request};
    *lane->last = waiting;
    lane->last = &waiting->next;
    return true;
}

static struct request *take_waiting(struct lane *lane)
{
    struct waiting *waiting = lane->first;
    struct request *request = waiting->request;
    lane->first = waiting->next;
    if (!lane->first)
        lane->last = &lane->first;
    free(waiting);
    return request;
}

static void begin_waiting(struct predict *predict, struct lane *lane)
{
    while (lane->first && has_room(lane))
        begin(predict, lane, take_waiting(lane));
}

static struct prediction_body *take_begun(struct lane *lane)
{
    struct prediction_body *first = lane->begun[0];
    memmove(lane->begun, lane->begun + 1, --lane->count * sizeof *lane->begun);
    return first;
}

/* `error`: what has become of it. */
static void end_body(struct predict *predict, struct prediction_body *body, struct error *error)
{
    struct request *request = prediction_body_request(body);
    if (error->kind != ERROR_NONE || !prediction_body_answer(body, &predict->response, error))
        response_error(&predict->response, error);
    prediction_body_free(body);
    request->answer(request, &predict->response);
}

/* Lets the bodies of a lane go on, each as far as it comes. Returns in how many milliseconds it
 * wants to be called again, or -1. */
static int run_lane(struct predict *predict, struct lane *lane)
{
    int64_t until = clock_us() + SLICE_US;
    size_t waits = 0; /* how many in a row do not come */
    for (;;) {
        begin_waiting(predict, lane);
        if (waits == lane->count)
            return lane->count > 0 ? LOOK_MS : -1;
        struct error error = {.kind = ERROR_NONE};
        struct prediction_body *body = take_begun(lane);
        bool later = !prediction_body_go_on(body, until, &error) && error.kind == ERROR_LATER;
        if (later)
            lane->begun[lane->count++] = body;
        else
            end_body(predict, body, &error);
        waits = later ? waits + 1 : 0;
        if (clock_us() >= until)
            return lane->count > 0 || lane->first ? 0 : -1;
    }
}

static int turn(void *context)
{
    struct predict *predict = context;
    int wait = -1;
    struct lane *lanes[] = {&predict->brief, &predict->lengthy};
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        int again = lanes[i]->first || lanes[i]->count > 0 ? run_lane(predict, lanes[i]) : -1;
        wait = wait < 0 || (again >= 0 && again < wait) ? again : wait;
    }
    predict->looked = false;
    return wait;
}

/* ------------------------------------------------------------------ routes */

enum routed { ROUTE_ANSWERED, ROUTE_KEPT, ROUTE_FAILED };

static enum routed route_predict(struct predict *predict, struct request *request,
                                 struct error *error)
{
    if (strcmp(request->method, "POST") == 0)
        return enqueue(predict, request, error) ? ROUTE_KEPT : ROUTE_FAILED;
    return refresh(predict, error) && predict_query(predict, request->query, error) ? ROUTE_ANSWERED
                                                                                    : ROUTE_FAILED;
}

static void find_covariance(void *context, const char *name, const char *value)
{
    *(bool *)context |= strcmp(name, "_covariance") == 0 && strcmp(value, "1") == 0;
}

static enum routed route_model(struct predict *predict, struct request *request,
                               struct error *error)
{
    bool covariance = false;
    if (!http_query(request->query, find_covariance, &covariance, error))
        return ROUTE_FAILED;
    if (!refresh(predict, error)) {
        if (error->kind == ERROR_NOT_READY)
            error->kind = ERROR_ABSENT;
        return ROUTE_FAILED;
    }
    const struct model *model = predict->model.model;
    if (covariance && !model->fit->inverse) {
        error_set(error, ERROR_UNUSABLE,
                  "there is a covariance of least squares, of %d features at most",
                  FIT_INVERSE_MAX);
        return ROUTE_FAILED;
    }
    response_clear(&predict->response);
    if (covariance)
        model_write_covariance(model, &predict->response.body);
    else if (model_is_outdated(model))
        model_write(model, &predict->response.body);
    else
        buffer_append(&predict->response.body, predict->model.text.data,
                      predict->model.text.length);
    return ROUTE_ANSWERED;
}

static enum routed route_readyz(struct predict *predict, struct request *request,
                                struct error *error)
{
    (void)request;
    if (!refresh(predict, error))
        return ROUTE_FAILED;
    response_clear(&predict->response);
    buffer_puts(&predict->response.body, "{\"status\": \"ready\"}\n");
    return ROUTE_ANSWERED;
}

static void handle(void *context, struct request *request)
{
    static const struct {
        const char *path, *methods;
        enum routed (*route)(struct predict *, struct request *, struct error *);
    } routes[] = {{"/predict", "GET, HEAD, POST", route_predict},
                  {"/model", "GET, HEAD", route_model},
                  {"/readyz", "GET, HEAD", route_readyz}};
    struct predict *predict = context;
    struct error error;
    error_set(&error, ERROR_ABSENT, "there is no %.200s here", request->path);
    enum routed routed = ROUTE_FAILED;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(request->path, routes[i].path) != 0)
            continue;
        routed = http_method_allowed(request, routes[i].methods, &predict->response)
                     ? routes[i].route(predict, request, &error)
                     : ROUTE_ANSWERED;
        break;
    }
    if (routed == ROUTE_FAILED)
        response_error(&predict->response, &error);
    if (routed != ROUTE_KEPT)
        request->answer(request, &predict->response);
}

static void close_lane(struct lane *lane)
{
    while (lane->first)
        take_waiting(lane);
    while (lane->count > 0)
        prediction_body_free(take_begun(lane));
}

static void close_predict(void *context)
{
    struct predict *predict = context;
    close_lane(&predict->brief);
    close_lane(&predict->lengthy);
    spool_file_close(&predict->room.file);
    model_file_free(&predict->model);
    binding_free(&predict->room.binding);
    buffer_free(&predict->explanation);
    buffer_free(&predict->response.body);
    free(predict);
}

/* Predictions must never be why events find no room: they leave twice as much. */
static void open_spool_file(struct predict *predict)
{
    uint64_t min_free = predict->config->min_free;
    spool_file_open(&predict->room.file, predict->config->data_dir,
                    min_free < UINT64_MAX / 4 ? 2 * min_free : UINT64_MAX / 2);
}

bool predict_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct predict *predict = calloc(1, sizeof *predict);
    if (!predict)
        return error_memory(error);
    predict->config = config;
    predict->brief.last = &predict->brief.first;
    predict->lengthy.last = &predict->lengthy.first;
    if (!model_file_init(&predict->model, config->data_dir, error)) {
        free(predict);
        return false;
    }
    open_spool_file(predict);
    *handler = (struct handler){
        .context = predict, .request = handle, .turn = turn, .close = close_predict};
    return true;
}
