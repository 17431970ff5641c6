/* The store on PostgreSQL: events, models and sums in one database, for any number of replicas.
 *
 * Every process that stores events is a writer: it numbers its events 1, 2, 3 … and stores each
 * batch together with its last number in one transaction. Whoever learns keeps one position for
 * each writer, so that the order in which transactions become visible does not matter. The
 * directory holds only model.json, for predict, and the lock between the processes of one replica.
 */
#include "buffer.h"
#include "ids.h"
#include "json.h"
#include "model_file.h"
#include "number.h"
#include "postgres.h"
#include "store_methods.h"
#include "store_postgres_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    SNAPSHOT_EVERY = 65536, /* events: what a new replica has to read at most, or thereabouts */
    CLAIMS_MAX = 5,         /* tries to become a writer */
    BUILD_TRIES = 20,       /* replicas that build at the same time */
    ID_SHOWN_MAX = 300,     /* bytes of an id in an error */
    DIGEST_SIZE = 33,       /* 128 bits in hexadecimal, and a NUL */
    SERVER_MAX = 64
};

#define FIXED_MEANWHILE "another replica has just stored the first event: try again"

struct position {
    int64_t writer, number;
};

/* An event of the open batch, or of the last. */
struct entry {
    size_t id; /* offset in batch_ids */
    bool has_id;
    enum store_outcome outcome;
    int64_t seq; /* 0: not known yet */
    char digest[DIGEST_SIZE];
};

struct replica {
    struct store base; /* first */
    struct postgres *postgres;

    /* what is learnt */
    bool loaded;           /* since the start, or since the database turned out to be another */
    struct schema *schema; /* of the events; NULL while there are none */
    int64_t snapshot_at;
    struct buffer positions; /* struct position */
    int64_t revision;        /* of the train file's sums */
    int64_t version;         /* of the newest model */

    /* the session's */
    char server[SERVER_MAX]; /* when its server was started */
    int64_t writer;          /* 0: none yet */
    int64_t number;          /* of its last event */

    /* the open batch, or the last */
    bool settled;
    struct buffer entries, batch_ids, rows; /* struct entry; text with NULs; doubles */
};

static const struct schema *postgres_event_schema(const struct store *base)
{
    return ((const struct replica *)base)->schema;
}

static int64_t postgres_events(const struct store *base)
{
    return base->learnt;
}

static bool postgres_unlock(struct store *base)
{
    lock_release(&base->lock);
    return true;
}

/* Terminated, as libpq wants its parameters. NULL without memory. */
static const char *text_of(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    return buffer->failed ? NULL : buffer->data;
}

enum { INTEGER_MAX = 24 };

static const char *integer(int64_t value, char text[static INTEGER_MAX])
{
    snprintf(text, INTEGER_MAX, "%lld", (long long)value);
    return text;
}

/* One statement alone. */
static bool ask(struct replica *store, const char *statement, int count, const char *const *values,
                struct error *error)
{
    postgres_queue(store->postgres, statement, count, values);
    return postgres_run(store->postgres, error);
}

/* ------------------------------------------------------------------ a new connection */

static bool migrate(struct postgres *postgres, struct error *error)
{
    postgres_queue(postgres, SQL_LOCK_MIGRATION, 0, NULL);
    postgres_queue(postgres, SQL_MIGRATE, 0, NULL);
    return postgres_run(postgres, error);
}

static void forget_learnt(struct replica *store);

/* A server that was started since, or that took over from another, may not have all that was
 * learnt: to be learnt anew. */
static void compare_server(struct replica *store, const char *started)
{
    if (*store->server && strcmp(store->server, started) != 0) {
        forget_learnt(store);
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

static void forget_learnt(struct replica *store)
{
    schema_free(store->schema);
    moments_free(store->base.events);
    buffer_clear(&store->positions);
    store->schema = NULL;
    store->base.events = NULL;
    store->base.learnt = store->snapshot_at = 0;
    store->loaded = false;
}

static void postgres_close(struct store *base)
{
    struct replica *store = (struct replica *)base;
    postgres_free(store->postgres);
    forget_learnt(store);
    store_free_shared(base);
    buffer_free(&store->positions);
    buffer_free(&store->entries);
    buffer_free(&store->batch_ids);
    buffer_free(&store->rows);
    free(store);
}

/* ------------------------------------------------------------------ catching up */

static int64_t *position_of(struct replica *store, int64_t writer)
{
    struct position *positions = (struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *positions;
    for (size_t i = 0; i < count; i++)
        if (positions[i].writer == writer)
            return &positions[i].number;
    struct position added = {.writer = writer};
    buffer_append(&store->positions, &added, sizeof added);
    if (store->positions.failed) {
        store->positions.failed = false;
        return NULL;
    }
    return &((struct position *)store->positions.data)[count].number;
}

static bool load_schema(struct replica *store, struct error *error)
{
    if (!ask(store, SQL_SCHEMA, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return error_set(error, ERROR_DAMAGED, "trendline_schema: the features' names are missing");
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    struct json *names = json_parse(text, strlen(text), error);
    store->schema = names ? schema_parse(names, error) : NULL;
    json_free(names);
    return store->schema && store_start_moments(&store->base, store->schema, error);
}

/* "1 5 7" and "100 3 8": the positions. */
static bool read_positions(struct replica *store, const char *writers, const char *numbers,
                           struct error *error)
{
    char *end;
    for (; *writers; writers = end) {
        int64_t *number = position_of(store, strtoll(writers, &end, 10));
        if (!number)
            return error_memory(error);
        *number = strtoll(numbers, (char **)&numbers, 10);
    }
    return true;
}

static bool parse_snapshot(const char *text, struct snapshot *snapshot, struct error *error)
{
    struct buffer copy = {0};
    buffer_puts(&copy, text);
    bool ok = !copy.failed ? snapshot_parse(snapshot, &copy, error) : error_memory(error);
    buffer_free(&copy);
    return ok;
}

/* The sums as somebody left them, so that a start does not depend on the number of events. Without
 * them all events are read. */
static bool load_moments(struct replica *store, struct error *error)
{
    struct snapshot snapshot;
    struct postgres *postgres = store->postgres;
    if (!ask(store, SQL_MOMENTS, 0, NULL, error))
        return false;
    if (postgres_rows(postgres, 0) == 0)
        return true;
    if (!parse_snapshot(postgres_text(postgres, 0, 0, 0), &snapshot, error))
        return false;
    store->schema = snapshot.schema;
    store->base.events = snapshot.moments;
    store->base.learnt = store->snapshot_at = snapshot.position.seq;
    return read_positions(store, postgres_text(postgres, 0, 0, 1), postgres_text(postgres, 0, 0, 2),
                          error);
}

static bool damaged(int64_t writer, int64_t number, struct error *error)
{
    return error_set(error, ERROR_DAMAGED,
                     "trendline_rows: event %lld of writer %lld is missing or not one of %s",
                     (long long)number, (long long)writer, "these features");
}

/* "{1,2.5}" into a row of `count` doubles. */
static bool parse_cells(const char *text, double *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(++text, ",}");
        if (number_parse(text, length, &row[i]) != NUMBER_OK)
            return false;
        text += length;
        if (*text != (i + 1 < count ? ',' : '}'))
            return false;
    }
    return true;
}

static bool learn_row(struct replica *store, const double *row, struct error *error)
{
    if (moments_reserve_accepted(store->base.events, row) != MOMENTS_OK)
        return error_memory(error);
    moments_add(store->base.events, row);
    store->base.learnt++;
    return true;
}

/* Learns the rows of the last result, which have to follow upon *number without a gap. */
static bool learn_result(struct replica *store, int64_t writer, int64_t *number,
                         struct error *error)
{
    size_t columns = store->schema->count + 1, rows = postgres_rows(store->postgres, 0);
    double *row = malloc(columns * sizeof *row);
    bool ok = row || error_memory(error);
    for (size_t i = 0; ok && i < rows; i++) {
        ok = (postgres_number(store->postgres, 0, i, 0) == *number + 1 &&
              parse_cells(postgres_text(store->postgres, 0, i, 1), row, columns)) ||
             damaged(writer, *number + 1, error);
        ok = ok && learn_row(store, row, error);
        *number += ok;
    }
    free(row);
    return ok;
}

static bool learn_tail(struct replica *store, struct position head, struct error *error)
{
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    int64_t *number = position_of(store, head.writer);
    if (!number)
        return error_memory(error);
    if (head.number < *number) {
        forget_learnt(store);
        return error_set(error, ERROR_BUSY,
                         "the database has gone back in time: reading all of it again");
    }
    if (!store->schema && !load_schema(store, error))
        return false;
    while (*number < head.number) {
        const char *values[] = {integer(head.writer, writer), integer(*number, from),
                                integer(head.number, to)};
        int64_t before = *number;
        if (!ask(store, SQL_TAIL, 3, values, error) ||
            !learn_result(store, head.writer, number, error))
            return false;
        if (*number == before)
            return damaged(head.writer, before + 1, error);
    }
    return true;
}

/* What there is, in one round trip. Models and train file come first: the events behind them were
 * committed before. */
static bool look(struct replica *store, int64_t *version, int64_t *revision, struct buffer *heads,
                 struct error *error)
{
    struct postgres *postgres = store->postgres;
    postgres_queue(postgres, SQL_VERSIONS, 0, NULL);
    postgres_queue(postgres, SQL_TRAINED, 0, NULL);
    postgres_queue(postgres, SQL_HEADS, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    *version = postgres_number(postgres, 0, 0, 0);
    *revision = postgres_number(postgres, 1, 0, 0);
    for (size_t i = 0; i < postgres_rows(postgres, 2); i++) {
        struct position head = {postgres_number(postgres, 2, i, 0),
                                postgres_number(postgres, 2, i, 1)};
        buffer_append(heads, &head, sizeof head);
    }
    return !heads->failed || error_memory(error);
}

static bool refresh_train(struct replica *store, int64_t revision, struct error *error)
{
    struct snapshot train;
    if (revision == store->revision)
        return true;
    if (!ask(store, SQL_TRAIN, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) > 0) {
        if (!parse_snapshot(postgres_text(store->postgres, 0, 0, 1), &train, error))
            return false;
        revision = postgres_number(store->postgres, 0, 0, 0);
        snapshot_free(&store->base.train);
        store->base.train = train;
    } else {
        snapshot_free(&store->base.train);
    }
    store->revision = revision;
    return true;
}

static struct model *fetch_model(struct replica *store, int64_t version, struct error *error)
{
    char number[INTEGER_MAX];
    const char *values[] = {integer(version, number)};
    if (!ask(store, SQL_MODEL, 1, values, error))
        return NULL;
    const char *text =
        postgres_rows(store->postgres, 0) > 0 ? postgres_text(store->postgres, 0, 0, 0) : "";
    return model_parse(text, strlen(text), error);
}

/* The same version as `built`, of all that is known by now. */
static struct model *move_model(const struct replica *store, const struct model *built)
{
    struct error error;
    if (!store->base.config->learn_online || store->base.learnt <= built->events ||
        !schema_equal(built->schema, store_schema(&store->base)))
        return NULL;
    struct moments *moments = store_moments(&store->base, &error);
    struct model *model = moments ? model_new(store_schema(&store->base), moments, &error) : NULL;
    moments_free(moments);
    if (!model)
        return NULL; /* the one that was built does for now */
    model->version = built->version;
    model->events = store->base.learnt;
    memcpy(model->created, built->created, sizeof model->created);
    return model;
}

/* Another replica's build becomes the current model here. */
static bool refresh_model(struct replica *store, int64_t version, struct error *error)
{
    struct error none;
    model_file_refresh(&store->base.model, &none);
    const struct model *current = store->base.model.model;
    store->version = version;
    if (version == 0 || (current && current->version == version))
        return true;
    struct model *built = fetch_model(store, version, error);
    if (!built)
        return false;
    struct model *moved = move_model(store, built);
    if (moved) {
        model_free(built);
        built = moved;
    }
    if (model_file_publish(&store->base.model, built, true, error))
        return true;
    model_free(built);
    return false;
}

static bool learn_tails(struct replica *store, const struct buffer *heads, struct error *error)
{
    const struct position *head = (const struct position *)heads->data;
    size_t count = heads->length / sizeof *head;
    for (size_t i = 0; i < count; i++)
        if (!learn_tail(store, head[i], error))
            return false;
    return true;
}

static bool postgres_snapshot(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct buffer writers = {0}, numbers = {0}, text = {0};
    char events[INTEGER_MAX];
    if (store->base.learnt - store->snapshot_at < SNAPSHOT_EVERY)
        return true;
    const struct position *positions = (const struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *positions;
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&writers, "%c%lld", i ? ',' : '{', (long long)positions[i].writer);
        buffer_printf(&numbers, "%c%lld", i ? ',' : '{', (long long)positions[i].number);
    }
    buffer_puts(&writers, "}");
    buffer_puts(&numbers, "}");
    snapshot_format(&(struct snapshot){.schema = store->schema,
                                       .moments = store->base.events,
                                       .position = {.seq = store->base.learnt}},
                    &text);
    const char *values[] = {integer(store->base.learnt, events), text_of(&writers),
                            text_of(&numbers), text_of(&text)};
    bool ok = values[1] && values[2] && values[3] ? ask(store, SQL_SET_MOMENTS, 4, values, error)
                                                  : error_memory(error);
    buffer_free(&writers);
    buffer_free(&numbers);
    buffer_free(&text);
    store->snapshot_at = ok ? store->base.learnt : store->snapshot_at;
    return ok;
}

/* At the start: the last build where there is no model yet, so that a new replica serves before it
 * has learnt; then the kept sums, before anyone looks how far the writers are by now. */
static bool load(struct replica *store, struct error *error)
{
    struct error none;
    if (store->loaded)
        return true;
    if (!ask(store, SQL_VERSIONS, 0, NULL, error))
        return false;
    int64_t version = postgres_number(store->postgres, 0, 0, 0);
    store->loaded =
        (model_file_refresh(&store->base.model, &none) || refresh_model(store, version, error)) &&
        load_moments(store, error);
    return store->loaded;
}

static bool learn_news(struct replica *store, struct error *error)
{
    struct buffer heads = {0};
    int64_t version, revision;
    bool ok = load(store, error) && look(store, &version, &revision, &heads, error) &&
              learn_tails(store, &heads, error) && refresh_train(store, revision, error) &&
              refresh_model(store, version, error);
    buffer_free(&heads);
    return ok;
}

static bool postgres_catch_up(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    if (!postgres_connect(store->postgres, error))
        return false;
    if (!learn_news(store, error)) {
        if (!store->loaded)
            forget_learnt(store);
        return false;
    }
    return postgres_snapshot(base, error);
}

/* ------------------------------------------------------------------ adding events */

static size_t entry_count(const struct replica *store)
{
    return store->entries.length / sizeof(struct entry);
}

static struct entry *entry_of(const struct replica *store, size_t ticket)
{
    return (struct entry *)store->entries.data + ticket;
}

static size_t columns_of(const struct replica *store)
{
    return store_schema(&store->base)->count + 1;
}

static const double *row_of(const struct replica *store, size_t ticket)
{
    return (const double *)store->rows.data + ticket * columns_of(store);
}

static const char *id_of(const struct replica *store, const struct entry *entry)
{
    return store->batch_ids.data + entry->id;
}

static void clear_batch(struct replica *store)
{
    buffer_clear(&store->entries);
    buffer_clear(&store->batch_ids);
    buffer_clear(&store->rows);
    store->settled = false;
}

static bool reserve(struct replica *store, const double *row, struct error *error)
{
    const struct schema *schema = store_schema(&store->base);
    if (store->base.learnt == 0 && entry_count(store) == 0 &&
        !store_start_moments(&store->base, schema, error))
        return false;
    return store_reserve(&store->base, row, error);
}

static void digest_row(const double *row, size_t columns, char digest[static DIGEST_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits(row, columns * sizeof *row);
    snprintf(digest, DIGEST_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* People who look into the tables want the id itself. */
static bool add_id(struct replica *store, struct entry *entry, const char *id, size_t length,
                   struct error *error)
{
    char quoted[2 * IDS_LENGTH_MAX + 3];
    entry->has_id = true;
    entry->id = store->batch_ids.length;
    int size = snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)length, id);
    struct json *text = json_parse(quoted, (size_t)size, error);
    if (!text)
        return false;
    buffer_append(&store->batch_ids, json_string(text), strlen(json_string(text)) + 1);
    json_free(text);
    return true;
}

/* -0 as 0, which is the same content. */
static void append_row(struct replica *store, const double *row)
{
    for (size_t i = 0; i < columns_of(store); i++) {
        double cell = row[i] + 0.0;
        buffer_append(&store->rows, &cell, sizeof cell);
    }
}

static bool postgres_add(struct store *base, const double *row, const char *id, size_t id_length,
                         size_t *ticket, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct entry entry = {.outcome = STORE_ADDED};
    if (store->settled)
        clear_batch(store);
    if (!reserve(store, row, error) || (id && !add_id(store, &entry, id, id_length, error)))
        return false;
    *ticket = entry_count(store);
    /* should memory run out here, the whole batch fails at its commit */
    append_row(store, row);
    if (id && !store->rows.failed)
        digest_row(row_of(store, *ticket), columns_of(store), entry.digest);
    buffer_append(&store->entries, &entry, sizeof entry);
    return true;
}

static size_t postgres_batch_bytes(const struct store *base)
{
    const struct replica *store = (const struct replica *)base;
    return store->settled ? 0 : store->rows.length + store->entries.length;
}

/* ------------------------------------------------------------------ committing */

/* A text as an element of an array. */
static void write_element(struct buffer *out, const char *text)
{
    buffer_puts(out, out->length ? "," : "{");
    buffer_puts(out, "\"");
    for (size_t part; *text; text += part) {
        if (*text == '"' || *text == '\\')
            buffer_append(out, "\\", 1);
        part = 1 + strcspn(text + 1, "\"\\");
        buffer_append(out, text, part);
    }
    buffer_puts(out, "\"");
}

static const char *end_array(struct buffer *out)
{
    buffer_puts(out, out->length ? "}" : "{}");
    return text_of(out);
}

struct order {
    const char *id;
    size_t ticket;
};

static int compare_order(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    int by_id = strcmp(x->id, y->id);
    return by_id ? by_id : (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The batch's events with ids, by id; *count of them. */
static struct order *order_ids(const struct replica *store, size_t *count)
{
    struct order *order = malloc((entry_count(store) + 1) * sizeof *order);
    *count = 0;
    for (size_t i = 0; order && i < entry_count(store); i++)
        if (entry_of(store, i)->has_id)
            order[(*count)++] = (struct order){id_of(store, entry_of(store, i)), i};
    if (order)
        qsort(order, *count, sizeof *order, compare_order);
    return order;
}

static bool is_first(const struct order *order, size_t i)
{
    return i == 0 || strcmp(order[i - 1].id, order[i].id) != 0;
}

/* The number of the row of result `result` whose first column is `id`, by its sorted index. */
struct found {
    const char *id;
    size_t row;
};

static struct found *index_result(const struct postgres *postgres, size_t result)
{
    size_t rows = postgres_rows(postgres, result);
    struct found *found = malloc((rows + 1) * sizeof *found);
    for (size_t i = 0; found && i < rows; i++)
        found[i] = (struct found){postgres_text(postgres, result, i, 0), i};
    if (found)
        qsort(found, rows, sizeof *found, compare_rows);
    return found;
}

static const struct found *find(const struct found *found, size_t count, const char *id)
{
    struct found key = {.id = id};
    return bsearch(&key, found, count, sizeof *found, compare_rows);
}

static void compare_entry(struct entry *entry, const char *digest, int64_t seq)
{
    bool same = strncmp(entry->digest, digest, DIGEST_SIZE - 1) == 0;
    entry->outcome = same ? STORE_DUPLICATE : STORE_REFUSED;
    entry->seq = seq;
    memmove(entry->digest, digest, DIGEST_SIZE - 1); /* what is stored: see settle_repeats */
}

static bool send_ids(struct replica *store, const char *statement, const struct order *order,
                     size_t count, bool are_new, struct error *error)
{
    struct buffer ids = {0}, digests = {0}, places = {0};
    for (size_t i = 0; i < count; i++)
        if (is_first(order, i) && entry_of(store, order[i].ticket)->seq == 0) {
            write_element(&ids, order[i].id);
            write_element(&digests, entry_of(store, order[i].ticket)->digest);
            buffer_printf(&places, "%c%zu", places.length ? ',' : '{', order[i].ticket);
        }
    const char *values[] = {end_array(&ids), end_array(&digests), end_array(&places)};
    bool ok = values[0] && values[1] && values[2]
                  ? ask(store, statement, are_new ? 3 : 1, values, error)
                  : error_memory(error);
    buffer_free(&ids);
    buffer_free(&digests);
    buffer_free(&places);
    return ok;
}

/* Takes seq (and digest: of what was there before) of the ids in the result. */
static bool take_ids(struct replica *store, const struct order *order, size_t count, bool known,
                     struct error *error)
{
    size_t rows = postgres_rows(store->postgres, 0);
    struct found *found = index_result(store->postgres, 0);
    if (!found)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entry_of(store, order[i].ticket);
        const struct found *one =
            is_first(order, i) && entry->seq == 0 ? find(found, rows, order[i].id) : NULL;
        if (one && known)
            compare_entry(entry, postgres_text(store->postgres, 0, one->row, 2),
                          postgres_number(store->postgres, 0, one->row, 1));
        else if (one)
            entry->seq = postgres_number(store->postgres, 0, one->row, 1);
    }
    free(found);
    return true;
}

/* The later events with the same id, by the digest of the stored one, which the first has by now.
 */
static bool settle_repeats(struct replica *store, const struct order *order, size_t count,
                           struct error *error)
{
    const struct entry *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entry_of(store, order[i].ticket);
        if (!is_first(order, i))
            compare_entry(entry, first->digest, first->seq);
        else if (entry->seq == 0)
            return error_set(error, ERROR_BUSY, "an _id has been removed meanwhile: try again");
        else
            first = entry;
    }
    return true;
}

static bool any_unknown(const struct replica *store, const struct order *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_first(order, i) && entry_of(store, order[i].ticket)->seq == 0)
            return true;
    return false;
}

/* In the open transaction: stores the new ids, and learns which are not new. */
static bool resolve_ids(struct replica *store, struct error *error)
{
    size_t count;
    struct order *order = order_ids(store, &count);
    if (!order)
        return error_memory(error);
    bool ok = count == 0 || (send_ids(store, SQL_ADD_IDS, order, count, true, error) &&
                             take_ids(store, order, count, false, error));
    if (ok && any_unknown(store, order, count))
        ok = send_ids(store, SQL_FIND_IDS, order, count, false, error) &&
             take_ids(store, order, count, true, error);
    ok = ok && settle_repeats(store, order, count, error);
    free(order);
    return ok;
}

static bool fix_schema(struct replica *store, struct error *error)
{
    struct buffer names = {0};
    const struct schema *ours = store_schema(&store->base);
    if (store->schema)
        return true;
    schema_write(ours, &names);
    const char *values[] = {text_of(&names)};
    bool ok = values[0] ? ask(store, SQL_FIX_SCHEMA, 1, values, error) : error_memory(error);
    buffer_free(&names);
    if (!ok || !ask(store, SQL_SCHEMA, 0, NULL, error))
        return false;
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    struct json *array = json_parse(text, strlen(text), error);
    struct schema *fixed = array ? schema_parse(array, error) : NULL;
    json_free(array);
    ok = fixed && schema_equal(fixed, ours);
    schema_free(fixed);
    return ok || error_set(error, ERROR_BUSY, FIXED_MEANWHILE);
}

static bool claim_writer(struct replica *store, struct error *error)
{
    char writer[INTEGER_MAX];
    for (int tries = 0; store->writer == 0 && tries < CLAIMS_MAX; tries++) {
        if (!ask(store, SQL_CLAIM_WRITER, 0, NULL, error))
            return false;
        if (postgres_rows(store->postgres, 0) > 0)
            store->writer = postgres_number(store->postgres, 0, 0, 0);
        else if (!ask(store, SQL_NEW_WRITER, 0, NULL, error))
            return false;
    }
    if (store->writer == 0)
        return error_set(error, ERROR_BUSY, "too many replicas begin at once: try again");
    /* only now that nobody else can change it */
    const char *values[] = {integer(store->writer, writer)};
    if (!ask(store, SQL_WRITER_NUMBER, 1, values, error))
        return false;
    store->number = postgres_number(store->postgres, 0, 0, 0);
    /* what the session before it committed since we caught up */
    return store->number == 0 ||
           learn_tail(store, (struct position){store->writer, store->number}, error);
}

static void write_cells(const double *row, size_t columns, struct buffer *out)
{
    char text[NUMBER_TEXT_MAX];
    buffer_puts(out, out->length ? ",\"{" : "{\"{");
    for (size_t i = 0; i < columns; i++) {
        size_t length = number_format(row[i], text);
        buffer_append(out, ",", i > 0);
        buffer_append(out, text, length);
    }
    buffer_puts(out, "}\"");
}

static size_t write_rows(const struct replica *store, struct buffer *seqs, struct buffer *ids,
                         struct buffer *cells)
{
    size_t added = 0;
    for (size_t i = 0; i < entry_count(store); i++) {
        const struct entry *entry = entry_of(store, i);
        if (entry->outcome != STORE_ADDED)
            continue;
        added++;
        buffer_puts(seqs, seqs->length ? "," : "{");
        if (entry->has_id) {
            buffer_printf(seqs, "%lld", (long long)entry->seq);
            write_element(ids, id_of(store, entry));
        } else {
            buffer_puts(seqs, "NULL");
            buffer_puts(ids, ids->length ? ",NULL" : "{NULL");
        }
        write_cells(row_of(store, i), columns_of(store), cells);
    }
    return added;
}

/* The rest of the transaction, in one round trip; begins it too if there was no need yet. */
static bool send_rows(struct replica *store, bool begun, size_t *added, struct error *error)
{
    struct buffer seqs = {0}, ids = {0}, cells = {0};
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    *added = write_rows(store, &seqs, &ids, &cells);
    const char *rows[] = {integer(store->writer, writer), integer(store->number, from),
                          end_array(&seqs), end_array(&ids), end_array(&cells)};
    const char *advance[] = {writer, integer(store->number + (int64_t)*added, to)};
    bool ok = (rows[2] && rows[3] && rows[4]) || error_memory(error);
    if (ok) {
        postgres_queue(store->postgres, begun ? "SELECT" : "BEGIN", 0, NULL);
        if (*added) {
            postgres_queue(store->postgres, SQL_ADD_ROWS, 5, rows);
            postgres_queue(store->postgres, SQL_ADVANCE, 2, advance);
        }
        postgres_queue(store->postgres, "COMMIT", 0, NULL);
        ok = postgres_run(store->postgres, error);
    }
    buffer_free(&seqs);
    buffer_free(&ids);
    buffer_free(&cells);
    return ok;
}

static bool begin(struct replica *store, struct error *error)
{
    return ask(store, "BEGIN", 0, NULL, error) && fix_schema(store, error) &&
           resolve_ids(store, error);
}

static bool send_batch(struct replica *store, size_t *added, struct error *error)
{
    bool are_first = !store->schema, begun = are_first || store->batch_ids.length > 0;
    if (store->writer == 0 && !claim_writer(store, error))
        return false;
    if (are_first && store->schema) /* the batch was bound to what it would have fixed itself */
        return error_set(error, ERROR_BUSY, FIXED_MEANWHILE);
    if ((begun && !begin(store, error)) || !send_rows(store, begun, added, error))
        return false;
    return *added == 0 || postgres_rows(store->postgres, 1) == *added ||
           error_set(error, ERROR_BUSY, "the database did not store all rows: try again");
}

/* All memory that this takes was reserved before. */
static void learn_batch(struct replica *store, size_t added)
{
    int64_t *number = position_of(store, store->writer);
    for (size_t i = 0, row = 0; i < entry_count(store); i++) {
        struct entry *entry = entry_of(store, i);
        if (entry->outcome != STORE_ADDED)
            continue;
        entry->seq = postgres_number(store->postgres, 1, row++, 0);
        moments_add(store->base.events, row_of(store, i));
    }
    store->base.learnt += (int64_t)added;
    store->number += (int64_t)added;
    *number = store->number;
}

/* The schema of the first events is certain now. */
static bool keep_schema(struct replica *store, struct error *error)
{
    if (!store->schema)
        store->schema = schema_copy(store_schema(&store->base));
    return store->schema || error_memory(error);
}

static bool postgres_commit(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    size_t added = 0;
    bool ok = true;
    if (store->settled || entry_count(store) == 0)
        clear_batch(store);
    else if (store->rows.failed || store->entries.failed || store->batch_ids.failed)
        ok = error_memory(error);
    else
        ok = send_batch(store, &added, error);
    if (ok && added > 0) {
        /* whether this session was the writer's first, its position begins where it took over */
        if (!position_of(store, store->writer) || !keep_schema(store, error))
            ok = false;
        else
            learn_batch(store, added);
    }
    if (!ok) {
        postgres_drop(store->postgres); /* an open transaction ends with it */
        buffer_free(&store->rows);
        buffer_free(&store->entries);
        buffer_free(&store->batch_ids);
    }
    store->settled = true;
    store_unset_schema(base);
    return ok;
}

static enum store_outcome postgres_outcome(const struct store *base, size_t ticket, int64_t *seq,
                                           struct error *error)
{
    const struct replica *store = (const struct replica *)base;
    const struct entry *entry = entry_of(store, ticket);
    *seq = entry->seq;
    if (entry->outcome == STORE_REFUSED)
        error_set(error, ERROR_CONFLICT,
                  "_id \"%.*s\" is already stored as event %lld with other content", ID_SHOWN_MAX,
                  id_of(store, entry), (long long)entry->seq);
    return entry->outcome;
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
        const char *values[] = {text_of(&text)};
        bool ok = values[0] ? ask(store, SQL_SET_TRAIN, 1, values, error) : error_memory(error);
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

static bool add_version(struct replica *store, const struct model *model, bool *taken,
                        struct error *error)
{
    char version[INTEGER_MAX], events[INTEGER_MAX];
    struct buffer text = {0};
    model_write(model, &text);
    const char *values[] = {integer(model->version, version), integer(model->events, events),
                            text_of(&text)};
    bool ok = values[2] ? ask(store, SQL_ADD_MODEL, 3, values, error) : error_memory(error);
    buffer_free(&text);
    *taken = ok && postgres_rows(store->postgres, 0) == 0;
    return ok;
}

/* Fills `model` with what is known now. */
static bool rebuild(struct replica *store, struct model *model, struct error *error)
{
    struct moments *moments = store_moments(&store->base, error);
    struct model *fresh = moments ? model_new(store_schema(&store->base), moments, error) : NULL;
    moments_free(moments);
    if (!fresh)
        return false;
    struct model old = *model;
    *model = *fresh;
    *fresh = old;
    model_free(fresh);
    return true;
}

/* When another replica's build came first, this one begins anew behind it: a later version never
 * knows less. */
static bool postgres_publish_build(struct store *base, struct model *model, struct error *error)
{
    struct replica *store = (struct replica *)base;
    bool taken = true;
    for (int tries = 0; taken && tries < BUILD_TRIES; tries++) {
        if (tries > 0 && !(learn_news(store, error) && rebuild(store, model, error)))
            return false;
        model->version = store->version + 1;
        model->events = store->base.learnt;
        model_time(model->created);
        if (!add_version(store, model, &taken, error))
            return false;
    }
    if (taken)
        return error_set(error, ERROR_BUSY, "other replicas build at the same time: try again");
    store->version = model->version;
    return model_file_publish(&store->base.model, model, true, error);
}

static const struct store_methods methods = {.close = postgres_close,
                                             .unlock = postgres_unlock,
                                             .catch_up = postgres_catch_up,
                                             .events = postgres_events,
                                             .event_schema = postgres_event_schema,
                                             .add = postgres_add,
                                             .batch_bytes = postgres_batch_bytes,
                                             .commit = postgres_commit,
                                             .outcome = postgres_outcome,
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
