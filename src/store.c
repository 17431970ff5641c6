/* Hands each call to the implementation that the configuration asks for. */
#include "store_methods.h"

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
    return store->methods->lock(store, error);
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
    return store->methods->schema(store);
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
    return store->methods->moments(store, error);
}

bool store_set_schema(struct store *store, const struct schema *schema, struct error *error)
{
    return store->methods->set_schema(store, schema, error);
}

void store_unset_schema(struct store *store)
{
    store->methods->unset_schema(store);
}

bool store_add(struct store *store, const double *row, const char *id, size_t id_length,
               size_t *ticket, struct error *error)
{
    return store->methods->add(store, row, id, id_length, ticket, error);
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

const struct snapshot *store_train(const struct store *store)
{
    return store->methods->train(store);
}

bool store_set_train(struct store *store, struct snapshot *train, struct error *error)
{
    return store->methods->set_train(store, train, error);
}

const struct model *store_model(const struct store *store)
{
    return store->methods->model(store);
}

bool store_publish_build(struct store *store, struct model *model, struct error *error)
{
    return store->methods->publish_build(store, model, error);
}

bool store_publish_update(struct store *store, struct model *model, struct error *error)
{
    return store->methods->publish_update(store, model, error);
}

bool store_restore_model(struct store *store, struct error *error)
{
    return store->methods->restore_model(store, error);
}

bool store_snapshot(struct store *store, struct error *error)
{
    return store->methods->snapshot(store, error);
}
