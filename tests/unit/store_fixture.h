/* Stores for tests, on the scratch directory. */
#ifndef TRENDLINE_TESTS_STORE_FIXTURE_H
#define TRENDLINE_TESTS_STORE_FIXTURE_H

#include "check.h"
#include "journal.h"
#include "scratch.h"
#include "store.h"

static struct error store_error;

static struct config fixture_config = {.data_dir = ".",
                                       .train_path = "./train.txt",
                                       .learn_online = true,
                                       .keep_versions = 50,
                                       .id_window = UINT64_MAX};

static inline struct store *open_store(void)
{
    struct store *store = store_open(&fixture_config, &store_error);
    CHECK(store, "%s", store_error.text);
    return store;
}

/* Takes the lock and catches up. */
static inline bool begin_work(struct store *store)
{
    return store_wait(store, &store_error);
}

/* Opens a store, ready for work. */
static inline struct store *begin_store(void)
{
    struct store *store = open_store();
    CHECK(begin_work(store), "%s", store_error.text);
    return store;
}

static inline void end_store(struct store *store)
{
    store_unlock(store);
    store_close(store);
}

/* store_add of an event whose outcome does not depend on the commit, and that outcome. */
static inline enum store_outcome add_row(struct store *store, const double *row, const char *id,
                                         size_t id_length, int64_t *seq, struct error *error)
{
    size_t ticket;
    struct event event = {.row = row, .id = id, .id_length = id_length};
    return store_add(store, &event, &ticket, error) ? store_outcome(store, ticket, seq, error)
                                                    : STORE_REFUSED;
}

/* Puts an event (features a and b) into the open batch; the first one brings its schema. */
static inline enum store_outcome add_event(struct store *store, double a, double b, double target,
                                           const char *id, int64_t *seq)
{
    static const char *const names[] = {"a", "b"};
    double row[] = {a, b, target, 1};
    if (!store_schema(store)) {
        struct schema *schema = schema_new(names, NULL, 2, &store_error);
        CHECK(store_set_schema(store, schema, &store_error), "%s", store_error.text);
        schema_free(schema);
    }
    return add_row(store, row, id, id ? strlen(id) : 0, seq, &store_error);
}

/* Event `i` of a fixed sequence, awkward to sum. */
static inline enum store_outcome add_numbered(struct store *store, int i, const char *id)
{
    int64_t seq;
    return add_event(store, i % 7 ? 0.1 * i : 1e20, i % 5 ? -i / 3.0 : 1e-20, i % 3 ? i : 1e9, id,
                     &seq);
}

/* The sums as the bytes of a snapshot, which are the same for the same sums. */
static inline struct buffer sums_of(struct store *store)
{
    struct buffer bytes = {0};
    struct folds_set rows;
    struct snapshot snapshot = {.schema = (struct schema *)store_schema(store)};
    if (!CHECK(store_rows(store, &rows, &store_error), "%s", store_error.text))
        return bytes;
    snapshot.folds = folds_new(NULL, snapshot.schema->count, 1);
    moments_free(snapshot.folds->moments[0]);
    snapshot.folds->moments[0] = folds_set_moments(&rows);
    if (CHECK(snapshot_write(&snapshot, "sums", &store_error), "%s", store_error.text)) {
        bytes = get_file("sums");
        remove("sums");
    }
    folds_free(snapshot.folds);
    return bytes;
}

static inline bool same_sums(struct store *store, const struct buffer *wanted)
{
    struct buffer sums = sums_of(store);
    bool same = sums.length == wanted->length && memcmp(sums.data, wanted->data, sums.length) == 0;
    buffer_free(&sums);
    return same;
}

#endif
