/* POST /action: stores events and learns them, many requests at a time.
 *
 * The loop hands over every request that is ready; a turn then takes events from them into one
 * batch, makes it durable by one write and one fdatasync, learns it, publishes the model once, and
 * answers those whose body has ended. A turn is short (pace.h): a long body goes over many, so that
 * it neither fills the memory nor keeps others waiting, and short ones go first. While one batch is
 * being synced the next gathers in the sockets by itself. */
#include "clock.h"
#include "handler.h"
#include "intake.h"
#include "json.h"
#include "learn.h"
#include "pace.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 2,           /* between tries for the lock */
    READ_MS = 1,           /* between the pieces of what is to be read first */
    RETRY_MS = 200,        /* between tries to do what the disk refused: unpublished, unsettled */
    LOOK_MS = 100,         /* how often a body is looked at that does not come */
    SMALL_BODY = 4 << 10,  /* bytes, of which any number may be in memory */
    BEGUN_MAX = 16,        /* other bodies that are being read */
    EVENTS_A_TURN = 16384, /* of all requests together, however quick they are */
    EVENTS_A_VISIT = 16,   /* of one request, before the next one has its turn */
    EVENTS_A_LOOK = 4,     /* at the clock */
    BATCH_BYTES = 4 << 20, /* of journal text: a batch is closed when it has so many */
    PUBLISH_SHARE = 10, /* of the time publishing may take 1 / so much where no one waits for it */
    ERRORS_MAX = 100,   /* told in one answer */
    ANSWER_MAX = 128 << 10 /* bytes of the longest answer */
};

/* Counts of one request's events that are certain. */
struct counts {
    int64_t accepted, duplicates, rejected, first_seq, last_seq;
};

/* An event of the open batch; what becomes of it is known once that is durable. */
struct taken {
    size_t index;  /* in the request */
    size_t ticket; /* the store's, or NO_TICKET: it was refused at once */
};
#define NO_TICKET SIZE_MAX

/* A request whose body has not been taken in whole, or not been made durable. Its body is read only
 * in a turn that takes events from it, so that any number of requests may wait in little memory. */
struct action_request {
    struct request *request;
    struct event_reader reader;
    bool reading; /* the reader has been begun, */
    bool opened;  /* and opened */
    struct counts counts;
    struct buffer taken;    /* struct taken */
    struct buffer refusals; /* struct error: why events were refused at once, the first ones */
    size_t fetched;         /* events so far, good and bad */
    struct buffer errors;   /* the elements of the answer's "errors" */
    size_t error_count;
    struct error last_error; /* why the last event was rejected */
    int64_t waiting_since;
    bool ended;          /* no more events will come: answer after the commit */
    bool single;         /* the body was one object, not an array or the like */
    struct error broken; /* why the rest of the body could not be read; ERROR_NONE: it could */
    struct action_request *next;
};

/* In the order of their turns. */
struct queue {
    struct action_request *first, **last;
};

/* What is new goes first, for a few events; what has more goes on in turn, for the time that is
 * left.
 */
enum { FRESH, BEGUN, QUEUES };

struct action {
    const struct config *config;
    struct store *store; /* NULL until it can be opened */
    struct queue queues[QUEUES];
    struct pace pace;
    size_t taken;        /* events, in this turn */
    int64_t began;       /* clock_us: taking them, */
    int64_t began_cpu;   /* clock_cpu_us */
    int64_t publish_due; /* clock_us: not before, unless someone waits for it */
    bool behind;         /* the model is behind the journal, which has been said */
    bool unpublished;    /* there is more to publish, or that failed */
    bool unsettled;      /* the lock is kept, because a failed batch could not be cut off */
    bool reading; /* what is stored is still to be read, whether or not anybody waits for it */
    struct response response;
};

/* ------------------------------------------------------------------ taking requests */

static void free_request(struct action_request *pending)
{
    if (pending->reading)
        event_reader_close(&pending->reader);
    buffer_free(&pending->taken);
    buffer_free(&pending->refusals);
    buffer_free(&pending->errors);
    free(pending);
}

static void push(struct queue *queue, struct action_request *pending)
{
    pending->next = NULL;
    *queue->last = pending;
    queue->last = &pending->next;
}

/* Takes the one at *link off its queue. */
static struct action_request *take_off(struct queue *queue, struct action_request **link)
{
    struct action_request *pending = *link;
    *link = pending->next;
    if (!*link)
        queue->last = link;
    return pending;
}

static bool has_requests(const struct action *action)
{
    return action->queues[FRESH].first || action->queues[BEGUN].first;
}

static bool enqueue(struct action *action, struct request *request, struct error *error)
{
    struct action_request *pending = calloc(1, sizeof *pending);
    if (!pending)
        return error_memory(error);
    pending->request = request;
    pending->waiting_since = clock_ms();
    push(&action->queues[FRESH], pending);
    return true;
}

static void handle(void *context, struct request *request)
{
    struct action *action = context;
    struct error error;
    bool ok = http_method_allowed(request, "POST", &action->response);
    if (ok) {
        if (enqueue(action, request, &error))
            return;
        response_error(&action->response, &error);
    }
    request->answer(request, &action->response);
}

/* ------------------------------------------------------------------ answers */

static void write_counts(struct buffer *out, const struct action_request *pending)
{
    const struct counts *counts = &pending->counts;
    buffer_printf(out, "\"accepted\": %lld, \"duplicates\": %lld, \"rejected\": %lld",
                  (long long)counts->accepted, (long long)counts->duplicates,
                  (long long)counts->rejected);
    if (counts->accepted > 0)
        buffer_printf(out, ", \"first_seq\": %lld, \"last_seq\": %lld",
                      (long long)counts->first_seq, (long long)counts->last_seq);
    else
        buffer_puts(out, ", \"first_seq\": null, \"last_seq\": null");
    buffer_puts(out, ", \"errors\": [");
    buffer_append(out, pending->errors.data, pending->errors.length);
    buffer_puts(out, "]}\n");
}

static void respond_single(const struct action_request *pending, struct response *response)
{
    const struct counts *counts = &pending->counts;
    if (counts->rejected > 0) {
        response_error(response, &pending->last_error);
        return;
    }
    response_clear(response);
    response->status = counts->duplicates > 0 ? 200 : 201;
    buffer_printf(&response->body, "{\"seq\": %lld%s}\n", (long long)counts->last_seq,
                  counts->duplicates > 0 ? ", \"duplicate\": true" : "");
}

static void respond_bulk(const struct action_request *pending, struct response *response)
{
    response_clear(response);
    buffer_puts(&response->body, "{");
    write_counts(&response->body, pending);
}

/* The request ends early. What was stored before is told, for whoever sends the rest again. */
static void respond_failed(const struct action_request *pending, const struct error *error,
                           struct response *response)
{
    response_error(response, error);
    if (pending->counts.accepted + pending->counts.duplicates + pending->counts.rejected == 0)
        return;
    buffer_clear(&response->body);
    buffer_puts(&response->body, "{\"error\": ");
    json_write_string(&response->body, error->text, strlen(error->text));
    buffer_puts(&response->body, ", ");
    write_counts(&response->body, pending);
}

/* Answers the request at *link and takes it off its queue. `failure` (NULL: none) is why its batch
 * was not stored. */
static void finish(struct action *action, struct queue *queue, struct action_request **link,
                   const struct error *failure)
{
    struct action_request *pending = take_off(queue, link);
    if (failure)
        respond_failed(pending, failure, &action->response);
    else if (pending->broken.kind != ERROR_NONE)
        respond_failed(pending, &pending->broken, &action->response);
    else if (pending->single)
        respond_single(pending, &action->response);
    else
        respond_bulk(pending, &action->response);
    pending->request->answer(pending->request, &action->response);
    free_request(pending);
}

static void finish_all(struct action *action, const struct error *failure)
{
    for (struct queue *queue = action->queues; queue < action->queues + QUEUES; queue++)
        while (queue->first)
            finish(action, queue, &queue->first, failure);
}

/* ------------------------------------------------------------------ taking events */

/* take_events made room. */
static void take(struct action_request *pending, size_t ticket)
{
    struct taken taken = {.index = pending->fetched - 1, .ticket = ticket};
    buffer_append(&pending->taken, &taken, sizeof taken);
}

static void refuse(struct action_request *pending, const struct error *error)
{
    take(pending, NO_TICKET);
    if (pending->refusals.length < ERRORS_MAX * sizeof *error)
        buffer_append(&pending->refusals, error, sizeof *error);
}

/* Puts an event into the open batch. */
static void add(struct action *action, struct action_request *pending, const struct event *event)
{
    struct error error;
    size_t ticket;
    if (store_add(action->store, event, &ticket, &error))
        take(pending, ticket);
    else
        refuse(pending, &error);
}

/* The reader's memory is not needed until the answer. */
static void end_reading(struct action_request *pending)
{
    pending->ended = true;
    pending->single = event_reader_is_single(&pending->reader, pending->fetched);
    event_reader_close(&pending->reader);
    pending->reading = false;
}

/* False: there is nothing to take from it, now or ever. */
static bool begin_reading(struct action_request *pending)
{
    struct error error;
    if (!pending->reading)
        event_reader_begin(&pending->reader, pending->request);
    pending->reading = true;
    pending->opened = event_reader_open(&pending->reader, &error);
    if (pending->opened || error.kind == ERROR_LATER)
        return pending->opened;
    pending->broken = error;
    end_reading(pending);
    return false;
}

/* Takes the next event, or the end, of a body that is being read. False: neither has come yet. */
static bool take_event(struct action *action, struct action_request *pending)
{
    struct event event;
    struct error error;
    switch (intake_next(action->store, &pending->reader, &event, &error)) {
    case EVENT_FETCHED:
        pending->fetched++;
        add(action, pending, &event);
        return true;
    case EVENT_REFUSED:
        pending->fetched++;
        refuse(pending, &error);
        return true;
    case EVENT_BROKEN:
        if (error.kind == ERROR_LATER)
            return false;
        pending->broken = error;
        break;
    case EVENT_END:
        break;
    }
    end_reading(pending);
    return true;
}

/* Has this turn as much as it may take, which is for `budget` microseconds of a processor's time?
 * It costs more to ask for that than for the time, which is as long at least. */
static bool is_full(const struct action *action, int64_t budget)
{
    int64_t left = budget - pace_of(&action->pace, action->taken);
    return action->taken >= EVENTS_A_TURN || store_batch_is_full(action->store) ||
           store_batch_bytes(action->store) >= BATCH_BYTES ||
           (clock_us() - action->began >= left && clock_cpu_us() - action->began_cpu >= left);
}

/* Takes a few events of one request into the open batch, and its end if it comes then. False: there
 * is no more of it now. */
static bool visit(struct action *action, struct action_request *pending, int64_t budget)
{
    if (!buffer_reserve(&pending->taken, EVENTS_A_VISIT * sizeof(struct taken))) {
        pending->taken.failed = false; /* it may go better in the next turn */
        return false;
    }
    pending->reader.body.until = action->began + budget;
    if (!pending->opened && !begin_reading(pending))
        return false;
    for (size_t taken = 0; taken < EVENTS_A_VISIT && !pending->ended; taken++) {
        if (!take_event(action, pending))
            return false;
        action->taken += !pending->ended;
        if (store_batch_is_full(action->store) ||
            (taken % EVENTS_A_LOOK == EVENTS_A_LOOK - 1 && is_full(action, budget)))
            break;
    }
    return !pending->ended;
}

static bool is_small(const struct action_request *pending)
{
    return pending->request->content_length <= SMALL_BODY;
}

static void visit_fresh(struct action *action, int64_t budget)
{
    struct queue *fresh = &action->queues[FRESH], *begun = &action->queues[BEGUN];
    size_t large = 0;
    for (const struct action_request *other = begun->first; other; other = other->next)
        large += !is_small(other);
    for (struct action_request **link = &fresh->first; *link && !is_full(action, budget);) {
        if (!is_small(*link) && large >= BEGUN_MAX) {
            link = &(*link)->next;
            continue;
        }
        large += !is_small(*link);
        struct action_request *pending = take_off(fresh, link);
        visit(action, pending, budget);
        push(begun, pending);
    }
}

/* Over and over, until the time is over or there is nothing to take from any. */
static void visit_begun(struct action *action, int64_t budget)
{
    struct queue *begun = &action->queues[BEGUN], idle = {.first = NULL};
    idle.last = &idle.first;
    while (begun->first && !is_full(action, budget)) {
        struct action_request *pending = take_off(begun, &begun->first);
        bool has_more = !pending->ended && visit(action, pending, budget);
        push(has_more ? begun : &idle, pending);
    }
    *begun->last = idle.first;
    if (idle.first)
        begun->last = idle.last;
}

/* What is begun has a quarter of the time at least, however much is fresh. */
static void take_events(struct action *action)
{
    int64_t budget = pace_budget(&action->pace);
    action->taken = 0;
    action->began = clock_us();
    action->began_cpu = clock_cpu_us();
    visit_fresh(action, budget);
    int64_t least =
        clock_cpu_us() - action->began_cpu + pace_of(&action->pace, action->taken) + budget / 4;
    visit_begun(action, least > budget ? least : budget);
}

/* ------------------------------------------------------------------ counting what is durable */

static void reject(struct action_request *pending, size_t index, const struct error *error)
{
    pending->counts.rejected++;
    pending->last_error = *error;
    if (pending->error_count++ >= ERRORS_MAX)
        return;
    buffer_printf(&pending->errors,
                  "%s{\"index\": %zu, \"error\": ", pending->error_count > 1 ? ", " : "", index);
    json_write_string(&pending->errors, error->text, strlen(error->text));
    buffer_puts(&pending->errors, "}");
}

static void settle_event(const struct action *action, struct action_request *pending,
                         const struct taken *taken)
{
    struct counts *counts = &pending->counts;
    struct error error;
    int64_t seq;
    switch (store_outcome(action->store, taken->ticket, &seq, &error)) {
    case STORE_ADDED:
        /* the least and the greatest: a database may number them in another order */
        if (counts->accepted == 0 || seq < counts->first_seq)
            counts->first_seq = seq;
        if (counts->accepted == 0 || seq > counts->last_seq)
            counts->last_seq = seq;
        counts->accepted++;
        break;
    case STORE_DUPLICATE:
        counts->duplicates++;
        if (counts->accepted == 0)
            counts->last_seq = seq;
        break;
    case STORE_REFUSED:
        reject(pending, taken->index, &error);
    }
}

/* In the order of the request's events, which is that of its errors too. */
static void settle_events(const struct action *action, struct action_request *pending)
{
    const struct taken *taken = (const struct taken *)pending->taken.data;
    const struct error *refusal = (const struct error *)pending->refusals.data;
    size_t count = pending->taken.length / sizeof *taken;
    const struct error *refusals_end = refusal + pending->refusals.length / sizeof *refusal;
    for (size_t i = 0; i < count; i++)
        if (taken[i].ticket != NO_TICKET)
            settle_event(action, pending, &taken[i]);
        else if (refusal < refusals_end)
            reject(pending, taken[i].index, refusal++);
        else
            pending->counts.rejected++; /* beyond those that are told */
    buffer_clear(&pending->taken);
    buffer_clear(&pending->refusals);
}

/* ------------------------------------------------------------------ one batch */

/* Tries again later only where that may help: sums that have no model have none until they change.
 */
static void publish(struct action *action)
{
    struct error error;
    int64_t began = clock_us();
    bool ok = learn_update(action->store, action->config, &error);
    bool hopeless = !ok && (error.kind == ERROR_UNUSABLE || error.kind == ERROR_DAMAGED);
    if (!ok && !action->behind)
        fprintf(stderr, "action: the events are stored, but the model is not up to date: %s\n",
                error.text);
    action->behind = !ok;
    action->unpublished = !ok && !hopeless;
    action->publish_due = clock_us() + PUBLISH_SHARE * (clock_us() - began);
}

/* Whoever is answered must find in the model what was stored for him. */
static bool must_publish(const struct action *action)
{
    const struct action_request *pending = action->queues[BEGUN].first;
    while (pending && !pending->ended)
        pending = pending->next;
    return pending || !has_requests(action) || clock_us() >= action->publish_due;
}

/* The processor's time goes to the events, what is waited for and the model to the turn. */
static bool commit(struct action *action, struct error *error)
{
    int64_t began = clock_us(), learning = clock_cpu_us(), known = store_events(action->store);
    bool ok = store_commit(action->store, error);
    learning = clock_cpu_us() - learning;
    action->unpublished |= action->taken > 0;
    if (ok && must_publish(action))
        publish(action);
    pace_note(&action->pace, (size_t)(store_events(action->store) - known), learning,
              clock_us() - began - learning);
    return ok;
}

/* With the lock held. On failure nothing of the batch is stored, as far as is known: a database may
 * have committed it without our hearing of it. */
static bool run_batch(struct action *action, struct error *error)
{
    store_expect_more(action->store, action->queues[BEGUN].first != NULL);
    if (!store_catch_up(action->store, error))
        return false;
    take_events(action);
    return commit(action, error);
}

/* Gives up on those that have waited too long for what `why` says. */
static void expire(struct action *action, const struct error *why)
{
    int64_t now = clock_ms();
    for (struct queue *queue = action->queues; queue < action->queues + QUEUES; queue++)
        for (struct action_request **link = &queue->first; *link;)
            if (now - (*link)->waiting_since >= LOCK_PATIENCE_MS)
                finish(action, queue, link, why);
            else
                link = &(*link)->next;
    if (!has_requests(action))
        store_unlock(action->store); /* and leave the place in the queue */
}

static int64_t longest_wait(const struct action *action)
{
    int64_t now = clock_ms(), longest = 0;
    for (size_t i = 0; i < QUEUES; i++)
        for (const struct action_request *pending = action->queues[i].first; pending;
             pending = pending->next)
            if (now - pending->waiting_since > longest)
                longest = now - pending->waiting_since;
    return longest;
}

/* When to come back without a request to work on. */
static int time_to_retry(const struct action *action)
{
    if (action->reading)
        return READ_MS;
    return action->unpublished || action->unsettled ? RETRY_MS : -1;
}

/* Returns whether any was answered. */
static bool settle_requests(struct action *action)
{
    bool answered = false;
    for (struct queue *queue = action->queues; queue < action->queues + QUEUES; queue++)
        for (struct action_request **link = &queue->first; *link;) {
            struct action_request *pending = *link;
            settle_events(action, pending);
            pending->waiting_since = clock_ms();
            answered |= pending->ended;
            if (pending->ended)
                finish(action, queue, link, NULL);
            else
                link = &pending->next;
        }
    return answered;
}

/* What was being read without anybody asking is told to the log when it cannot be. */
static enum lock_result lock(struct action *action, struct error *error)
{
    enum lock_result result = store_lock(action->store, error);
    if (result == LOCK_ERROR && action->reading)
        fprintf(stderr, "action: %s\n", error->text);
    action->reading = result == LOCK_WAIT && error->kind == ERROR_BEHIND;
    return result;
}

static int turn(void *context)
{
    struct action *action = context;
    struct error error;
    if (!has_requests(action) && time_to_retry(action) < 0)
        return -1;
    if (!action->store && !(action->store = store_open(action->config, &error))) {
        finish_all(action, &error);
        return -1;
    }
    if (!store_may_try(action->store, &error)) {
        store_unlock(action->store); /* and leave the place in the queue */
        finish_all(action, &error);
        return time_to_retry(action);
    }
    store_limit_waits(action->store, REQUEST_PATIENCE_MS - longest_wait(action));
    switch (lock(action, &error)) {
    case LOCK_WAIT:
        expire(action, &error);
        return has_requests(action) && !action->reading ? POLL_MS : time_to_retry(action);
    case LOCK_ERROR:
        finish_all(action, &error);
        return -1;
    case LOCK_HELD:
        break;
    }
    bool ok = run_batch(action, &error);
    action->unsettled = !store_unlock(action->store);
    action->reading = !ok && error.kind == ERROR_BEHIND; /* nothing was taken yet */
    if (action->reading)
        return READ_MS;
    if (!ok)
        finish_all(action, &error);
    else if (!settle_requests(action) && action->taken == 0 && has_requests(action))
        return LOOK_MS;
    return has_requests(action) ? 0 : time_to_retry(action);
}

static void close_action(void *context)
{
    struct action *action = context;
    struct error error;
    for (struct queue *queue = action->queues; queue < action->queues + QUEUES; queue++)
        while (queue->first)
            free_request(take_off(queue, &queue->first));
    /* a clean end saves the next start the replay */
    if (action->store && store_lock(action->store, &error) == LOCK_HELD &&
        (!store_catch_up(action->store, &error) || !store_snapshot(action->store, &error)))
        fprintf(stderr, "action: %s\n", error.text);
    store_close(action->store);
    buffer_free(&action->response.body);
    free(action);
}

bool action_handler(struct handler *handler, const struct config *config, struct error *error)
{
    struct action *action = calloc(1, sizeof *action);
    if (!action)
        return error_memory(error);
    /* once events are stored, no lack of memory may turn the answer into another */
    if (!buffer_reserve(&action->response.body, ANSWER_MAX)) {
        free(action);
        return error_memory(error);
    }
    action->config = config;
    for (struct queue *queue = action->queues; queue < action->queues + QUEUES; queue++)
        queue->last = &queue->first;
    pace_begin(&action->pace);
    *handler =
        (struct handler){.context = action, .request = handle, .turn = turn, .close = close_action};
    return true;
}
