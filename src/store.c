/* What is the same in every store, and the way to the implementation for what is not. */
#include "store_methods.h"

#include <string.h>
#include <time.h>

enum { LOCK_WAIT_MS = 10000, LOCK_POLL_MS = 5 };

struct store *store_open(const struct config *config, struct error *error)
{
    return config->postgres.length > 0 ? store_postgres_open(config, error)
                                       : store_files_open(config, error);
}

void store_close(struct store *store)
{
    if (store)
        store->methods->close(store);
}

enum lock_result store_lock(struct store *store, struct error *error)
{
    return lock_try(&store->lock, error);
}

bool store_wait_lock(struct store *store, struct error *error)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};
    for (int waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_POLL_MS) {
        switch (store_lock(store, error)) {
        case LOCK_HELD:
            return true;
        case LOCK_ERROR:
            return false;
        case LOCK_WAIT:
            nanosleep(&pause, NULL);
        }
    }
    store_unlock(store);
    return error_set(error, ERROR_BUSY,
                     "another process has held the lock of the data directory for %d seconds",
                     LOCK_WAIT_MS / 1000);
}

bool store_unlock(struct store *store)
{
    return store->methods->unlock(store);
}

bool store_catch_up(struct store *store, struct error *error)
{
    return store->methods->catch_up(store, error);
}

const struct schema *store_schema(const struct store *store)
{
    const struct schema *events = store_event_schema(store);
    if (events)
        return events;
    return store->train.schema ? store->train.schema : store->proposed;
}

int64_t store_events(const struct store *store)
{
    return store->methods->events(store);
}

const struct schema *store_event_schema(const struct store *store)
{
    return store->methods->event_schema(store);
}

struct moments *store_moments(const struct store *store, struct error *error)
{
    const struct moments *train = store->train.moments;
    const struct moments *events = store_events(store) > 0 ? store->events : NULL;
    if (!train && !events) {
        error_set(error, ERROR_CONFLICT,
                  "there is nothing to train on: POST events to /action, or provide a train file");
        return NULL;
    }
    struct moments *all = moments_copy(events ? events : train);
    if (all && (!events || !train || moments_merge(all, train) == MOMENTS_OK))
        return all;
    moments_free(all);
    error_memory(error);
    return NULL;
}

bool store_set_schema(struct store *store, const struct schema *schema, struct error *error)
{
    schema_free(store->proposed);
    store->proposed = schema_copy(schema);
    return store->proposed || error_memory(error);
}

void store_unset_schema(struct store *store)
{
    schema_free(store->proposed);
    store->proposed = NULL;
}

bool store_add(struct store *store, const struct event *event, size_t *ticket, struct error *error)
{
    return store->methods->add(store, event, ticket, error);
}

size_t store_batch_bytes(const struct store *store)
{
    return store->methods->batch_bytes(store);
}

bool store_commit(struct store *store, struct error *error)
{
    return store->methods->commit(store, error);
}

enum store_outcome store_outcome(const struct store *store, size_t ticket, int64_t *seq,
                                 struct error *error)
{
    return store->methods->outcome(store, ticket, seq, error);
}

bool store_visit(struct store *store, store_visitor *visit, void *context, struct error *error)
{
    return store->methods->visit(store, visit, context, error);
}

bool store_identity(struct store *store, char identity[static STORE_IDENTITY_MAX],
                    struct error *error)
{
    return store->methods->identity(store, identity, error);
}

const struct snapshot *store_train(const struct store *store)
{
    return store->train.schema ? &store->train : NULL;
}

bool store_set_train(struct store *store, struct snapshot *train, struct error *error)
{
    return store->methods->set_train(store, train, error);
}

const struct model *store_model(const struct store *store)
{
    return store->model.model;
}

bool store_publish_build(struct store *store, struct model *model, struct error *error)
{
    return store->methods->publish_build(store, model, error);
}

bool store_publish_update(struct store *store, struct model *model, struct error *error)
{
    const struct model *current = store_model(store);
    model->version = current->version;
    model->events = store_events(store);
    memcpy(model->created, current->created, sizeof model->created);
    return model_file_publish(&store->model, model, false, error);
}

bool store_restore_model(struct store *store, struct error *error)
{
    return store->methods->restore_model(store, error);
}

bool store_snapshot(struct store *store, struct error *error)
{
    return store->methods->snapshot(store, error);
}

/* ------------------------------------------------------------------ for the implementations */

void store_begin(struct store *store, const struct store_methods *methods,
                 const struct config *config)
{
    *store = (struct store){.methods = methods,
                            .config = config,
                            .model.watch = WATCH_INIT,
                            .lock = {.directory_fd = -1, .fd = -1, .turn_fd = -1}};
}

bool store_open_shared(struct store *store, struct error *error)
{
    const char *directory = store->config->data_dir;
    return model_file_init(&store->model, directory, error) &&
           lock_open(&store->lock, directory, error);
}

void store_free_shared(struct store *store)
{
    moments_free(store->events);
    schema_free(store->proposed);
    snapshot_free(&store->train);
    model_file_free(&store->model);
    lock_close(&store->lock);
}

bool store_start_moments(struct store *store, const struct schema *schema, struct error *error)
{
    moments_free(store->events);
    store->events = moments_new(schema->count);
    return store->events || error_memory(error);
}

static bool reserve(struct moments *moments, const double *row, struct error *error)
{
    switch (moments_reserve(moments, row)) {
    case MOMENTS_OK:
        return true;
    case MOMENTS_NO_MEMORY:
        return error_memory(error);
    case MOMENTS_TOO_WIDE:
        break;
    }
    return error_set(error, ERROR_UNUSABLE,
                     "the values span too wide a range to be summed exactly over so many features");
}

bool store_reserve(struct store *store, const double *row, struct error *error)
{
    return reserve(store->events, row, error) &&
           (!store->train.moments || reserve(store->train.moments, row, error));
}
