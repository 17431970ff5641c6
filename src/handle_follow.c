/* Follows the store: learns what other replicas have written, and publishes the model for this
 * one's predict processes. It is asked nothing; it looks by itself. So it also keeps the sums for
 * those who start later, in the time between two looks. */
#include "clock.h"
#include "handler.h"
#include "learn.h"
#include "store.h"
#include "unready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 200, /* between two looks: well within the second that is promised */
    POLL_MS = 5,   /* between tries for the lock */
    CLOSE_MS = 500 /* for what is left to do at the end */
};

struct follow {
    const struct config *config;
    struct store *store; /* NULL until it can be opened */
    bool has_news;       /* they are to be taken when the lock is had */
    struct response response;
    bool has_said;
    int64_t next_look;   /* by clock_ms */
    struct error said;   /* the trouble that was told last; ERROR_NONE: none since it went well */
    struct error unkept; /* why the sums were not kept, as it was told last */
};

/* Whether it is worth the lock, which action must not have to wait for while we wait for the
 * database. */
static bool find_news(struct follow *follow, struct error *error)
{
    if (!follow->store && !(follow->store = store_open(follow->config, error)))
        return false;
    return follow->has_news || store_has_news(follow->store, &follow->has_news, error);
}

static bool take_news(struct follow *follow, struct error *error)
{
    store_expect_more(follow->store, true); /* whoever stores them knows whether that is so */
    return store_catch_up(follow->store, error) &&
           learn_update(follow->store, follow->config, error);
}

/* Once for each trouble, however long it lasts; predict has to know it where it has no model. */
static void tell(struct follow *follow, const struct error *error)
{
    if (follow->has_said && strcmp(follow->said.text, error->text) == 0)
        return;
    if (error->kind != ERROR_NONE)
        fprintf(stderr, "follow: %s%s\n", error->text, error->detail);
    unready_tell(follow->config->data_dir, error->kind != ERROR_NONE ? error->text : NULL);
    follow->said = *error;
    follow->has_said = true;
}

/* False: the lock is to be tried again. */
static bool look(struct follow *follow)
{
    struct error error = {.kind = ERROR_NONE};
    enum lock_result lock = LOCK_ERROR;
    bool ok = find_news(follow, &error);
    if (ok && follow->has_news) {
        lock = store_lock(follow->store, &error);
        if (lock == LOCK_WAIT)
            return false;
        follow->has_news = false;
        ok = lock == LOCK_HELD && take_news(follow, &error);
    }
    if (lock == LOCK_HELD)
        store_unlock(follow->store);
    if (ok)
        error = (struct error){.kind = ERROR_NONE};
    tell(follow, &error);
    return true;
}

/* The store tries again by itself, after a while; what is told once is not told again. */
static void tell_unkept(struct follow *follow, const struct error *error)
{
    if (strcmp(follow->unkept.text, error->text) != 0)
        fprintf(stderr, "follow: the sums are not kept, so that starts take longer: %s\n",
                error->text);
    follow->unkept = *error;
    follow->next_look = clock_ms() + LOOK_MS;
}

/* A part of the sums; in how many milliseconds to go on with it. It leaves as much time to others
 * as it took. */
static int keep(struct follow *follow)
{
    struct error error;
    bool more;
    int64_t began = clock_ms();
    if (!store_keep(follow->store, &more, &error))
        tell_unkept(follow, &error);
    return more ? (int)(clock_ms() - began) : LOOK_MS;
}

static int turn(void *context)
{
    struct follow *follow = context;
    if (clock_ms() >= follow->next_look) {
        if (!look(follow))
            return POLL_MS;
        follow->next_look = clock_ms() + LOOK_MS;
    }
    int rest = follow->said.kind == ERROR_NONE ? keep(follow) : LOOK_MS;
    int64_t left = follow->next_look - clock_ms();
    return left < 0 ? 0 : left < rest ? (int)left : rest;
}

static void refuse(void *context, struct request *request)
{
    struct follow *follow = context;
    struct error error;
    error_set(&error, ERROR_ABSENT, "there is no such page");
    response_error(&follow->response, &error);
    request->answer(request, &follow->response);
}

/* As far as there is time for: it saves the next start the reading. */
static void keep_rest(struct follow *follow)
{
    struct error error;
    bool more = true;
    for (int64_t end = clock_ms() + CLOSE_MS; more && clock_ms() < end;)
        if (!store_keep(follow->store, &more, &error))
            return;
}

static void close_follow(void *context)
{
    struct follow *follow = context;
    if (follow->store && follow->said.kind == ERROR_NONE)
        keep_rest(follow);
    store_close(follow->store);
    buffer_free(&follow->response.body);
    free(follow);
}

bool follow_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct follow *follow = calloc(1, sizeof *follow);
    if (!follow)
        return error_memory(error);
    follow->config = config;
    *handler =
        (struct handler){.context = follow, .request = refuse, .turn = turn, .close = close_follow};
    return true;
}
