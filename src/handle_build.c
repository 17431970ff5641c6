/* POST /build: makes the next version of the model. */
#include "clock.h"
#include "handler.h"
#include "learn.h"
#include "model.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

enum { POLL_MS = 5 };

/* Requests queue up; the first is being worked on. Its steps: catch up (to know what train file has
 * been learnt), read the train file without the lock, then lock again and build. */
struct waiting {
    struct request *request;
    struct waiting *next;
};

struct build {
    const struct config *config;
    struct store *store; /* NULL until it can be opened */
    bool ahead;          /* it has learnt what there was at the start */
    struct waiting *first, **last;
    int64_t since; /* when the first began to wait, for database or lock; 0: it has not yet */
    bool train_read;
    struct snapshot train;
    enum train_news news;
    struct response response;
};

static void finish_first(struct build *build)
{
    struct waiting *waiting = build->first;
    build->first = waiting->next;
    if (!build->first)
        build->last = &build->first;
    snapshot_free(&build->train);
    build->train_read = false;
    build->since = 0;
    waiting->request->answer(waiting->request, &build->response);
    free(waiting);
}

static bool enqueue(struct build *build, struct request *request, struct error *error)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting)
        return error_memory(error);
    waiting->request = request;
    *build->last = waiting;
    build->last = &waiting->next;
    return true;
}

static void handle(void *context, struct request *request)
{
    struct build *build = context;
    struct error error;
    bool ok = http_method_allowed(request, "POST", &build->response);
    if (ok) {
        if (enqueue(build, request, &error)) /* a body is ignored */
            return;
        response_error(&build->response, &error);
    }
    request->answer(request, &build->response);
}

/* With the lock held. */
static bool build_model(struct build *build, struct error *error)
{
    if (!learn_take_train(build->store, build->config, &build->train, build->news, error) ||
        !learn_build(build->store, error))
        return false;
    struct error late;
    if (!store_snapshot(build->store, &late)) /* it only makes the next start slower */
        fprintf(stderr, "build: %s\n", late.text);
    response_clear(&build->response);
    model_write(store_model(build->store), &build->response.body);
    return true;
}

static bool open_store(struct build *build, struct error *error)
{
    if (!build->store)
        build->store = store_open(build->config, error);
    if (build->store && !build->ahead)
        build->ahead = store_learn_ahead(build->store, error);
    return build->ahead;
}

enum progress { DONE, WAIT, AGAIN };

/* A database that does not answer is found out before others have to wait for our lock. */
static bool begin_waiting(struct build *build, struct error *error)
{
    bool ignored;
    build->since = clock_ms();
    store_limit_waits(build->store, REQUEST_PATIENCE_MS);
    return store_has_news(build->store, &ignored, error);
}

/* Takes the first request as far as it goes without waiting. */
static enum progress advance(struct build *build, struct error *error)
{
    if (!open_store(build, error))
        return DONE;
    if (build->since == 0 && !begin_waiting(build, error))
        return DONE;
    switch (store_lock(build->store, error)) {
    case LOCK_WAIT:
        return WAIT;
    case LOCK_ERROR:
        return DONE;
    case LOCK_HELD:
        break;
    }
    store_limit_waits(build->store, REQUEST_PATIENCE_MS - (clock_ms() - build->since));
    if (!store_catch_up(build->store, error)) {
        store_unlock(build->store);
        return DONE;
    }
    if (build->train_read) {
        bool ok = build_model(build, error);
        error->kind = ok ? ERROR_NONE : error->kind;
        store_unlock(build->store);
        return DONE;
    }
    bool renewed = store_renew_terms(build->store, error);
    store_unlock(build->store);
    if (!renewed)
        return DONE;
    build->train_read =
        learn_read_train(build->store, build->config, &build->train, &build->news, error);
    return build->train_read ? AGAIN : DONE;
}

static int turn(void *context)
{
    struct build *build = context;
    while (build->first) {
        struct error error = {.kind = ERROR_NONE};
        enum progress progress = advance(build, &error);
        if (progress == AGAIN) {
            build->since = 0;
            continue;
        }
        if (progress == WAIT) {
            if (clock_ms() - build->since < LOCK_PATIENCE_MS)
                return POLL_MS;
            store_unlock(build->store);
            error_set(&error, ERROR_BUSY, LOCK_BUSY_TEXT);
        }
        if (error.kind != ERROR_NONE)
            response_error(&build->response, &error);
        finish_first(build);
    }
    return -1;
}

static void close_build(void *context)
{
    struct build *build = context;
    while (build->first) {
        struct waiting *next = build->first->next;
        free(build->first);
        build->first = next;
    }
    snapshot_free(&build->train);
    store_close(build->store);
    buffer_free(&build->response.body);
    free(build);
}

bool build_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct build *build = calloc(1, sizeof *build);
    if (!build)
        return error_memory(error);
    build->config = config;
    build->last = &build->first;
    *handler =
        (struct handler){.context = build, .request = handle, .turn = turn, .close = close_build};
    return true;
}
