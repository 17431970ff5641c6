/* What is the same in every store, and the way to the implementation for what is not. */
#include "store_methods.h"

#include "postgres.h"
#include "symbols.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LOCK_WAIT_MS = 10000,
    LOCK_POLL_MS = 1,
    SYMBOLS_UNUSED_MAX = 1 << 14 /* texts that may be kept of events that were refused */
};

bool store_check(const struct config *config, struct error *error)
{
    const struct secret *uri = &config->postgres;
    const char *variable = uri->from_file ? CONFIG_POSTGRES "_FILE" : CONFIG_POSTGRES;
    return uri->length == 0 || postgres_check_uri(uri->text, variable, error);
}

struct store *store_open(const struct config *config, struct error *error)
{
    if (!store_check(config, error))
        return NULL;
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

static bool wait_lock(struct store *store,
                      enum lock_result (*take)(struct store *store, struct error *error),
                      struct error *error)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};
    int waited = 0;
    do {
        switch (take(store, error)) {
        case LOCK_HELD:
            return true;
        case LOCK_ERROR:
            return false;
        case LOCK_WAIT:
            break;
        }
        waited = error->kind == ERROR_BEHIND ? 0 : waited + LOCK_POLL_MS;
        nanosleep(&pause, NULL);
    } while (waited < LOCK_WAIT_MS);
    store_unlock(store);
    return error_set(error, ERROR_BUSY,
                     "another process has held the lock of the data directory for %d seconds",
                     LOCK_WAIT_MS / 1000);
}

bool store_wait(struct store *store, struct error *error)
{
    while (wait_lock(store, store_lock, error)) {
        if (store_catch_up(store, error))
            return true;
        if (error->kind != ERROR_BEHIND)
            return false;
        store_unlock(store);
    }
    return false;
}

void store_start(struct store *store, const char *sentence)
{
    if (store->methods->start)
        store->methods->start(store, sentence);
}

bool store_unlock(struct store *store)
{
    return store->methods->unlock(store);
}

bool store_claim_settings(struct store *store, enum settings_result *was, struct error *error)
{
    bool ok = wait_lock(store, store_take_lock, error) &&
              store->methods->claim_settings(store, was, error);
    lock_release(&store->lock);
    return ok;
}

bool store_keep_settings(struct store *store, struct error *error)
{
    return store->methods->keep_settings(store, error);
}

void store_limit_waits(struct store *store, int64_t ms)
{
    if (store->methods->limit_waits)
        store->methods->limit_waits(store, ms);
}

bool store_may_try(const struct store *store, struct error *error)
{
    return !store->methods->may_try || store->methods->may_try(store, error);
}

bool store_has_news(struct store *store, bool *news, struct error *error)
{
    *news = true;
    return !store->methods->has_news || store->methods->has_news(store, news, error);
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

bool store_allows_missing(const struct store *store)
{
    return store->config->missing_allowed;
}

int64_t store_events(const struct store *store)
{
    return store->methods->events(store);
}

const struct schema *store_event_schema(const struct store *store)
{
    return store->methods->event_schema(store);
}

bool store_rows(const struct store *store, struct folds_set *rows, struct error *error)
{
    *rows = (struct folds_set){.count = 0};
    if (store->train_lost) /* a model without them would be another */
        return error_set(error, ERROR_DAMAGED, "%s", store->train_lost);
    if (store_events(store) > 0)
        rows->of[rows->count++] = store->events;
    if (store->train.folds)
        rows->of[rows->count++] = store->train.folds;
    return rows->count > 0 ||
           error_set(error, ERROR_CONFLICT,
                     "there is nothing to train on: POST events to /action, or provide a train "
                     "file");
}

struct term_maps *store_maps(const struct store *store, const struct schema **schema)
{
    *schema = store->maps_schema;
    return store->maps;
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
    bool ok = store->methods->add(store, event, ticket, error);
    store->added += ok;
    return ok;
}

bool store_batch_is_full(const struct store *store)
{
    return store->added > 0 && store->config->has_terms && !store->maps &&
           store_events(store) + store->added == STORE_TERMS_ROWS;
}

size_t store_batch_bytes(const struct store *store)
{
    return store->methods->batch_bytes(store);
}

bool store_commit(struct store *store, struct error *error)
{
    store->added = 0;
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

/* Whether the rows of the window fit. */
static bool check_window(const struct store *store, const struct schema *schema,
                         struct error *error)
{
    uint64_t most = WINDOW_BYTES_MAX / (schema_cells(schema) * sizeof(double));
    return store->config->window <= most ||
           error_set(error, ERROR_UNUSABLE,
                     "WINDOW=%llu cannot be used: with %zu features it must be at most %llu, whose "
                     "rows take %d MB",
                     (unsigned long long)store->config->window, schema->count,
                     (unsigned long long)most, WINDOW_BYTES_MAX >> 20);
}

bool store_set_train(struct store *store, struct snapshot *train, struct error *error)
{
    if (train && !check_window(store, train->schema, error))
        return false;
    if (train && train->folds->maps && !store_take_train_maps(store, train, error))
        return false;
    return store->methods->set_train(store, train, error);
}

const struct model *store_model(const struct store *store)
{
    return store->model.model;
}

bool store_reserve_accepted(struct store *store, const double *row)
{
    return folds_reserve_accepted(store->events, row, row[store->events->features + 1]);
}

static void take_live(struct store *store, const struct live *live, int64_t judged)
{
    if (judged < store->judged)
        return;
    store->live = *live;
    store->judged = judged;
}

/* Others may have judged more events than this process: who publishes a model says so with it. */
static void follow_live(struct store *store)
{
    const struct model *model = store_model(store);
    if (model)
        take_live(store, &model->live, model->events);
}

void store_take_sums(struct store *store, struct snapshot *snapshot)
{
    store_free_sums(store);
    store->events = snapshot->folds;
    store->learnt = snapshot->position.seq;
    take_live(store, &snapshot->live, snapshot->judged);
    store->recent = snapshot->recent;
    snapshot->folds = NULL;
    snapshot->recent = NULL;
}

struct snapshot store_sums(const struct store *store)
{
    return (struct snapshot){.schema = (struct schema *)store_event_schema(store),
                             .folds = store->events,
                             .recent = store->recent,
                             .position.seq = store->learnt,
                             .judged = store->judged,
                             .live = store->live};
}

void store_stamp(struct store *store, struct model *model)
{
    follow_live(store);
    model->events = store->learnt;
    model->live = store->live;
}

bool store_publish_build(struct store *store, struct model *model, struct error *error)
{
    return store->methods->publish_build(store, model, error);
}

bool store_publish_update(struct store *store, struct model *model, struct error *error)
{
    const struct model *current = store_model(store);
    model->version = current->version;
    store_stamp(store, model);
    memcpy(model->created, current->created, sizeof model->created);
    return model_file_publish(&store->model, model, false, error);
}

bool store_restore_model(struct store *store, struct error *error)
{
    return store->methods->restore_model(store, error);
}

bool store_snapshot(struct store *store, struct error *error)
{
    return !store->methods->snapshot || store->methods->snapshot(store, error);
}

bool store_keep(struct store *store, bool *more, struct error *error)
{
    *more = false;
    return !store->methods->keep || store->methods->keep(store, more, error);
}

/* ------------------------------------------------------------------ for the implementations */

enum lock_result store_take_lock(struct store *store, struct error *error)
{
    enum lock_result result = lock_try(&store->lock, error);
    if (result == LOCK_WAIT)
        error_set(error, ERROR_BUSY, LOCK_BUSY_TEXT);
    return result;
}

enum { COUNT_MAX = 32 };

/* "1,200,000" */
static const char *write_count(int64_t count, char text[static COUNT_MAX])
{
    char digits[COUNT_MAX];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)count), at = 0;
    for (size_t i = 0; i < length && at + 2 < COUNT_MAX; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

bool store_is_behind(const char *what, int64_t known, int64_t all, struct error *error)
{
    char part[COUNT_MAX], whole[COUNT_MAX];
    return error_set(error, ERROR_BEHIND, "reading %s again: %s of %s events", what,
                     write_count(known, part), write_count(all, whole));
}

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

void store_free_sums(struct store *store)
{
    folds_free(store->events);
    window_free(store->window);
    recent_free(store->recent);
    store->events = NULL;
    store->window = NULL;
    store->recent = NULL;
    store->has_left = false;
}

void store_free_shared(struct store *store)
{
    store_free_sums(store);
    term_maps_free(store->maps);
    schema_free(store->maps_schema);
    schema_free(store->proposed);
    snapshot_free(&store->train);
    model_file_free(&store->model);
    lock_close(&store->lock);
}

static bool may_choose(const struct store *store)
{
    return store->config->may_choose;
}

static bool start_window(struct store *store, const struct schema *schema, struct error *error)
{
    if (store->config->window == 0)
        return true;
    if (!check_window(store, schema, error))
        return false;
    /* behind a row's cells there is its distance (folds_distance) */
    store->window = window_new(store->config->window, schema_cells(schema) + 1);
    return store->window || error_memory(error);
}

bool store_start_recent(struct store *store, const struct schema *schema, struct error *error)
{
    store->recent = NULL;
    if (store->config->forget > 0)
        store->recent = recent_new(store->config->forget, schema_numbers(schema));
    return store->config->forget == 0 || store->recent || error_memory(error);
}

struct folds *store_new_folds(const struct store *store, const struct schema *schema,
                              struct term_maps *maps)
{
    struct folds *folds =
        folds_new(schema->kinds, schema->count, folds_parts(schema->count, may_choose(store)));
    if (folds && store->config->forget > 0)
        folds_begin_forgetting(folds, store->config->forget);
    if (folds && maps && !folds_begin_terms(folds, maps)) {
        folds_free(folds);
        return NULL;
    }
    return folds;
}

bool store_start_moments(struct store *store, const struct schema *schema, struct error *error)
{
    if (store->maps && !schema_equal(store->maps_schema, schema))
        store_drop_maps(store);
    store_free_sums(store);
    if (!start_window(store, schema, error))
        return false;
    return store_start_recent(store, schema, error) &&
           ((store->events = store_new_folds(store, schema, store->maps)) || error_memory(error));
}

static bool reserve(const struct store *store, struct folds *folds, const double *row,
                    struct error *error)
{
    struct error why;
    size_t feature;
    if (folds_reserve(folds, row, row[folds->features + 1], &feature, &why))
        return true;
    if (feature == SIZE_MAX)
        return error_set(error, why.kind, "%s", why.text);
    return error_set(error, why.kind, "\"%s\" %s", store_schema(store)->names[feature], why.text);
}

/* Each keeps to the limits by itself; so must both together. */
static bool check_union(const struct encoding *a, const struct encoding *b, struct error *error)
{
    struct encoding *both = encoding_union(a, b);
    bool fits = both && both->columns <= ENCODING_COLUMNS_MAX;
    for (size_t j = 0; fits && j < both->features; j++)
        fits = both->of[j].count <= ENCODING_LEVELS_MAX;
    encoding_free(both);
    if (!both && a->columns + b->columns < ENCODING_ROOM)
        return error_memory(error);
    return fits || (a->is_plain && b->is_plain) ||
           error_set(error, ERROR_UNUSABLE,
                     "the features of the train file and the events have too many different values "
                     "together: at most %d one of them, and %d columns in all",
                     ENCODING_LEVELS_MAX, ENCODING_COLUMNS_MAX);
}

bool store_fits_train(const struct store *store, const struct snapshot *train, struct error *error)
{
    const struct folds *events = store_events(store) > 0 ? store->events : NULL;
    return !events || !train->folds || check_union(events->encoding, train->folds->encoding, error);
}

bool store_reserve(struct store *store, const double *row, struct error *error)
{
    const struct folds *train = store->train.folds;
    bool is_new = train && !encoding_knows(store->events->encoding, row);
    return reserve(store, store->events, row, error) &&
           (!train || reserve(store, store->train.folds, row, error)) &&
           (!is_new || check_union(store->events->encoding, train->encoding, error));
}

static bool has_level(const struct folds *folds, double code)
{
    return folds && encoding_has_level(folds->encoding, code);
}

static bool is_in_use(void *context, double code)
{
    const struct store *store = context;
    const struct model *model = store_model(store);
    return has_level(store->events, code) || has_level(store->train.folds, code) ||
           (model && encoding_has_level(model->predictor->encoding, code));
}

void store_forget_unstored(struct store *store)
{
    struct folds *events = store->events, *train = store->train.folds;
    if (events)
        folds_forget_unused(events, NULL);
    if (train)
        folds_forget_unused(train, events ? events->encoding : NULL);
    if (symbols_count() > SYMBOLS_UNUSED_MAX)
        symbols_forget(is_in_use, store);
}

static void judge(struct store *store, const double *row)
{
    bool clipped;
    size_t features = store->events->features;
    const struct model *model = store_model(store);
    follow_live(store);
    if (!model || store->learnt < store->judged || !model_has_means(model) ||
        !schema_equal(model->schema, store_schema(store)))
        return;
    live_add(&store->live, row[features], predictor_predict(model->predictor, row, &clipped),
             model->fit->means[model->fit->features]);
    store->judged = store->learnt + 1;
}

/* The row moves into the window, and the oldest one out of it and of the sums. */
static void move_window(struct store *store, const double *row, int64_t seq)
{
    double kept[SCHEMA_FEATURES_MAX + 3];
    size_t cells = store->events->features + 2;
    const double *oldest = window_oldest(store->window);
    if (oldest) {
        double weight = oldest[store->events->features + 1];
        folds_subtract(store->events, oldest, weight);
        if (store->events->maps)
            folds_subtract_terms(store->events, oldest, weight);
        store->has_left = true;
    }
    memcpy(kept, row, cells * sizeof *row);
    kept[cells] = folds_distance(store->events, row);
    window_add(store->window, seq, kept);
}

/* Only what is added shows at once; what is taken away or forgotten, when the store settles. */
static void reach_recent(struct store *store, const double *row, int64_t seq)
{
    struct folds *events = store->events;
    struct reach *block = recent_block(store->recent, seq);
    reach_add(block, events->encoding, row);
    if (events->maps)
        reach_add_terms(block, row[events->features], folds_distance(events, row));
}

void store_learn_row(struct store *store, const double *row, int64_t seq)
{
    double weight = row[store->events->features + 1];
    if (store->window && !window_takes(store->window, seq))
        return;
    if (store->window)
        move_window(store, row, seq);
    if (store->events->forget > 0) {
        folds_forget(store->events);
        store->has_left = true;
    }
    folds_add(store->events, row, weight);
    if (store->events->maps)
        folds_add_terms(store->events, row, weight);
    if (store->recent)
        reach_recent(store, row, seq);
}

void store_learn(struct store *store, const double *row, int64_t seq)
{
    judge(store, row);
    store_learn_row(store, row, seq);
    store->learnt++;
}

static void reach_window(struct store *store)
{
    struct folds *events = store->events;
    struct reach *reach = events->reach;
    size_t target = events->features, distance = target + 2;
    struct window_ends ends = window_reach(store->window);
    reach_clear(reach);
    reach_add(reach, events->encoding, ends.least);
    reach_add(reach, events->encoding, ends.greatest);
    if (!events->maps)
        return;
    reach_add_terms(reach, ends.least[target], NAN);
    reach_add_terms(reach, ends.greatest[target], ends.greatest[distance]);
}

void store_settle(struct store *store)
{
    struct folds *events = store->events;
    if (!store->has_left)
        return;
    if (store->window)
        reach_window(store);
    if (store->recent)
        recent_reach(store->recent, store->learnt, events->reach);
    store->has_left = !folds_forget_unused(events, NULL); /* without memory they stay a while */
}

bool store_forgets(const struct store *store)
{
    return store->config->window > 0 || store->config->forget > 0;
}

int64_t store_forgotten(const struct store *store, int64_t last)
{
    int64_t window = (int64_t)store->config->window;
    if (store->config->forget > 0)
        return recent_before(store->config->forget, last);
    return window > 0 && last > window ? last - window : 0;
}
