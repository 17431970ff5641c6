/* What a store makes of its files after a restart: the same sums to the last bit, or a refusal. */
#include "learn.h"
#include "store_fixture.h"

enum { EVENTS = 9000 /* more than two snapshots' worth */ };

static struct buffer sums; /* of all EVENTS */

/* Stores events [from, to) in batches of `batch`; every third one has an id. */
static void store_events_of(struct store *store, int from, int to, int batch)
{
    char id[16];
    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        if (add_numbered(store, i, i % 3 ? NULL : id) != STORE_ADDED)
            CHECK(false, "%d: %s", i, store_error.text);
        if ((i - from) % batch == batch - 1 || i + 1 == to)
            CHECK(store_commit(store, &store_error), "%s", store_error.text);
    }
}

static struct store *restart(struct store *store)
{
    end_store(store);
    return begin_store();
}

/* All ids are known, and the sums are as they should be; then closes the store. */
static void check_whole(struct store *store, const char *what)
{
    char id[16];
    int known = 0;
    CHECK_INT(EVENTS, store_events(store));
    CHECK(same_sums(store, &sums), "%s: other sums", what);
    for (int i = 0; i < EVENTS; i += 3) {
        snprintf(id, sizeof id, "id-%d", i);
        known += add_numbered(store, i, id) == STORE_DUPLICATE;
    }
    CHECK(known == EVENTS / 3, "%s: %d ids known", what, known);
    CHECK(store_batch_bytes(store) == 0, "%s: something was added", what);
    end_store(store);
}

/* The events one by one, in bulk, over restarts: the same bits. */
static void test_bit_equal(void)
{
    scratch_empty();
    struct store *store = begin_store();
    store_events_of(store, 0, EVENTS, EVENTS);
    sums = sums_of(store);
    check_whole(store, "in bulk");
    check_whole(begin_store(), "in bulk, restarted");
    scratch_empty();
    store = begin_store();
    store_events_of(store, 0, EVENTS, 1);
    check_whole(store, "one by one");
    scratch_empty();
    store = begin_store();
    for (int at = 0; at < EVENTS; at += 300) {
        store_events_of(store, at, at + 300, 1 + at / 100);
        store = restart(store);
    }
    check_whole(store, "over restarts");
}

static void change_byte(const char *name, double place)
{
    struct buffer content = get_file(name);
    content.data[(size_t)(place * (double)(content.length - 1))] ^= 4;
    put_file(name, content.data, content.length);
    buffer_free(&content);
}

/* The moments are made from the journal, with whatever help there is. */
static void test_snapshots(void)
{
    scratch_empty();
    struct store *store = begin_store();
    store_events_of(store, 0, 100, 10);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    struct buffer old = get_file(SNAPSHOT_EVENTS);
    store_events_of(store, 100, EVENTS, 10);
    end_store(store);
    put_file(SNAPSHOT_EVENTS, old.data, old.length);
    check_whole(begin_store(), "an old snapshot");
    remove(SNAPSHOT_EVENTS);
    check_whole(begin_store(), "no snapshot");
    for (double place = 0; place <= 1; place += 0.1) {
        store = begin_store();
        CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        end_store(store);
        change_byte(SNAPSHOT_EVENTS, place);
        check_whole(begin_store(), "a damaged snapshot");
    }
    put_text(SNAPSHOT_EVENTS, "");
    check_whole(begin_store(), "an empty snapshot");
    buffer_free(&old);
}

static void test_lost_ids(void)
{
    struct store *store = begin_store();
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
    struct buffer file = get_file("ids.mdb");
    const size_t lengths[] = {0, 100, 4096, 8192, file.length / 2, file.length - 1};
    remove("ids.mdb");
    check_whole(begin_store(), "no ids");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_file("ids.mdb", file.data, lengths[i]);
        check_whole(begin_store(), "ids cut");
    }
    memset(file.data, 'x', file.length);
    put_file("ids.mdb", file.data, file.length);
    check_whole(begin_store(), "garbage for ids");
    remove("ids.mdb");
    remove(SNAPSHOT_EVENTS);
    check_whole(begin_store(), "neither ids nor snapshot");
    buffer_free(&file);
}

static bool catches_up(void)
{
    struct store *store = open_store();
    bool ok = begin_work(store);
    end_store(store);
    return ok;
}

static void check_refused(const char *what)
{
    CHECK(!catches_up(), "%s is accepted", what);
    CHECK_INT(ERROR_DAMAGED, store_error.kind);
    CHECK(strncmp(store_error.text, JOURNAL_NAME ":", strlen(JOURNAL_NAME ":")) == 0, "%s: %s",
          what, store_error.text);
}

/* A journal that lost what other files know of is refused, and not made shorter still. */
static void test_lost_journal(void)
{
    struct store *store = begin_store();
    CHECK(learn_build(store, &store_error), "%s", store_error.text);
    end_store(store);
    struct buffer file = get_file(JOURNAL_NAME);
    static const char *const witnesses[] = {SNAPSHOT_EVENTS, "ids.mdb", MODEL_NAME};
    struct buffer saved[3];
    for (int i = 0; i < 3; i++)
        saved[i] = get_file(witnesses[i]);
    for (int with = 0; with < 3; with++) { /* only one of them is left */
        for (size_t less = 1; less < file.length; less = 3 * less + 1) {
            for (int i = 0; i < 3; i++)
                remove(witnesses[i]);
            put_file(witnesses[with], saved[with].data, saved[with].length);
            put_file(JOURNAL_NAME, file.data, file.length - less);
            check_refused("a journal cut short");
            struct stat status;
            CHECK(stat(JOURNAL_NAME, &status) == 0 && (size_t)status.st_size == file.length - less,
                  "%zu bytes less: it was cut", less);
        }
        remove(JOURNAL_NAME);
        check_refused("a missing journal");
        put_file(JOURNAL_NAME, file.data, file.length);
        buffer_free(&saved[with]);
    }
    check_whole(begin_store(), "the journal restored");
    buffer_free(&file);
}

/* Sums of other features, and no ids to tell how far they go. */
static void test_foreign_snapshot(void)
{
    static const char *const names[] = {"x"};
    struct snapshot foreign = {.folds = folds_new(NULL, 1, 1),
                               .position = {.offset = 999, .seq = 9}};
    foreign.schema = schema_new(names, NULL, 1, &store_error);
    CHECK(snapshot_write(&foreign, SNAPSHOT_EVENTS, &store_error), "%s", store_error.text);
    CHECK(!catches_up() && store_error.kind == ERROR_DAMAGED, "with ids");
    remove("ids.mdb");
    check_whole(begin_store(), "a foreign snapshot without ids");
    snapshot_free(&foreign);
}

/* The newest version is the model again when model.json is gone or damaged. */
static void test_restore_model(void)
{
    scratch_empty();
    struct store *store = begin_store();
    CHECK(!store_restore_model(store, &store_error) && store_error.kind == ERROR_ABSENT, "none");
    store_events_of(store, 0, 50, 50);
    for (int build = 0; build < 3; build++)
        CHECK(learn_build(store, &store_error), "%s", store_error.text);
    end_store(store);
    for (int damaged = 0; damaged < 2; damaged++) {
        if (damaged)
            change_byte(MODEL_NAME, 0.5);
        else
            remove(MODEL_NAME);
        store = begin_store();
        CHECK(store_restore_model(store, &store_error), "%s", store_error.text);
        CHECK_INT(3, store_model(store)->version);
        end_store(store);
    }
    store = begin_store();
    CHECK(learn_build(store, &store_error) && store_model(store)->version == 4, "the next one");
    end_store(store);
    remove(MODEL_NAME);
    change_byte("models/000004.json", 0.5);
    store = begin_store();
    CHECK(!store_restore_model(store, &store_error) && store_error.kind == ERROR_DAMAGED, "-");
    CHECK(strncmp(store_error.text, "models/000004.json: ", 20) == 0, "%s", store_error.text);
    end_store(store);
}

int main(void)
{
    scratch_make();
    test_bit_equal();
    test_snapshots();
    test_lost_ids();
    test_lost_journal();
    test_foreign_snapshot();
    test_restore_model();
    buffer_free(&sums);
    scratch_end();
    return check_report("store_recovery");
}
