/* The store on PostgreSQL: learning what was stored by anyone, from each writer's last position on.
 */
#include "clock.h"
#include "json.h"
#include "number.h"
#include "store_postgres_sql.h"
#include "store_replica.h"
#include "symbols.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN_LOST                                                                                 \
    "POST /build where the train file is, which makes them again; or, to go on without, DELETE "   \
    "FROM trendline_train and restart"

enum {
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

static bool damaged(int64_t writer, int64_t number, struct error *error)
{
    return error_set(error, ERROR_DAMAGED,
                     "trendline_rows: event %lld of writer %lld is missing or not one of these "
                     "features: restore it from a copy",
                     (long long)number, (long long)writer);
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
           (replica_ask_long(store, SQL_TEXTS, 0, NULL, error) && keep_texts(store, error));
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

bool replica_gone_back(struct replica *store, struct error *error)
{
    replica_forget(store);
    postgres_drop(store->postgres);
    store->gone_back = true;
    return error_set(error, ERROR_BUSY,
                     "the database has gone back in time: reading all of it again");
}

bool replica_learn_tail(struct replica *store, struct position head, struct error *error)
{
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    int64_t *number = replica_position(store, head.writer);
    if (!number)
        return error_memory(error);
    if (head.number < *number)
        return replica_gone_back(store, error);
    if (!store->schema && !load_schema(store, error))
        return false;
    if (*number < head.number && !load_texts(store, error))
        return false;
    while (*number < head.number) {
        const char *values[] = {replica_integer(head.writer, writer),
                                replica_integer(*number, from), replica_integer(head.number, to)};
        int64_t before = *number;
        if (!replica_ask_long(store, SQL_TAIL, 3, values, error) ||
            !learn_result(store, head.writer, number, error))
            return false;
        if (*number == before)
            return damaged(head.writer, before + 1, error);
        if (*number < head.number && store->pause_at > 0 && clock_ms() >= store->pause_at)
            return store_is_behind("the database", store->base.learnt, store->all, error);
    }
    return true;
}

/* What the database has. */
struct news {
    int64_t version, revision, terms; /* as in struct replica */
    const char *origin;               /* until the next statement is run */
    struct buffer heads;              /* struct position */
};

/* In one round trip. Models, train file and terms come first: the events behind them were committed
 * before. */
static bool look(struct replica *store, struct news *news, struct error *error)
{
    struct postgres *postgres = store->postgres;
    postgres_queue(postgres, SQL_VERSIONS, 0, NULL);
    postgres_queue(postgres, SQL_STATE, 0, NULL);
    postgres_queue(postgres, SQL_HEADS, 0, NULL);
    if (store->pooled)
        postgres_queue(postgres, SQL_SESSION_NUMBER, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    if (store->pooled && postgres_number(postgres, 3, 0, 0) != store->pooled) {
        postgres_drop(postgres);
        return error_set(error, ERROR_BUSY, POSTGRES_POOLED_TEXT);
    }
    news->version = postgres_number(postgres, 0, 0, 0);
    news->revision = postgres_number(postgres, 1, 0, 0);
    news->terms = postgres_number(postgres, 1, 0, 1);
    news->origin = postgres_text(postgres, 1, 0, 2);
    for (size_t i = 0; i < postgres_rows(postgres, 2); i++) {
        struct position head = {postgres_number(postgres, 2, i, 0),
                                postgres_number(postgres, 2, i, 1)};
        buffer_append(&news->heads, &head, sizeof head);
    }
    return !news->heads.failed || error_memory(error);
}

static bool has_writer(const struct buffer *positions, int64_t writer)
{
    const struct position *position = (const struct position *)positions->data;
    size_t count = positions->length / sizeof *position, i = 0;
    while (i < count && position[i].writer != writer)
        i++;
    return i < count;
}

/* Tables from a copy are others, even where they have got as far as these were; and whom they do
 * not know has stored nothing. */
static bool check_origin(struct replica *store, const struct news *news, struct error *error)
{
    const struct position *position = (const struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *position;
    const char *origin = news->origin ? news->origin : "";
    if (*store->origin && strcmp(store->origin, origin) != 0)
        return replica_gone_back(store, error);
    for (size_t i = 0; i < count; i++)
        if (position[i].number > 0 && !has_writer(&news->heads, position[i].writer))
            return replica_gone_back(store, error);
    snprintf(store->origin, sizeof store->origin, "%s", origin);
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

/* Rows that were learnt from the train file must not vanish from the model unseen. */
static void lose_train(struct replica *store, const char *why)
{
    fprintf(stderr, "trendline_train: %s: " TRAIN_LOST "\n", why);
    store->base.train_lost = "trendline_train has lost the train file's sums: " TRAIN_LOST;
    snapshot_free(&store->base.train);
}

/* Takes the row of the last result. */
static bool take_train(struct replica *store, struct error *error)
{
    struct snapshot train;
    bool ok = parse_snapshot(postgres_text(store->postgres, 0, 0, 1), &train, error);
    if (!ok && error->kind == ERROR_BUSY)
        return false;
    if (!ok) {
        lose_train(store, error->text);
        return true;
    }
    snapshot_free(&store->base.train);
    store->base.train = train;
    store->base.train_lost = NULL;
    return true;
}

/* Is each writer where it was, and is none gone? */
static bool is_behind(struct replica *store, const struct buffer *heads)
{
    const struct position *head = (const struct position *)heads->data;
    size_t count = heads->length / sizeof *head;
    for (size_t i = 0; i < count; i++) {
        const int64_t *number = replica_position(store, head[i].writer);
        if (!number || *number != head[i].number)
            return true;
    }
    const struct position *position = (const struct position *)store->positions.data;
    size_t known = store->positions.length / sizeof *position;
    for (size_t i = 0; i < known; i++)
        if (position[i].number > 0 && !has_writer(heads, position[i].writer))
            return true;
    return false;
}

/* Also whether predict's file is not what it should be: it may have been lost. */
static bool is_outdated(struct replica *store, int64_t version)
{
    struct error none;
    model_file_refresh(&store->base.model, &none);
    const struct model *model = store->base.model.model;
    if (version == 0 || version == store->unreadable)
        return false;
    return !model || model->version != version ||
           (store->base.config->learn_online && model->events != store->base.learnt);
}

bool postgres_has_news(struct store *base, bool *has_news, struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct news news = {.heads = {0}};
    if (!postgres_connect(store->postgres, error))
        return false;
    if (!store->loaded) {
        *has_news = true;
        return true;
    }
    bool ok = look(store, &news, error);
    *has_news =
        ok && (news.revision != store->revision || (base->maps && news.terms != store->terms) ||
               strcmp(news.origin ? news.origin : "", store->origin) != 0 ||
               is_behind(store, &news.heads) || is_outdated(store, news.version));
    buffer_free(&news.heads);
    return ok;
}

static bool refresh_train(struct replica *store, int64_t revision, struct error *error)
{
    if (revision == store->revision)
        return true;
    if (!replica_ask_long(store, SQL_TRAIN, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) > 0) {
        revision = postgres_number(store->postgres, 0, 0, 0);
        if (!take_train(store, error))
            return false;
    } else {
        lose_train(store, "its row is gone");
    }
    store->revision = revision;
    return true;
}

/* Somebody may have made the terms again. */
static bool refresh_maps(struct replica *store, int64_t terms, struct error *error)
{
    struct store *base = &store->base;
    struct term_maps *maps = NULL;
    if (!base->maps || terms == store->terms)
        return true;
    if (!base->methods->load_maps(base, base->maps_schema, &maps, error))
        return false;
    if (maps && !term_maps_equal(maps, base->maps))
        return store_change_maps(base, maps, error);
    term_maps_free(maps);
    return true;
}

static struct model *fetch_model(struct replica *store, int64_t version, struct error *error)
{
    char number[INTEGER_MAX];
    const char *values[] = {replica_integer(version, number)};
    if (!replica_ask_long(store, SQL_MODEL, 1, values, error))
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

/* The next build makes it again, and meanwhile the model before it does. */
static bool pass_over(struct replica *store, int64_t version, const char *why)
{
    fprintf(stderr, "trendline_models: version %lld: %s: POST /build makes the next one\n",
            (long long)version, why);
    store->unreadable = version;
    return true;
}

/* Another replica's build becomes the current model here. */
static bool refresh_model(struct replica *store, int64_t version, struct error *error)
{
    struct error none;
    model_file_refresh(&store->base.model, &none);
    const struct model *current = store->base.model.model;
    store->version = version;
    if (version == 0 || version == store->unreadable || (current && current->version == version))
        return true;
    struct model *built = fetch_model(store, version, error);
    if (!built && error->kind == ERROR_BUSY)
        return false;
    if (!built)
        return pass_over(store, version, error->text);
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

static bool load_terms(struct replica *store, struct error *error)
{
    struct store *base = &store->base;
    return !base->config->has_terms || base->maps ||
           base->methods->load_maps(base, NULL, &base->maps, error);
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
    store->loaded =
        load_terms(store, error) &&
        (store_forgets(base) ? begin_at_tails(store, error) : replica_load_moments(store, error));
    return store->loaded;
}

static bool settle(struct replica *store)
{
    if (store->base.events)
        store_settle(&store->base);
    return true;
}

/* What there is, after the sums were loaded. */
static bool load_and_look(struct replica *store, struct news *news, struct error *error)
{
    buffer_clear(&news->heads);
    if (!load(store, error) || !look(store, news, error) || !check_origin(store, news, error))
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
    if (store_forgets(&store->base) || !store->may_load ||
        store->all - store->base.learnt < SNAPSHOT_AHEAD)
        return true;
    if (!replica_ask(store, SQL_KEPT, 0, NULL, error))
        return false;
    int64_t kept =
        postgres_rows(store->postgres, 0) ? postgres_number(store->postgres, 0, 0, 0) : 0;
    if (kept - store->base.learnt < SNAPSHOT_AHEAD || kept <= store->tried)
        return true;
    store->tried = kept;
    replica_forget_events(store);
    store->loaded = false;
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
              refresh_maps(store, news.terms, error) && store_follow_terms(&store->base, error) &&
              refresh_model(store, news.version, error);
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
static bool read_piece(struct replica *store, struct error *error)
{
    struct news news = {0};
    store->pause_at = clock_ms() + STORE_SLICE_MS;
    bool ok = learn_events(store, &news, error);
    store->pause_at = 0;
    buffer_free(&news.heads);
    return ok;
}

/* Learns by one of these two; anew where the database turns out to have gone back. */
static bool learn(struct replica *store, bool (*some)(struct replica *, struct error *),
                  struct error *error)
{
    for (int tries = 0;; tries++) {
        store->gone_back = false;
        if (postgres_connect(store->postgres, error) && some(store, error))
            return true;
        if (!store->loaded)
            replica_forget(store);
        if (!store->gone_back || tries > 0)
            return false;
        fprintf(stderr, "%s\n", error->text);
    }
}

/* What was stored since the last time is read before the lock is taken, unless that was just now:
 * then it is not much. */
enum lock_result postgres_lock(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    enum lock_result result;
    if (base->lock.held || (store->read_at > 0 && clock_ms() - store->read_at < RECENT_MS))
        return store_take_lock(base, error);
    if (!store->loaded) {
        if (!postgres_connect(store->postgres, error))
            return LOCK_ERROR;
        if ((result = publish_first(store, error)) != LOCK_HELD)
            return result;
    }
    if (!learn(store, read_piece, error))
        return error->kind == ERROR_BEHIND ? LOCK_WAIT : LOCK_ERROR;
    store->read_at = clock_ms();
    return store_take_lock(base, error);
}

bool postgres_catch_up(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    if (!learn(store, replica_learn_news, error))
        return false;
    store->read_at = clock_ms();
    return true;
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

/* A level without its text cannot be told to anybody. */
static bool check_texts(const struct replica *store, const double *row, struct error *error)
{
    for (size_t j = 0; j < store->schema->count; j++)
        if (store->schema->kinds[j] == CELL_CATEGORY && !isnan(row[j]) && !symbol_text(row[j]))
            return error_set(error, ERROR_DAMAGED,
                             "trendline_texts: the text of code %.17g is missing: restore it from "
                             "a copy",
                             row[j]);
    return true;
}

static bool visit_writer(struct replica *store, struct visited *visited, struct position head,
                         struct error *error)
{
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    for (int64_t number = 0; number < head.number;) {
        const char *values[] = {replica_integer(head.writer, writer), replica_integer(number, from),
                                replica_integer(head.number, to)};
        if (!replica_ask_long(store, SQL_EVENTS, 3, values, error))
            return false;
        size_t rows = postgres_rows(store->postgres, 0);
        for (size_t i = 0; i < rows; i++) {
            if (postgres_number(store->postgres, 0, i, 0) != ++number ||
                !parse_row(store, i, 5, visited->row))
                return damaged(head.writer, number, error);
            if (!check_texts(store, visited->row, error) || !visit_row(store, visited, i, error))
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
    bool ok = visited.row ? load_texts(store, error) : error_memory(error);
    for (size_t i = 0; ok && i < count; i++)
        ok = visit_writer(store, &visited, positions[i], error);
    free(visited.row);
    buffer_free(&visited.id);
    return ok;
}
