/* The store on PostgreSQL: events, models and sums in one database, for any number of replicas.
 *
 * Every process that stores events is a writer: it numbers its events 1, 2, 3 … and stores each
 * batch together with its last number in one transaction. Whoever learns keeps one position for
 * each writer, so that the order in which transactions become visible does not matter. The
 * directory holds only model.json, for predict, and the lock between the processes of one replica.
 */
#include "store_replica.h"

#include "maps_text.h"
#include "store_postgres_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    BUILD_TRIES = 20,        /* replicas that build at the same time */
    POOLER_TRIES = 8,        /* to find out that it gives us another session */
    POOLER_PATIENCE_MS = 300 /* it may have no session left for a second client */
};

static const struct schema *postgres_event_schema(const struct store *base)
{
    return ((const struct replica *)base)->schema;
}

static int64_t postgres_events(const struct store *base)
{
    return base->learnt;
}

static void limit_waits(struct store *base, int64_t ms)
{
    postgres_set_patience(((struct replica *)base)->postgres, ms);
}

static bool may_try(const struct store *base, struct error *error)
{
    return postgres_may_try(((const struct replica *)base)->postgres, error);
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

bool replica_may_write(struct replica *store, struct error *error)
{
    if (store->may_write)
        return true;
    if (!replica_ask(store, SQL_HELD_UP, 0, NULL, error))
        return false;
    const char *event = postgres_text(store->postgres, 0, 0, 0);
    store->may_write = !*event;
    if (strcmp(event, "SyncRep") == 0)
        return error_set(error, ERROR_BUSY,
                         "the database waits for a synchronous standby: nothing can be stored "
                         "until it is back, or synchronous_standby_names is changed");
    return store->may_write ||
           error_set(error, ERROR_BUSY,
                     "the database does not end an earlier COMMIT (it waits for %.60s): nothing "
                     "can be stored until it has",
                     event);
}

bool replica_write(struct replica *store, const char *statement, int count,
                   const char *const *values, struct error *error)
{
    return replica_may_write(store, error) && replica_ask(store, statement, count, values, error);
}

bool replica_ask_truth(struct replica *store, const char *statement, bool *truth,
                       struct error *error)
{
    if (!replica_ask(store, statement, 0, NULL, error))
        return false;
    *truth = postgres_number(store->postgres, 0, 0, 0) != 0;
    return true;
}

bool replica_ask_long(struct replica *store, const char *statement, int count,
                      const char *const *values, struct error *error)
{
    postgres_queue_long(store->postgres, statement, count, values);
    return postgres_run(store->postgres, error);
}

void replica_forget_events(struct replica *store)
{
    schema_free(store->schema);
    store_free_sums(&store->base);
    buffer_clear(&store->positions);
    buffer_clear(&store->texts);
    store->schema = NULL;
    store->base.learnt = store->base.judged = store->kept_at = 0;
}

void replica_forget(struct replica *store)
{
    replica_forget_events(store);
    store_drop_maps(&store->base);
    snapshot_free(&store->base.train);
    store->base.train_lost = NULL;
    store->loaded = store->terms_useless = false;
    store->version = store->unreadable = store->revision = store->terms = 0;
    *store->origin = '\0';
    store->read_at = 0;
}

/* ------------------------------------------------------------------ a new connection */

/* What a new session finds. */
struct tables {
    int64_t version;       /* 0: there are none */
    int64_t lost, lasting; /* of those that nothing can make again: missing; in all */
    bool lack_needed;      /* of the others one is missing without which nothing goes */
    bool may_make;         /* tables */
    char lost_names[160], lacking_names[160]; /* "": none */
};

/* A server that was started since, or that took over from another, may not have all that was
 * learnt: to be learnt anew. */
static void compare_server(struct replica *store, const char *started)
{
    if (*store->server && strcmp(store->server, started) != 0)
        replica_forget(store);
    snprintf(store->server, sizeof store->server, "%s", started);
}

/* One event with a text that the encoding lacks would be refused by the database with all events
 * beside it, again and again. SQL_ASCII lacks none: it takes bytes as they are. */
static bool check_encoding(const char *database, const char *encoding, struct error *error)
{
    return strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0 ||
           error_set(error, ERROR_SYSTEM,
                     "the database \"%.100s\" has the encoding %.40s, which cannot hold all texts: "
                     "make one by CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0 "
                     "and name it in " CONFIG_POSTGRES " (pg_dump and psql move what is there)",
                     database, encoding);
}

/* Whether we are in another session now. */
static bool has_moved(struct replica *store, int64_t session, bool *moved, struct error *error)
{
    if (!replica_ask(store, SQL_SESSION_NUMBER, 0, NULL, error))
        return false;
    *moved = postgres_number(store->postgres, 0, 0, 0) != session;
    return true;
}

/* Whether a pooler gives our session to others, too: then another client gets the very one that was
 * ours; or, while it has a transaction open there, and many come and go, we get another one. Where
 * it has no session for another client nothing is known against it. */
static bool find_shared(struct replica *store, int64_t session, bool *shared, struct error *error)
{
    bool ok = true;
    struct error none;
    struct postgres *other = postgres_new(store->base.config->postgres.text, NULL, NULL);
    if (!other)
        return error_memory(error);
    postgres_set_patience(other, POOLER_PATIENCE_MS);
    bool connected = postgres_connect(other, &none);
    if (connected) {
        postgres_queue(other, "BEGIN", 0, NULL);
        postgres_queue(other, SQL_SESSION_NUMBER, 0, NULL);
        connected = postgres_run(other, &none);
        *shared = connected && postgres_number(other, 1, 0, 0) == session;
    }
    for (int tries = 0; ok && connected && !*shared && tries < POOLER_TRIES; tries++)
        ok = has_moved(store, session, shared, error);
    if (connected) {
        postgres_queue(other, "ROLLBACK", 0, NULL); /* else the pooler would drop the session */
        postgres_run(other, &none);
    }
    postgres_free(other);
    return ok;
}

static bool check_pooler(struct replica *store, int64_t session, struct error *error)
{
    bool shared = false;
    store->pooled = session == postgres_session(store->postgres) ? 0 : session;
    return !store->pooled || (find_shared(store, session, &shared, error) &&
                              (!shared || error_set(error, ERROR_BUSY, POSTGRES_POOLED_TEXT)));
}

/* Before anything is changed in the session: it may be somebody else's in a moment. */
static bool check_session(struct replica *store, struct error *error)
{
    struct postgres *postgres = store->postgres;
    postgres_queue(postgres, SQL_SERVER, 0, NULL);
    if (!postgres_run(postgres, error) ||
        !check_encoding(postgres_text(postgres, 0, 0, 2), postgres_text(postgres, 0, 0, 3), error))
        return false;
    compare_server(store, postgres_text(postgres, 0, 0, 0));
    return check_pooler(store, postgres_number(postgres, 0, 0, 1), error);
}

static void copy_names(char *names, size_t size, const char *text)
{
    snprintf(names, size, "%s", text ? text : "");
}

/* The result of SQL_TABLES. */
static void read_tables(struct replica *store, size_t result, struct tables *tables)
{
    const struct postgres *postgres = store->postgres;
    tables->lost = postgres_number(postgres, result, 0, 0);
    tables->lasting = postgres_number(postgres, result, 0, 1);
    copy_names(tables->lost_names, sizeof tables->lost_names,
               postgres_text(postgres, result, 0, 2));
    copy_names(tables->lacking_names, sizeof tables->lacking_names,
               postgres_text(postgres, result, 0, 3));
    tables->lack_needed = postgres_number(postgres, result, 0, 4) > 0;
    tables->may_make = postgres_number(postgres, result, 0, 5);
    store->may_load = postgres_number(postgres, result, 0, 6);
    store->may_keep = postgres_number(postgres, result, 0, 7);
}

static bool look_at_tables(struct replica *store, struct tables *tables, struct error *error)
{
    struct postgres *postgres = store->postgres;
    *tables = (struct tables){.version = 0};
    postgres_queue(postgres, SQL_SESSION, 0, NULL);
    postgres_queue(postgres, SQL_HAS_META, 0, NULL);
    postgres_queue(postgres, SQL_TABLES, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    read_tables(store, 2, tables);
    if (*postgres_text(postgres, 1, 0, 0) != 't')
        return true;
    if (!replica_ask(store, SQL_META, 0, NULL, error))
        return false;
    tables->version = postgres_number(postgres, 0, 0, 0);
    return true;
}

/* Tables are missing without which the others mean nothing. */
static bool check_lasting(const struct replica *store, const struct tables *tables,
                          struct error *error)
{
    bool are_gone = tables->lost == tables->lasting && tables->version == 0;
    if (are_gone && store->has_tables) /* whoever restores a copy wants to make them himself */
        return error_set(error, ERROR_BUSY,
                         "the tables of the database are gone: while a copy is being restored, "
                         "wait; to start over, restart the service, which makes them anew");
    bool are_older = tables->version > 0 && tables->version < strtoll(SQL_VERSION, NULL, 10);
    return tables->lost == 0 || are_gone || are_older ||
           error_set(error, ERROR_BUSY,
                     "the database has lost %s: restore it from a copy, or, to start over, stop "
                     "all replicas and drop the other tables too",
                     tables->lost_names);
}

/* All, in their latest form. */
static bool migrate(struct replica *store, struct error *error)
{
    if (!replica_may_write(store, error))
        return false;
    postgres_queue(store->postgres, SQL_LOCK_MIGRATION, 0, NULL);
    postgres_queue(store->postgres, SQL_MIGRATE, 0, NULL);
    store->may_load = store->may_keep = true;
    return postgres_run(store->postgres, error);
}

/* Somebody has dropped what can be made again. */
static bool make_again(struct replica *store, const struct tables *tables, struct error *error)
{
    if (!*tables->lacking_names || (!tables->may_make && !tables->lack_needed))
        return true;
    if (!tables->may_make)
        return error_set(error, ERROR_BUSY,
                         "the database has lost %s, and this role may not make it again: GRANT it "
                         "CREATE on the schema",
                         tables->lacking_names);
    if (!replica_may_write(store, error))
        return false;
    fprintf(stderr, "the database has lost %s: making it again\n", tables->lacking_names);
    postgres_queue(store->postgres, SQL_LOCK_MIGRATION, 0, NULL);
    postgres_queue(store->postgres, SQL_MAKE_AGAIN, 0, NULL);
    store->may_load = store->may_keep = true;
    return postgres_run(store->postgres, error);
}

static bool prepare_session(struct postgres *postgres, void *context, struct error *error)
{
    struct replica *store = context;
    struct tables tables;
    int64_t ours = strtoll(SQL_VERSION, NULL, 10);
    (void)postgres;
    store->writer = 0;
    store->may_write = false;
    keeping_free(&store->keeping);
    if (!check_session(store, error) || !look_at_tables(store, &tables, error) ||
        !check_lasting(store, &tables, error))
        return false;
    if (tables.version > ours)
        return error_set(error, ERROR_BUSY,
                         "the database has tables of version %lld, this program knows version %lld",
                         (long long)tables.version, (long long)ours);
    bool ok = tables.version < ours ? migrate(store, error) : make_again(store, &tables, error);
    store->has_tables |= ok;
    return ok && replica_join_settings(store, error);
}

/* ------------------------------------------------------------------ open, close */

static void postgres_close(struct store *base)
{
    struct replica *store = (struct replica *)base;
    postgres_free(store->postgres);
    replica_forget(store);
    keeping_free(&store->keeping);
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
            values[0] ? replica_write(store, SQL_SET_TRAIN, 1, values, error) : error_memory(error);
        buffer_free(&text);
        if (!ok)
            return false;
        store->revision = postgres_number(store->postgres, 0, 0, 0);
    }
    base->train_lost = NULL;
    snapshot_free(&store->base.train);
    store->base.train = *train;
    *train = (struct snapshot){0};
    return true;
}

/* Catching up has brought it already, if it can be read. */
static bool postgres_restore_model(struct store *base, struct error *error)
{
    const struct replica *store = (const struct replica *)base;
    if (store_model(base))
        return true;
    if (store->version == 0)
        return error_set(error, ERROR_ABSENT, "no model has been built");
    return error_set(error, ERROR_DAMAGED, "trendline_models: version %lld cannot be read",
                     (long long)store->version);
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

/* Of a text of terms: neither 0, which older versions stored, nor negative. */
static int64_t digest_of(const char *text)
{
    return (int64_t)(XXH3_64bits(text, strlen(text)) >> 1 | 1);
}

/* Puts them in the place of the text with the digest store->terms, or where `anew` of none. */
static bool write_terms(struct replica *store, const struct schema *schema,
                        const struct term_maps *maps, bool anew, struct error *error)
{
    struct buffer text = {0};
    char digest[INTEGER_MAX], before[INTEGER_MAX];
    maps_write(schema, maps, &text);
    const char *places = replica_text(&text);
    bool ok = places || error_memory(error);
    if (ok) {
        const char *values[] = {places, replica_integer(digest_of(places), digest),
                                anew ? NULL : replica_integer(store->terms, before)};
        ok = replica_write(store, SQL_ADD_TERMS, 3, values, error);
    }
    buffer_free(&text);
    return ok;
}

/* Those that are stored; *maps stays NULL where there are none, or of other features. */
static bool read_terms(struct replica *store, const struct schema *schema, struct term_maps **maps,
                       struct error *error)
{
    *maps = NULL;
    store->terms = 0;
    store->terms_useless = false;
    if (!replica_ask(store, SQL_TERMS, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return true;
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    store->terms = postgres_number(store->postgres, 0, 0, 1);
    store->terms_useless = true;
    if (store->terms != 0 && store->terms != digest_of(text))
        return error_set(error, ERROR_DAMAGED, "the digest does not match");
    if (!store_parse_maps(&store->base, schema, text, strlen(text), maps, error))
        return false;
    store->terms_useless = !*maps;
    return true;
}

/* What is damaged is as the sums or the model have it, where they do: all replicas have it the same
 * again then. Otherwise it is made again from the rows, by whoever saves it. */
static bool mend_terms(struct replica *store, const struct schema *schema, bool is_said,
                       struct term_maps **maps, struct error *error)
{
    struct known_maps known = store_known_maps(&store->base);
    if (!is_said)
        fprintf(stderr, "trendline_terms: %s: %s\n", error->text,
                known.maps ? "writing it again, as the sums and the model have it"
                           : "making it again from the rows");
    return !known.maps || (write_terms(store, known.schema, known.maps, false, error) &&
                           read_terms(store, schema, maps, error));
}

static bool postgres_load_maps(struct store *base, const struct schema *schema,
                               struct term_maps **maps, struct error *error)
{
    struct replica *store = (struct replica *)base;
    bool was_useless = store->terms_useless;
    if (!read_terms(store, schema, maps, error))
        return error->kind == ERROR_DAMAGED && mend_terms(store, schema, was_useless, maps, error);
    /* one of before there were digests gets its own, where that has not to wait for anything */
    return !*maps || store->terms != 0 || !store->may_write ||
           (write_terms(store, base->maps_schema, *maps, false, error) &&
            read_terms(store, schema, maps, error));
}

/* In place of those that were found to be of no use, or of none. */
static bool postgres_save_maps(struct store *base, const struct schema *schema,
                               const struct term_maps *maps, struct error *error)
{
    struct replica *store = (struct replica *)base;
    return write_terms(store, schema, maps, !store->terms_useless, error);
}

static bool add_version(struct replica *store, const struct model *model, bool *taken,
                        struct error *error)
{
    char version[INTEGER_MAX], events[INTEGER_MAX];
    struct buffer text = {0};
    model_write(model, &text);
    const char *values[] = {replica_integer(model->version, version),
                            replica_integer(model->events, events), replica_text(&text)};
    bool ok =
        values[2] ? replica_write(store, SQL_ADD_MODEL, 3, values, error) : error_memory(error);
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

/* The model here may be of a version that the database has lost. */
static int64_t next_version(const struct replica *store)
{
    const struct model *model = store_model(&store->base);
    return (model && model->version > store->version ? model->version : store->version) + 1;
}

/* Those that KEEP_VERSIONS has no place for. The build is done, whatever becomes of them: the next
 * one tries again. */
static void prune(struct replica *store)
{
    bool may;
    struct error late;
    char oldest[INTEGER_MAX];
    const char *values[] = {
        replica_integer(store->version + 1 - store->base.config->keep_versions, oldest)};
    if (!replica_ask_truth(store, SQL_MAY_PRUNE, &may, &late) ||
        (may && !replica_write(store, SQL_PRUNE_MODELS, 1, values, &late)))
        fprintf(stderr, "trendline_models: old versions are kept for now: %s\n", late.text);
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
        model->version = next_version(store);
        store_stamp(base, model);
        model_time(model->created);
        if (!add_version(store, model, &taken, error))
            return false;
    }
    if (taken)
        return error_set(error, ERROR_BUSY, "other replicas build at the same time: try again");
    store->version = model->version;
    if (!model_file_publish(&store->base.model, model, true, error))
        return false;
    prune(store);
    return true;
}

static const struct store_methods methods = {.close = postgres_close,
                                             .lock = postgres_lock,
                                             .unlock = postgres_unlock,
                                             .limit_waits = limit_waits,
                                             .may_try = may_try,
                                             .has_news = postgres_has_news,
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
                                             .keep = postgres_keep};

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
