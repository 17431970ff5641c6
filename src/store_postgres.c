/* The store on PostgreSQL: events, models and sums in one database, for any number of replicas.
 *
 * Every process that stores events is a writer: it numbers its events 1, 2, 3 … and stores each
 * batch together with its last number in one transaction. Whoever learns keeps one position for
 * each writer, so that the order in which transactions become visible does not matter. The
 * directory holds only model.json, for predict, and the lock between the processes of one replica.
 */
#include "store_replica.h"

#include "store_postgres_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILD_TRIES = 20 /* replicas that build at the same time */ };

static const struct schema *postgres_event_schema(const struct store *base)
{
    return ((const struct replica *)base)->schema;
}

static int64_t postgres_events(const struct store *base)
{
    return base->learnt;
}

static bool postgres_read_again(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    store_is_behind("the database", 0, base->learnt, error);
    replica_forget(store);
    return false;
}

static bool postgres_unlock(struct store *base)
{
    lock_release(&base->lock);
    return true;
}

const char *replica_text(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    return buffer->failed ? NULL : buffer->data;
}

const char *replica_integer(int64_t value, char text[static INTEGER_MAX])
{
    snprintf(text, INTEGER_MAX, "%lld", (long long)value);
    return text;
}

bool replica_ask(struct replica *store, const char *statement, int count, const char *const *values,
                 struct error *error)
{
    postgres_queue(store->postgres, statement, count, values);
    return postgres_run(store->postgres, error);
}

void replica_forget(struct replica *store)
{
    schema_free(store->schema);
    store_free_sums(&store->base);
    store_drop_maps(&store->base);
    buffer_clear(&store->positions);
    buffer_clear(&store->texts);
    store->schema = NULL;
    store->base.learnt = store->snapshot_at = 0;
    store->loaded = false;
    store->read_at = 0;
}

/* ------------------------------------------------------------------ a new connection */

static bool migrate(struct postgres *postgres, struct error *error)
{
    postgres_queue(postgres, SQL_LOCK_MIGRATION, 0, NULL);
    postgres_queue(postgres, SQL_MIGRATE, 0, NULL);
    return postgres_run(postgres, error);
}

/* A server that was started since, or that took over from another, may not have all that was
 * learnt: to be learnt anew. */
static void compare_server(struct replica *store, const char *started)
{
    if (*store->server && strcmp(store->server, started) != 0) {
        replica_forget(store);
        store->version = store->revision = 0;
    }
    snprintf(store->server, sizeof store->server, "%s", started);
}

static bool tables_version(struct replica *store, int64_t *version, struct error *error)
{
    struct postgres *postgres = store->postgres;
    *version = 0;
    postgres_queue(postgres, SQL_SESSION, 0, NULL);
    postgres_queue(postgres, SQL_HAS_META, 0, NULL);
    postgres_queue(postgres, SQL_SERVER, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    compare_server(store, postgres_text(postgres, 2, 0, 0));
    if (*postgres_text(postgres, 1, 0, 0) != 't')
        return true;
    postgres_queue(postgres, SQL_META, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    *version = postgres_number(postgres, 0, 0, 0);
    return true;
}

static bool prepare_session(struct postgres *postgres, void *context, struct error *error)
{
    struct replica *store = context;
    int64_t version, ours = strtoll(SQL_VERSION, NULL, 10);
    store->writer = 0;
    if (!tables_version(store, &version, error))
        return false;
    if (version > ours)
        return error_set(error, ERROR_BUSY,
                         "the database has tables of version %lld, this program knows version %lld",
                         (long long)version, (long long)ours);
    return version == ours || migrate(postgres, error);
}

/* ------------------------------------------------------------------ open, close */

static void postgres_close(struct store *base)
{
    struct replica *store = (struct replica *)base;
    postgres_free(store->postgres);
    replica_forget(store);
    store_free_shared(base);
    buffer_free(&store->positions);
    buffer_free(&store->texts);
    buffer_free(&store->new_texts);
    buffer_free(&store->entries);
    buffer_free(&store->batch_ids);
    buffer_free(&store->rows);
    free(store);
}

/* ------------------------------------------------------------------ train file, models */

/* A replica without the file says nothing about the others', so that NULL drops nothing; and the
 * same content under another name or time need not be written. */
static bool postgres_set_train(struct store *base, struct snapshot *train, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct buffer text = {0};
    if (!train)
        return true;
    bool same =
        store->base.train.schema && strcmp(store->base.train.fingerprint, train->fingerprint) == 0;
    if (!same) {
        snapshot_format(train, &text);
        const char *values[] = {replica_text(&text)};
        bool ok =
            values[0] ? replica_ask(store, SQL_SET_TRAIN, 1, values, error) : error_memory(error);
        buffer_free(&text);
        if (!ok)
            return false;
        store->revision = postgres_number(store->postgres, 0, 0, 0);
    }
    snapshot_free(&store->base.train);
    store->base.train = *train;
    *train = (struct snapshot){0};
    return true;
}

/* Catching up has brought it already. */
static bool postgres_restore_model(struct store *base, struct error *error)
{
    return store_model(base) || error_set(error, ERROR_ABSENT, "no model has been built");
}

static bool postgres_identity(struct store *base, char identity[static STORE_IDENTITY_MAX],
                              struct error *error)
{
    struct replica *store = (struct replica *)base;
    if (!replica_ask(store, SQL_IDENTITY, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return error_set(error, ERROR_DAMAGED, "trendline_meta: is empty");
    snprintf(identity, STORE_IDENTITY_MAX, "%s", postgres_text(store->postgres, 0, 0, 0));
    return true;
}

static bool postgres_load_maps(struct store *base, const struct schema *schema,
                               struct term_maps **maps, struct error *error)
{
    struct replica *store = (struct replica *)base;
    *maps = NULL;
    if (!replica_ask(store, SQL_TERMS, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return true;
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    return store_parse_maps(base, schema, text, strlen(text), maps, error);
}

static bool postgres_save_maps(struct store *base, const struct schema *schema,
                               const struct term_maps *maps, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct buffer text = {0};
    store_write_maps(schema, maps, &text);
    const char *values[] = {replica_text(&text)};
    bool ok = values[0] ? replica_ask(store, SQL_ADD_TERMS, 1, values, error) : error_memory(error);
    buffer_free(&text);
    return ok;
}

static bool add_version(struct replica *store, const struct model *model, bool *taken,
                        struct error *error)
{
    char version[INTEGER_MAX], events[INTEGER_MAX];
    struct buffer text = {0};
    model_write(model, &text);
    const char *values[] = {replica_integer(model->version, version),
                            replica_integer(model->events, events), replica_text(&text)};
    bool ok = values[2] ? replica_ask(store, SQL_ADD_MODEL, 3, values, error) : error_memory(error);
    buffer_free(&text);
    *taken = ok && postgres_rows(store->postgres, 0) == 0;
    return ok;
}

/* Moves `model` by what has been learnt since it was chosen. */
static bool move_on(struct replica *store, struct model *model, struct error *error)
{
    struct folds_set rows;
    struct model *fresh = store_rows(&store->base, &rows, error)
                              ? model_like(model, store_schema(&store->base), &rows, error)
                              : NULL;
    if (!fresh)
        return false;
    struct model old = *model;
    *model = *fresh;
    *fresh = old;
    model_free(fresh);
    return true;
}

/* When another replica's build came first, this one goes behind it: a later version never knows
 * less. */
static bool postgres_publish_build(struct store *base, struct model *model, struct error *error)
{
    struct replica *store = (struct replica *)base;
    bool taken = true;
    for (int tries = 0; taken && tries < BUILD_TRIES; tries++) {
        if (tries > 0 && !(replica_learn_news(store, error) && move_on(store, model, error)))
            return false;
        model->version = store->version + 1;
        store_stamp(base, model);
        model_time(model->created);
        if (!add_version(store, model, &taken, error))
            return false;
    }
    if (taken)
        return error_set(error, ERROR_BUSY, "other replicas build at the same time: try again");
    store->version = model->version;
    return model_file_publish(&store->base.model, model, true, error);
}

static bool postgres_claim_settings(struct store *base, enum settings_result *was,
                                    struct error *error)
{
    (void)base;
    (void)error;
    *was = SETTINGS_SAME;
    return true;
}

static bool postgres_keep_settings(struct store *base, struct error *error)
{
    (void)base;
    (void)error;
    return true;
}

static const struct store_methods methods = {.close = postgres_close,
                                             .lock = postgres_lock,
                                             .unlock = postgres_unlock,
                                             .catch_up = postgres_catch_up,
                                             .claim_settings = postgres_claim_settings,
                                             .keep_settings = postgres_keep_settings,
                                             .events = postgres_events,
                                             .event_schema = postgres_event_schema,
                                             .add = postgres_add,
                                             .batch_bytes = postgres_batch_bytes,
                                             .commit = postgres_commit,
                                             .outcome = postgres_outcome,
                                             .visit = postgres_visit,
                                             .identity = postgres_identity,
                                             .load_maps = postgres_load_maps,
                                             .save_maps = postgres_save_maps,
                                             .read_again = postgres_read_again,
                                             .set_train = postgres_set_train,
                                             .publish_build = postgres_publish_build,
                                             .restore_model = postgres_restore_model,
                                             .snapshot = postgres_snapshot};

struct store *store_postgres_open(const struct config *config, struct error *error)
{
    struct replica *store = calloc(1, sizeof *store);
    if (!store) {
        error_memory(error);
        return NULL;
    }
    store_begin(&store->base, &methods, config);
    store->postgres = postgres_new(config->postgres.text, prepare_session, store);
    if ((store->postgres || error_memory(error)) && store_open_shared(&store->base, error))
        return &store->base;
    postgres_close(&store->base);
    return NULL;
}
