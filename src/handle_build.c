/* POST /build: makes the next version of the model.
 *
 * A build answers all requests that had come when it began; those that come later wait for the
 * next one, so that each has learnt what was stored, and what the train file said, when it came. A
 * request whose client has hung up is forgotten; a build that nobody waits for is given up.
 *
 * Writing goes on meanwhile. To read what others have stored, to read the train file and to choose
 * the model take long, and are done without the lock. What came in the meantime is learnt after
 * each, again and again, until what is left takes some milliseconds and can be learnt while the
 * lock is held. */
#include "clock.h"
#include "handler.h"
#include "learn.h"
#include "model.h"
#include "store.h"

#include <stdlib.h>

enum {
    POLL_MS = 5, /* between tries for the lock */
    READ_MS = 1  /* between the pieces of what is to be read first */
};

struct waiting {
    struct request *request;
    struct waiting *next;
};

struct build {
    const struct config *config;
    struct store *store;     /* NULL until it can be opened */
    struct waiting *waiting; /* for the next build */
    struct waiting *served;  /* by the present one; NULL: there is none */
    size_t step;             /* of `steps` */
    int64_t since;           /* when it began to wait for the lock; 0: it does not */
    struct snapshot train;
    enum train_news news;
    struct chosen chosen;
    struct response response;
};

/* ------------------------------------------------------------------ requests */

static bool enqueue(struct build *build, struct request *request, struct error *error)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting)
        return error_memory(error);
    *waiting = (struct waiting){request, build->waiting};
    build->waiting = waiting;
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

static void answer(struct waiting **link, struct response *response)
{
    struct waiting *waiting = *link;
    *link = waiting->next;
    waiting->request->answer(waiting->request, response);
    free(waiting);
}

/* Nobody reads the answer, but the connection is free again. */
static void forget_gone(struct build *build, struct waiting **link)
{
    struct error gone;
    error_set(&gone, ERROR_BUSY, "the client has hung up");
    while (*link)
        if ((*link)->request->gone) {
            response_error(&build->response, &gone);
            answer(link, &build->response);
        } else {
            link = &(*link)->next;
        }
}

/* ------------------------------------------------------------------ the steps of a build */

static bool renew_terms(struct build *build, struct error *error)
{
    return store_renew_terms(build->store, error);
}

static bool read_train(struct build *build, struct error *error)
{
    return learn_read_train(build->store, build->config, &build->train, &build->news, error);
}

static bool take_train(struct build *build, struct error *error)
{
    if (!learn_take_train(build->store, build->config, &build->train, build->news, error))
        return false;
    build->news = TRAIN_SAME; /* should the step be taken again */
    return store_begin_terms(build->store, error);
}

static bool choose_model(struct build *build, struct error *error)
{
    return learn_choose(build->store, &build->chosen, error);
}

static bool publish(struct build *build, struct error *error)
{
    return learn_publish(build->store, &build->chosen, error);
}

/* One after the other. */
static const struct {
    bool (*run)(struct build *build, struct error *error);
    bool with_lock;
} steps[] = {{renew_terms, true},
             {read_train, false},
             {take_train, true},
             {choose_model, false},
             {publish, true}};

enum { STEPS = sizeof steps / sizeof *steps };

static bool run_step(struct build *build, struct error *error)
{
    bool with_lock = steps[build->step].with_lock;
    if (!with_lock)
        store_unlock(build->store);
    bool ok = steps[build->step].run(build, error);
    if (with_lock)
        store_unlock(build->store);
    return ok;
}

enum progress { DONE, FAILED, WAIT, READ, AGAIN };

/* A database that does not answer is found out before others have to wait for our lock. */
static bool ask_first(struct build *build, struct error *error)
{
    bool ignored;
    return build->step > 0 || build->since > 0 || store_has_news(build->store, &ignored, error);
}

/* Catches up, the most of it without the lock: AGAIN, with the lock held, when it has. */
static enum progress catch_up(struct build *build, struct error *error)
{
    if (!build->store && !(build->store = store_open(build->config, error)))
        return FAILED;
    int64_t waited = build->since > 0 ? clock_ms() - build->since : 0;
    store_limit_waits(build->store, REQUEST_PATIENCE_MS - waited);
    if (!ask_first(build, error))
        return FAILED;
    switch (store_lock(build->store, error)) {
    case LOCK_WAIT:
        return error->kind == ERROR_BEHIND ? READ : WAIT;
    case LOCK_ERROR:
        return FAILED;
    case LOCK_HELD:
        break;
    }
    if (store_catch_up(build->store, error))
        return AGAIN;
    store_unlock(build->store);
    return error->kind == ERROR_BEHIND ? READ : FAILED;
}

/* Takes the build a step further. */
static enum progress advance(struct build *build, struct error *error)
{
    enum progress progress = catch_up(build, error);
    if (progress != AGAIN)
        return progress;
    if (!run_step(build, error))
        return error->kind == ERROR_BEHIND ? READ : FAILED;
    build->step++;
    return build->step == STEPS ? DONE : AGAIN;
}

/* What is left of the last one, which may have been given up. */
static void clear(struct build *build)
{
    snapshot_free(&build->train);
    learn_drop(&build->chosen);
    build->step = 0;
    build->since = 0;
}

static void finish(struct build *build)
{
    while (build->served)
        answer(&build->served, &build->response);
}

static void finish_well(struct build *build)
{
    response_clear(&build->response);
    model_write(store_model(build->store), &build->response.body);
    finish(build);
}

static void finish_badly(struct build *build, const struct error *error)
{
    if (build->store)
        store_unlock(build->store); /* and leave the place in the queue */
    response_error(&build->response, error);
    finish(build);
}

static bool waits_too_long(struct build *build)
{
    build->since = build->since ? build->since : clock_ms();
    return clock_ms() - build->since >= LOCK_PATIENCE_MS;
}

static int turn(void *context)
{
    struct build *build = context;
    struct error error;
    forget_gone(build, &build->waiting);
    forget_gone(build, &build->served);
    if (!build->served) {
        if (build->store)
            store_unlock(build->store);
        clear(build);
        build->served = build->waiting;
        build->waiting = NULL;
    }
    if (!build->served)
        return -1;
    enum progress progress = advance(build, &error);
    if (progress == READ)
        return READ_MS;
    if (progress == WAIT && !waits_too_long(build))
        return POLL_MS;
    build->since = 0;
    if (progress == DONE)
        finish_well(build);
    else if (progress != AGAIN)
        finish_badly(build, &error);
    return 0;
}

static void free_all(struct waiting *waiting)
{
    while (waiting) {
        struct waiting *next = waiting->next;
        free(waiting);
        waiting = next;
    }
}

static void close_build(void *context)
{
    struct build *build = context;
    free_all(build->waiting);
    free_all(build->served);
    clear(build);
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
    *handler =
        (struct handler){.context = build, .request = handle, .turn = turn, .close = close_build};
    return true;
}
