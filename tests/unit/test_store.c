#include "learn.h"
#include "store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void test_add_and_commit(void)
{
    int64_t seq = 0;
    scratch_empty();
    struct store *store = begin_store();
    CHECK(!store_schema(store) && store_events(store) == 0, "empty");
    struct folds_set rows;
    CHECK(!store_rows(store, &rows, &store_error) && store_error.kind == ERROR_CONFLICT, "nothing");
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, NULL, &seq));
    CHECK_INT(1, seq);
    CHECK_INT(STORE_ADDED, add_event(store, 4, 5, 6, NULL, &seq));
    CHECK_INT(2, seq);
    CHECK_INT(0, store_events(store));
    CHECK(store_batch_bytes(store) > 0, "open");
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    CHECK_INT(2, store_events(store));
    CHECK_INT(0, store_batch_bytes(store));
    CHECK(store_event_schema(store) && store_schema(store)->count == 2, "schema");
    CHECK(store_commit(store, &store_error), "an empty batch: %s", store_error.text);
    CHECK_INT(2, store_events(store));
    end_store(store);
    store = begin_store();
    CHECK_INT(2, store_events(store));
    end_store(store);
}

static void test_duplicates(void)
{
    int64_t seq = 0;
    scratch_empty();
    struct store *store = begin_store();
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, "x", &seq));
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, "y", &seq));
    CHECK_INT(STORE_DUPLICATE, add_event(store, 1, 2, 3, "x", &seq)); /* in the same batch */
    CHECK_INT(1, seq);
    CHECK_INT(STORE_REFUSED, add_event(store, 1, 2, 4, "x", &seq));
    CHECK_INT(ERROR_CONFLICT, store_error.kind);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    for (int round = 0; round < 4; round++) {
        CHECK_INT(STORE_DUPLICATE, add_event(store, 1, 2, 3, "y", &seq));
        CHECK_INT(2, seq);
        CHECK_INT(STORE_REFUSED, add_event(store, 1, 2.5, 3, "y", &seq));
        CHECK_STRING("_id \"y\" is already stored as event 2 with other content", store_error.text);
        CHECK(store_commit(store, &store_error), "%s", store_error.text);
        CHECK_INT(2, store_events(store));
        if (round == 1)
            CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        end_store(store);
        if (round == 2)
            remove("ids.mdb");
        store = begin_store();
    }
    end_store(store);
}

/* A conflict's sentence is whole whatever the id. */
static void test_longest_id(void)
{
    char id[511];
    int64_t seq;
    memset(id, '\\', 510);
    id[510] = '\0';
    scratch_empty();
    struct store *store = begin_store();
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, id, &seq));
    CHECK_INT(STORE_REFUSED, add_event(store, 1, 2, 4, id, &seq));
    CHECK(strstr(store_error.text, "with other content"), "%s", store_error.text);
    end_store(store);
}

static void test_small_id_window(void)
{
    int64_t seq;
    fixture_config.id_window = 2;
    scratch_empty();
    struct store *store = begin_store();
    add_event(store, 1, 1, 1, "a", &seq);
    add_event(store, 2, 2, 2, "b", &seq);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    CHECK_INT(STORE_DUPLICATE, add_event(store, 1, 1, 1, "a", &seq));
    add_event(store, 3, 3, 3, "c", &seq);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(STORE_DUPLICATE, add_event(store, 2, 2, 2, "b", &seq));
        CHECK_INT(STORE_DUPLICATE, add_event(store, 3, 3, 3, "c", &seq));
        if (round == 0)
            CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        end_store(store);
        if (round == 1)
            remove("ids.mdb");
        store = begin_store();
    }
    CHECK_INT(STORE_ADDED, add_event(store, 1, 1, 1, "a", &seq)); /* forgotten */
    CHECK_INT(4, seq);
    end_store(store);
    fixture_config.id_window = UINT64_MAX;
}

static bool propose(struct store *store, const char *name)
{
    struct schema *schema = schema_new(&name, NULL, 1, &store_error);
    bool ok = store_set_schema(store, schema, &store_error);
    schema_free(schema);
    return ok;
}

/* Only an event that is stored fixes the schema. */
static void test_schema_proposal(void)
{
    int64_t seq;
    double row[] = {1, 2, 1};
    scratch_empty();
    struct store *store = begin_store(), *other = open_store();
    CHECK(propose(store, "x") && store_schema(store)->count == 1, "%s", store_error.text);
    store_unset_schema(store);
    CHECK(!store_schema(store), "unset");
    CHECK(propose(store, "x"), "%s", store_error.text);
    CHECK_INT(STORE_ADDED, add_row(store, row, NULL, 0, &seq, &store_error));
    fixture_config.min_free = UINT64_MAX / 2;
    CHECK(!store_commit(store, &store_error), "no room");
    CHECK_INT(ERROR_FULL, store_error.kind);
    fixture_config.min_free = 0;
    CHECK(!store_schema(store) && !store_event_schema(store), "the batch failed");
    store_unlock(store);
    CHECK(begin_work(other), "%s", store_error.text);
    CHECK_INT(STORE_ADDED, add_event(other, 1, 2, 3, NULL, &seq));
    CHECK(store_commit(other, &store_error), "%s", store_error.text);
    struct buffer sums = sums_of(other);
    store_unlock(other);
    CHECK(begin_work(store), "the other's event has other features: %s", store_error.text);
    CHECK_INT(2, store_schema(store)->count);
    CHECK(same_sums(store, &sums), "its sums");
    buffer_free(&sums);
    end_store(store);
    store_close(other);
}

/* An event that the sums cannot hold is refused before it is stored. */
static void test_too_wide(void)
{
    static char text[SCHEMA_FEATURES_MAX][8];
    static double row[SCHEMA_FEATURES_MAX + 2];
    const char *names[SCHEMA_FEATURES_MAX];
    int64_t seq;
    for (int i = 0; i < SCHEMA_FEATURES_MAX; i++) {
        snprintf(text[i], sizeof text[i], "f%d", i % 1000);
        names[i] = text[i];
        row[i] = 1.7e308;
    }
    row[0] = 5e-324;
    row[SCHEMA_FEATURES_MAX + 1] = 1;
    scratch_empty();
    struct store *store = begin_store();
    struct schema *wide = schema_new(names, NULL, SCHEMA_FEATURES_MAX, &store_error);
    CHECK(store_set_schema(store, wide, &store_error), "%s", store_error.text);
    CHECK_INT(STORE_ADDED, add_row(store, row, NULL, 0, &seq, &store_error));
    row[1] = 5e-324;
    row[0] = 1.7e308;
    CHECK_INT(STORE_REFUSED, add_row(store, row, NULL, 0, &seq, &store_error));
    CHECK_INT(ERROR_UNUSABLE, store_error.kind);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    CHECK_INT(1, store_events(store));
    schema_free(wide);
    end_store(store);
}

static bool limit_file_size(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

/* Nothing of a batch that could not be written stays, and the next one is stored. */
static void test_failed_commit(void)
{
    int64_t seq;
    scratch_empty();
    signal(SIGXFSZ, SIG_IGN);
    struct store *store = begin_store();
    for (int i = 0; i < 10; i++)
        add_numbered(store, i, NULL);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    struct buffer before = sums_of(store);
    for (int fault = 0; fault < 2; fault++) {
        for (int i = 10; i < 100; i++) {
            char id[16];
            snprintf(id, sizeof id, "%d", i);
            CHECK_INT(STORE_ADDED, add_numbered(store, i, id));
        }
        fixture_config.min_free = fault ? 0 : UINT64_MAX / 2;
        limit_file_size(fault ? 2000 : RLIM_INFINITY);
        CHECK(!store_commit(store, &store_error), "it failed");
        CHECK_INT(fault ? ERROR_FULL : ERROR_FULL, store_error.kind);
        limit_file_size(RLIM_INFINITY);
        fixture_config.min_free = 0;
        CHECK_INT(10, store_events(store));
        CHECK(same_sums(store, &before), "nothing was learnt");
    }
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, "10", &seq));
    CHECK_INT(11, seq);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    struct buffer after = sums_of(store);
    end_store(store);
    store = begin_store();
    CHECK_INT(11, store_events(store));
    CHECK(same_sums(store, &after), "after a restart");
    buffer_free(&before);
    buffer_free(&after);
    end_store(store);
}

/* Two stores on one directory take turns; both know all ids, both have the same sums. */
static void test_two_stores(void)
{
    scratch_empty();
    struct store *stores[2] = {open_store(), open_store()};
    char id[16];
    for (int i = 0; i < 300; i++) {
        struct store *store = stores[i * 5 % 7 % 2];
        CHECK(begin_work(store), "%s", store_error.text);
        CHECK_INT(LOCK_WAIT, store_lock(stores[1 - i * 5 % 7 % 2], &store_error));
        store_unlock(stores[1 - i * 5 % 7 % 2]);
        CHECK_INT(i, store_events(store));
        snprintf(id, sizeof id, "%d", i);
        CHECK_INT(STORE_ADDED, add_numbered(store, i, id));
        snprintf(id, sizeof id, "%d", i / 2);
        CHECK_INT(STORE_DUPLICATE, add_numbered(store, i / 2, id));
        CHECK(store_commit(store, &store_error), "%s", store_error.text);
        if (i % 50 == 0)
            CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        store_unlock(store);
    }
    CHECK(begin_work(stores[0]), "%s", store_error.text);
    struct buffer sums = sums_of(stores[0]);
    store_unlock(stores[0]);
    CHECK(begin_work(stores[1]), "%s", store_error.text);
    CHECK(same_sums(stores[1], &sums), "the same sums");
    buffer_free(&sums);
    end_store(stores[1]);
    store_close(stores[0]);
}

enum { CHILD_EVENTS = 400, CHILDREN = 3 };

/* Stores its own events and some that all store, one a batch. */
static void child_appends(int child)
{
    struct store *store = store_open(&fixture_config, &store_error);
    struct error error;
    int failures = 0;
    for (int i = 0; i < CHILD_EVENTS; i++) {
        char id[32];
        int64_t seq;
        enum lock_result lock;
        while ((lock = store_lock(store, &error)) == LOCK_WAIT)
            usleep(50);
        failures += lock != LOCK_HELD || !store_catch_up(store, &error);
        if (i % 4)
            snprintf(id, sizeof id, "%d-%d", i, child);
        else
            snprintf(id, sizeof id, "all-%d", i);
        int kind = i % 4 ? child : 99;
        failures += add_event(store, i, kind, i * 3 + kind, id, &seq) == STORE_REFUSED ||
                    !store_commit(store, &error);
        store_unlock(store);
    }
    store_close(store);
    _exit(failures > 0);
}

static void test_processes(void)
{
    scratch_empty();
    fflush(stdout);
    for (int child = 0; child < CHILDREN; child++)
        if (fork() == 0)
            child_appends(child);
    for (int child = 0, status; child < CHILDREN; child++)
        CHECK(wait(&status) > 0 && status == 0, "status %d", status);
    struct store *store = begin_store();
    CHECK_INT(CHILDREN * CHILD_EVENTS * 3 / 4 + CHILD_EVENTS / 4, store_events(store));
    int64_t seq;
    for (int child = 0; child < CHILDREN; child++)
        for (int i = 0; i < CHILD_EVENTS; i++) {
            char id[32];
            snprintf(id, sizeof id, "%d-%d", i, child);
            if (i % 4)
                CHECK_INT(STORE_DUPLICATE, add_event(store, i, child, i * 3 + child, id, &seq));
        }
    end_store(store);
}

/* With LEARN=online each batch moves the built model, with LEARN=build only a build does. */
static void test_learning(void)
{
    int64_t seq;
    for (int online = 0; online < 2; online++) {
        scratch_empty();
        fixture_config.learn_online = online;
        struct store *store = begin_store();
        CHECK(!learn_build(store, &store_error) && store_error.kind == ERROR_CONFLICT, "nothing");
        for (int i = 0; i < 4; i++)
            add_event(store, i, i * i, 1 + 2 * i - i * i, NULL, &seq);
        CHECK(store_commit(store, &store_error), "%s", store_error.text);
        CHECK(learn_update(store, &fixture_config, &store_error) && !store_model(store),
              "no model before a build");
        CHECK(learn_build(store, &store_error), "%s", store_error.text);
        CHECK_INT(1, store_model(store)->version);
        CHECK_INT(4, store_model(store)->events);
        CHECK_DOUBLE(-1, store_model(store)->fit->coefficients[2].hi);
        add_event(store, 10, 10, 1000, NULL, &seq);
        CHECK(store_commit(store, &store_error), "%s", store_error.text);
        CHECK(learn_update(store, &fixture_config, &store_error), "%s", store_error.text);
        CHECK_INT(1, store_model(store)->version);
        CHECK_INT(online ? 5 : 4, store_model(store)->events);
        CHECK_INT(online ? 5 : 4, store_model(store)->fit->rows);
        CHECK(learn_build(store, &store_error), "%s", store_error.text);
        CHECK_INT(2, store_model(store)->version);
        CHECK_INT(5, store_model(store)->fit->rows);
        CHECK(access("models/000001.json", R_OK) == 0 && access("models/000002.json", R_OK) == 0,
              "each version is kept");
        end_store(store);
    }
    fixture_config.learn_online = true;
}

int main(void)
{
    scratch_make();
    test_add_and_commit();
    test_duplicates();
    test_longest_id();
    test_small_id_window();
    test_schema_proposal();
    test_too_wide();
    test_failed_commit();
    test_two_stores();
    test_processes();
    test_learning();
    scratch_end();
    return check_report("store");
}
