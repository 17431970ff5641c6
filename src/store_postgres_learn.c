/* The store on PostgreSQL: learning what was stored by anyone, from each writer's last position on.
 */
#include "clock.h"
#include "json.h"
#include "number.h"
#include "store_postgres_sql.h"
#include "store_replica.h"
#include "symbols.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SNAPSHOT_EVERY = 65536,  /* events: what a new replica has to read at most, or thereabouts */
    SNAPSHOT_AHEAD = 8192,   /* events that are read sooner than a snapshot */
    RECENT_MS = 1000,        /* in which not so much is stored that it takes long to read */
    BATCH_EVENTS_MAX = 32768 /* more than anybody stores at once */
};

int64_t *replica_position(struct replica *store, int64_t writer)
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
    if (!replica_ask(store, SQL_SCHEMA, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return error_set(error, ERROR_DAMAGED, "trendline_schema: the features' names are missing");
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    const char *target = postgres_text(store->postgres, 0, 0, 1);
    if (strcmp(target, schema_target()) != 0)
        return error_set(error, ERROR_DAMAGED,
                         "trendline_schema: the target is called \"%.100s\" there, not \"%.100s\": "
                         "see TARGET",
                         target, schema_target());
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
        int64_t *number = replica_position(store, strtoll(writers, &end, 10));
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
    if (!replica_ask(store, SQL_MOMENTS, 0, NULL, error))
        return false;
    if (postgres_rows(postgres, 0) == 0)
        return true;
    if (!parse_snapshot(postgres_text(postgres, 0, 0, 0), &snapshot, error))
        return false;
    if (!store_fits(&store->base, snapshot.folds)) { /* of another MODEL */
        snapshot_free(&snapshot);
        return true;
    }
    store->schema = snapshot.schema;
    store->snapshot_at = snapshot.position.seq;
    store_take_sums(&store->base, &snapshot);
    return read_positions(store, postgres_text(postgres, 0, 0, 1), postgres_text(postgres, 0, 0, 2),
                          error);
}

static bool damaged(int64_t writer, int64_t number, struct error *error)
{
    return error_set(error, ERROR_DAMAGED,
                     "trendline_rows: event %lld of writer %lld is missing or not one of %s",
                     (long long)number, (long long)writer, "these features");
}

/* The texts of the result's rows: a level's text must be known before a row has it. */
static bool keep_texts(struct replica *store, struct error *error)
{
    buffer_clear(&store->texts);
    for (size_t i = 0; i < postgres_rows(store->postgres, 0); i++) {
        double code;
        const char *text = postgres_text(store->postgres, 0, i, 1);
        if (!symbol_keep(text, strlen(text), &code, error))
            return false;
        buffer_append(&store->texts, &code, sizeof code);
    }
    return !store->texts.failed || error_memory(error);
}

/* What is needed to read rows that are committed by now, whose texts were committed with them. */
static bool load_texts(struct replica *store, struct error *error)
{
    return schema_numbers(store->schema) == store->schema->count ||
           (replica_ask(store, SQL_TEXTS, 0, NULL, error) && keep_texts(store, error));
}

/* "{1,2.5,NaN}" into a row of `count` doubles. */
static bool parse_cells(const char *text, double *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(++text, ",}");
        bool is_missing = length == 3 && memcmp(text, "NaN", 3) == 0;
        if (is_missing)
            row[i] = NAN;
        else if (number_parse(text, length, &row[i]) != NUMBER_OK)
            return false;
        text += length;
        if (*text != (i + 1 < count ? ',' : '}'))
            return false;
    }
    return true;
}

/* Row i of a result with the cells in column 1 and the weight in another. */
static bool parse_row(const struct replica *store, size_t i, size_t weight_column, double *row)
{
    const char *weight = postgres_text(store->postgres, 0, i, weight_column);
    size_t columns = store->schema->count + 1;
    return parse_cells(postgres_text(store->postgres, 0, i, 1), row, columns) &&
           number_parse(weight, strlen(weight), &row[columns]) == NUMBER_OK;
}

static bool learn_row(struct replica *store, const double *row, int64_t seq, struct error *error)
{
    /* what is new takes the place of what has gone */
    if (!encoding_knows(store->base.events->encoding, row))
        store_settle(&store->base);
    if (!store_reserve_accepted(&store->base, row))
        return error_memory(error);
    store_learn(&store->base, row, seq);
    return true;
}

/* Learns the rows of the last result, which have to follow upon *number without a gap. */
static bool learn_result(struct replica *store, int64_t writer, int64_t *number,
                         struct error *error)
{
    size_t rows = postgres_rows(store->postgres, 0);
    double *row = malloc(schema_cells(store->schema) * sizeof *row);
    bool ok = row || error_memory(error);
    for (size_t i = 0; ok && i < rows; i++) {
        ok = (postgres_number(store->postgres, 0, i, 0) == *number + 1 &&
              parse_row(store, i, 2, row)) ||
             damaged(writer, *number + 1, error);
        ok = ok && learn_row(store, row, postgres_number(store->postgres, 0, i, 3), error);
        *number += ok;
    }
    free(row);
    return ok;
}

bool replica_learn_tail(struct replica *store, struct position head, struct error *error)
{
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    int64_t *number = replica_position(store, head.writer);
    if (!number)
        return error_memory(error);
    if (head.number < *number) {
        replica_forget(store);
        return error_set(error, ERROR_BUSY,
                         "the database has gone back in time: reading all of it again");
    }
    if (!store->schema && !load_schema(store, error))
        return false;
    if (*number < head.number && !load_texts(store, error))
        return false;
    while (*number < head.number) {
        const char *values[] = {replica_integer(head.writer, writer),
                                replica_integer(*number, from), replica_integer(head.number, to)};
        int64_t before = *number;
        if (!replica_ask(store, SQL_TAIL, 3, values, error) ||
            !learn_result(store, head.writer, number, error))
            return false;
        if (*number == before)
            return damaged(head.writer, before + 1, error);
        if (*number < head.number && store->pause_at > 0 && clock_ms() >= store->pause_at)
            return store_is_behind("the database", store->base.learnt, store->all, error);
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
    if (!replica_ask(store, SQL_TRAIN, 0, NULL, error))
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
    const char *values[] = {replica_integer(version, number)};
    if (!replica_ask(store, SQL_MODEL, 1, values, error))
        return NULL;
    const char *text =
        postgres_rows(store->postgres, 0) > 0 ? postgres_text(store->postgres, 0, 0, 0) : "";
    return model_parse(text, strlen(text), error);
}

/* The same version as `built`, of all that is known by now. */
static struct model *move_model(struct replica *store, const struct model *built)
{
    struct error error;
    if (!store->base.config->learn_online || store->base.learnt <= built->events ||
        !schema_equal(built->schema, store_schema(&store->base)))
        return NULL;
    struct folds_set rows;
    struct model *model = store_rows(&store->base, &rows, &error)
                              ? model_like(built, store_schema(&store->base), &rows, &error)
                              : NULL;
    if (!model)
        return NULL; /* the one that was built does for now */
    model->version = built->version;
    store_stamp(&store->base, model);
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
        if (!replica_learn_tail(store, head[i], error))
            return false;
    return true;
}

bool postgres_snapshot(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct buffer writers = {0}, numbers = {0}, text = {0};
    char events[INTEGER_MAX];
    if (store->base.learnt - store->snapshot_at < SNAPSHOT_EVERY || store_forgets(base))
        return true;
    const struct position *positions = (const struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *positions;
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&writers, "%c%lld", i ? ',' : '{', (long long)positions[i].writer);
        buffer_printf(&numbers, "%c%lld", i ? ',' : '{', (long long)positions[i].number);
    }
    buffer_puts(&writers, "}");
    buffer_puts(&numbers, "}");
    struct snapshot snapshot = store_sums(base);
    snapshot_format(&snapshot, &text);
    const char *values[] = {replica_integer(store->base.learnt, events), replica_text(&writers),
                            replica_text(&numbers), replica_text(&text)};
    bool ok = values[1] && values[2] && values[3]
                  ? replica_ask(store, SQL_SET_MOMENTS, 4, values, error)
                  : error_memory(error);
    buffer_free(&writers);
    buffer_free(&numbers);
    buffer_free(&text);
    store->snapshot_at = ok ? store->base.learnt : store->snapshot_at;
    return ok;
}

/* With a window no more than the tails are learnt, which have all events that can be in it: later
 * batches of a writer have greater numbers, so that only those of one batch can be out of order. */
static bool begin_at_tails(struct replica *store, struct error *error)
{
    if (!replica_ask(store, SQL_HEADS, 0, NULL, error))
        return false;
    for (size_t i = 0; i < postgres_rows(store->postgres, 0); i++) {
        int64_t head = postgres_number(store->postgres, 0, i, 1);
        int64_t *number = replica_position(store, postgres_number(store->postgres, 0, i, 0));
        if (!number)
            return error_memory(error);
        *number = store_forgotten(&store->base, head - BATCH_EVENTS_MAX);
        store->base.learnt += *number;
    }
    return true;
}

/* At the start: the last build where there is no model yet, so that a new replica serves before it
 * has learnt. */
static bool load_model(struct replica *store, struct error *error)
{
    struct error none;
    if (store->loaded || model_file_refresh(&store->base.model, &none))
        return true;
    return replica_ask(store, SQL_VERSIONS, 0, NULL, error) &&
           refresh_model(store, postgres_number(store->postgres, 0, 0, 0), error);
}

/* At the start: the kept sums, before anyone looks how far the writers are by now. */
static bool load(struct replica *store, struct error *error)
{
    struct store *base = &store->base;
    if (store->loaded)
        return true;
    if (base->config->has_terms && !base->maps &&
        !base->methods->load_maps(base, NULL, &base->maps, error))
        return false;
    store->loaded = store_forgets(base) ? begin_at_tails(store, error) : load_moments(store, error);
    return store->loaded;
}

static bool settle(struct replica *store)
{
    if (store->base.events)
        store_settle(&store->base);
    return true;
}

struct news {
    int64_t version, revision; /* of the newest model, and of the train file's sums */
    struct buffer heads;
};

/* What there is, after the sums were loaded. */
static bool load_and_look(struct replica *store, struct news *news, struct error *error)
{
    buffer_clear(&news->heads);
    if (!load(store, error) || !look(store, &news->version, &news->revision, &news->heads, error))
        return false;
    const struct position *head = (const struct position *)news->heads.data;
    store->all = 0;
    for (size_t i = 0; i < news->heads.length / sizeof *head; i++)
        store->all += head[i].number;
    return true;
}

/* Begins anew where somebody has kept sums that are so far ahead that they are read sooner than the
 * rows; of what is forgotten by and by there are none. */
static bool take_short_cut(struct replica *store, struct news *news, struct error *error)
{
    if (store_forgets(&store->base) || store->all - store->base.learnt < SNAPSHOT_AHEAD)
        return true;
    if (!replica_ask(store, SQL_MOMENTS_EVENTS, 0, NULL, error))
        return false;
    int64_t kept =
        postgres_rows(store->postgres, 0) ? postgres_number(store->postgres, 0, 0, 0) : 0;
    if (kept - store->base.learnt < SNAPSHOT_AHEAD || kept <= store->tried)
        return true;
    store->tried = kept;
    replica_forget(store);
    return load_and_look(store, news, error);
}

/* What is new to this process alone; without the lock a piece of it. */
static bool learn_events(struct replica *store, struct news *news, struct error *error)
{
    bool in_pieces = store->pause_at > 0;
    return load_and_look(store, news, error) &&
           (!in_pieces || take_short_cut(store, news, error)) &&
           learn_tails(store, &news->heads, error) && settle(store);
}

bool replica_learn_news(struct replica *store, struct error *error)
{
    struct news news = {0};
    bool ok = load_model(store, error) && learn_events(store, &news, error) &&
              refresh_train(store, news.revision, error) &&
              store_follow_terms(&store->base, error) && refresh_model(store, news.version, error);
    buffer_free(&news.heads);
    return ok;
}

/* ------------------------------------------------------------------ without the lock */

/* The first model is published as soon as possible. */
static enum lock_result publish_first(struct replica *store, struct error *error)
{
    struct error none;
    if (model_file_refresh(&store->base.model, &none))
        return LOCK_HELD;
    enum lock_result result = store_take_lock(&store->base, error);
    if (result != LOCK_HELD)
        return result;
    bool ok = load_model(store, error);
    lock_release(&store->base.lock);
    return ok ? LOCK_HELD : LOCK_ERROR;
}

/* A piece of what is stored. */
static bool read_on(struct replica *store, struct error *error)
{
    struct news news = {0};
    store->pause_at = clock_ms() + STORE_SLICE_MS;
    bool ok = learn_events(store, &news, error);
    store->pause_at = 0;
    buffer_free(&news.heads);
    return ok;
}

/* What was stored since the last time is read before the lock is taken, unless that was just now:
 * then it is not much. */
enum lock_result postgres_lock(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    enum lock_result result;
    if (base->lock.held || (store->read_at > 0 && clock_ms() - store->read_at < RECENT_MS))
        return store_take_lock(base, error);
    if (!postgres_connect(store->postgres, error))
        return LOCK_ERROR;
    if (!store->loaded && (result = publish_first(store, error)) != LOCK_HELD)
        return result;
    if (!read_on(store, error))
        return error->kind == ERROR_BEHIND ? LOCK_WAIT : LOCK_ERROR;
    store->read_at = clock_ms();
    return store_take_lock(base, error);
}

bool postgres_catch_up(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    if (!postgres_connect(store->postgres, error))
        return false;
    if (!replica_learn_news(store, error)) {
        if (!store->loaded)
            replica_forget(store);
        return false;
    }
    store->read_at = clock_ms();
    return postgres_snapshot(base, error);
}

/* ------------------------------------------------------------------ all events */

/* An event on its way to a visitor. */
struct visited {
    store_visitor *visit;
    void *context;
    double *row;
    struct buffer id; /* escaped, with its quotes */
};

static bool visit_row(const struct replica *store, struct visited *visited, size_t row,
                      struct error *error)
{
    const struct postgres *postgres = store->postgres;
    const char *id = postgres_text(postgres, 0, row, 3);
    struct event event = {.row = visited->row, .time = postgres_text(postgres, 0, row, 4)};
    buffer_clear(&visited->id);
    if (id) {
        json_write_string(&visited->id, id, strlen(id));
        if (visited->id.failed)
            return error_memory(error);
        event.id = visited->id.data + 1;
        event.id_length = visited->id.length - 2;
    }
    return visited->visit(visited->context, postgres_number(postgres, 0, row, 2), &event, error);
}

static bool visit_writer(struct replica *store, struct visited *visited, struct position head,
                         struct error *error)
{
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    for (int64_t number = 0; number < head.number;) {
        const char *values[] = {replica_integer(head.writer, writer), replica_integer(number, from),
                                replica_integer(head.number, to)};
        if (!replica_ask(store, SQL_EVENTS, 3, values, error))
            return false;
        size_t rows = postgres_rows(store->postgres, 0);
        for (size_t i = 0; i < rows; i++) {
            if (postgres_number(store->postgres, 0, i, 0) != ++number ||
                !parse_row(store, i, 5, visited->row))
                return damaged(head.writer, number, error);
            if (!visit_row(store, visited, i, error))
                return false;
        }
        if (rows == 0)
            return damaged(head.writer, number + 1, error);
    }
    return true;
}

bool postgres_visit(struct store *base, store_visitor *visit, void *context, struct error *error)
{
    struct replica *store = (struct replica *)base;
    const struct position *positions = (const struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *positions;
    if (!store->schema)
        return true;
    struct visited visited = {
        visit, context, malloc(schema_cells(store->schema) * sizeof(double)), {0}};
    bool ok = visited.row || error_memory(error);
    for (size_t i = 0; ok && i < count; i++)
        ok = visit_writer(store, &visited, positions[i], error);
    free(visited.row);
    buffer_free(&visited.id);
    return ok;
}
