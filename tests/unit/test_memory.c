/* Fails the first allocation of an operation, then the second, and so on until it succeeds: each
 * time a clean error, nothing changed, and (with a sanitizer) nothing leaked. */
#include "failing_memory.h"

#include "event_reader.h"
#include "fake_request.h"
#include "file.h"
#include "ids.h"
#include "journal_fixture.h"
#include "json.h"
#include "learn.h"
#include "model_file.h"
#include "snapshot.h"
#include "store_fixture.h"
#include "store_methods.h"

enum { TRIES_MAX = 2000 };

static struct error error;

/* Runs `operation` with ever later failures until none comes up. It returns false when it failed,
 * and checks itself that it then left things as they were. */
static void fail_each(const char *name, bool (*operation)(void))
{
    for (long n = 0; n < TRIES_MAX; n++) {
        error.kind = ERROR_NONE;
        memory_fail_at(n);
        bool ok = operation();
        if (!memory_has_failed()) {
            CHECK(ok, "%s: %s", name, error.text);
            CHECK(n > 0, "%s does not allocate", name);
            return;
        }
        CHECK(ok || error.kind == ERROR_BUSY, "%s, allocation %ld: kind %d: %s", name, n,
              error.kind, error.text);
    }
    CHECK(false, "%s: no end", name);
}

static bool parse_json(void)
{
    static const char text[] = "{\"a\": [1, \"text\", {\"b\": null}], \"\\u00e9\": 1e5}";
    struct json *json = json_parse(text, sizeof text - 1, &error);
    json_free(json);
    return json;
}

static bool make_schema(void)
{
    static const char *const names[] = {"a", "b", "c"};
    struct schema *schema = schema_new(names, NULL, 3, &error);
    schema_free(schema);
    return schema;
}

static struct schema *schema;

/* Adds two events behind those of before and commits; the file tells whether it is all or none. */
static bool append_to_journal(void)
{
    struct replayed before, after;
    long left = memory_pause();
    CHECK(replay_all(&before, 0), "%s", journal_error.text);
    memory_resume(left);
    struct journal *journal = journal_open(".", &error);
    bool ok = journal && journal_set_schema(journal, schema, &error) &&
              journal_replay(journal, 0, keep_event, &after, &error);
    after.count = 0;
    if (ok) {
        for (int i = 0; i < 2; i++) {
            uint64_t offset;
            int64_t seq = before.count + 1 + i;
            struct event event = fixture_event(seq);
            journal_add(journal, &event, &offset);
        }
        ok = journal_commit(journal, &error);
    }
    journal_close(journal);
    left = memory_pause();
    CHECK(replay_all(&after, 0), "%s", journal_error.text);
    CHECK(are_first(&after, before.count + (ok ? 2 : 0)), "%d events after %d", after.count,
          before.count);
    memory_resume(left);
    return ok;
}

static bool add_ids(void)
{
    uint64_t offset;
    struct ids *ids = ids_open(".", 5, &error);
    bool ok = ids != NULL;
    int count = 0;
    for (; ok && count < 70; count++) { /* more than the first room for them */
        char id[16];
        int length = snprintf(id, sizeof id, "%d", count);
        ok = ids_add(ids, id, (size_t)length, (uint64_t)count, &error);
    }
    if (ids && !ok && count > 1)
        CHECK(ids_recent(ids) == (size_t)count - 1 &&
                  ids_find(ids, "0", 1, &offset, &error) != IDS_ERROR,
              "those before are there");
    error.kind = ERROR_BUSY;
    ids_close(ids);
    return ok;
}

/* A store with two events; adds one with an id and one without, commits, and looks what there is
 * then, now and after a restart. */
static bool add_to_store(void)
{
    static const double rows[2][4] = {{1, 2, 3, 1}, {4, 5, 6, 0.5}};
    int64_t seq, events;
    long left = memory_pause();
    struct store *store = open_store();
    if (!CHECK(begin_work(store), "%s", store_error.text))
        return false;
    events = store_events(store);
    struct buffer before = sums_of(store), ids = {0};
    buffer_printf(&ids, "id-%d", (int)events);
    memory_resume(left);
    bool ok = add_row(store, rows[0], ids.data, ids.length, &seq, &error) == STORE_ADDED &&
              add_row(store, rows[1], NULL, 0, &seq, &error) == STORE_ADDED;
    bool committed = store_commit(store, &error);
    left = memory_pause();
    int64_t now = store_events(store);
    CHECK(committed ? now == events + (ok ? 2 : now - events) : now == events, "%d events after %d",
          (int)now, (int)events);
    CHECK(same_sums(store, &before) == (now == events), "its sums");
    if (!committed) /* the id is free */
        CHECK(add_row(store, rows[1], ids.data, ids.length, &seq, &store_error) == STORE_ADDED,
              "%s", store_error.text);
    buffer_free(&before);
    before = (struct buffer){0};
    if (committed)
        before = sums_of(store);
    end_store(store);
    store = begin_store();
    CHECK_INT(now, store_events(store));
    CHECK(!committed || same_sums(store, &before), "its sums after a restart");
    buffer_free(&before);
    buffer_free(&ids);
    end_store(store);
    memory_resume(left);
    return ok && committed;
}

/* The very first event, whose schema is the store's. */
static bool add_first(void)
{
    static const double row[] = {1, 2, 3, 1};
    int64_t seq;
    long left = memory_pause();
    scratch_empty();
    struct store *store = begin_store();
    memory_resume(left);
    bool ok = store_set_schema(store, schema, &error) &&
              add_row(store, row, "x", 1, &seq, &error) == STORE_ADDED;
    ok = store_commit(store, &error) && ok;
    left = memory_pause();
    if (!ok) {
        CHECK(!store_event_schema(store) && store_events(store) == 0, "nothing is stored");
        CHECK(add_event(store, 7, 8, 9, "x", &seq) == STORE_ADDED && seq == 1, "%s",
              store_error.text);
        CHECK(store_commit(store, &store_error), "%s", store_error.text);
    }
    CHECK_INT(1, store_events(store));
    end_store(store);
    memory_resume(left);
    return ok;
}

static bool start_store(void)
{
    struct store *store = store_open(&fixture_config, &error);
    bool ok = store && store_wait(store, &error);
    if (ok)
        CHECK_INT(10, store_events(store));
    if (store)
        store_unlock(store);
    store_close(store);
    return ok;
}

/* A start on a directory with or without snapshot and ids. */
static void test_starts(void)
{
    scratch_empty();
    struct store *store = begin_store();
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        add_numbered(store, i, id);
        CHECK(i % 3 || store_commit(store, &store_error), "%s", store_error.text);
    }
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
    fail_each("start with a snapshot", start_store);
    remove(SNAPSHOT_EVENTS);
    fail_each("start without a snapshot", start_store);
    remove("ids.mdb");
    fail_each("start without ids", start_store);
}

static void write_model(void)
{
    int64_t seq;
    scratch_empty();
    struct store *store = begin_store();
    add_event(store, 1, 2, 3, NULL, &seq);
    CHECK(store_commit(store, &store_error) && learn_build(store, &store_error), "%s",
          store_error.text);
    end_store(store);
}

/* A model that could not be read for want of memory is read the next time, without being replaced
 * first. */
static bool read_model(void)
{
    struct model_file file;
    CHECK(model_file_init(&file, ".", &error), "%s", error.text);
    bool ok = model_file_refresh(&file, &error);
    long left = memory_pause();
    CHECK(model_file_refresh(&file, &store_error), "the next time: %s", store_error.text);
    memory_resume(left);
    model_file_free(&file);
    return ok;
}

enum { CURVED = 40 };

static void write_curve(void)
{
    int64_t seq;
    scratch_empty();
    fixture_config.may_choose = fixture_config.has_terms = true;
    struct store *store = begin_store();
    for (int i = 0; i < CURVED; i++)
        add_event(store, i, i * 7 % 11, i * i + i % 3, NULL, &seq);
    CHECK(store_commit(store, &store_error) && learn_build(store, &store_error) &&
              store_snapshot(store, &store_error),
          "%s", store_error.text);
    CHECK(store_model(store)->predictor->candidate > RIDGE, "a model of terms");
    end_store(store);
}

/* What was not read for want of memory is not taken for damaged, and made again otherwise. */
static bool start_with_terms(void)
{
    struct store *store = store_open(&fixture_config, &error);
    bool ok = store && store_lock(store, &error) == LOCK_HELD && store_catch_up(store, &error);
    if (ok)
        CHECK(store_events(store) == CURVED && store->maps, "all of it");
    if (store)
        store_unlock(store);
    store_close(store);
    return ok;
}

static void test_terms(void)
{
    struct buffer before = {0}, after = {0};
    write_curve();
    CHECK(file_read("terms.json", 1 << 20, &before, &error), "%s", error.text);
    fail_each("a model of terms", read_model);
    fail_each("start with terms", start_with_terms);
    CHECK(file_read("terms.json", 1 << 20, &after, &error), "%s", error.text);
    CHECK(before.length == after.length && memcmp(before.data, after.data, after.length) == 0,
          "terms are made from the same");
    buffer_free(&before);
    buffer_free(&after);
    fixture_config.may_choose = fixture_config.has_terms = false;
}

/* A request of several events through the handler: the answer says which of them were stored. */
static bool post_events(void)
{
    static const char body[] = "[{\"a\":1,\"b\":2,\"target\":3},{\"a\":2,\"b\":2,\"target\":3,"
                               "\"_id\":\"x\"}]";
    struct handler handler;
    struct fake_request fake;
    long left = memory_pause();
    scratch_empty();
    CHECK(action_handler(&handler, &fixture_config, &error), "%s", error.text);
    fake_begin(&fake, "POST", "/action", "", "application/json", body);
    memory_resume(left);
    int status = fake_serve(&handler, &fake);
    left = memory_pause();
    CHECK(status == 200 || status == 503, "status %d: %s", status, fake_body(&fake));
    struct store *store = begin_store();
    /* the answer itself may be what there was no memory for */
    bool lost = strcmp(fake_body(&fake), "{\"error\": \"out of memory\"}\n") == 0;
    int told = 0, stored = (int)store_events(store);
    sscanf(fake_body(&fake), "{\"accepted\": %d", &told);
    CHECK(stored == told || (lost && stored == 2), "%d events: %s", stored, fake_body(&fake));
    end_store(store);
    handler.close(handler.context);
    memory_resume(left);
    error.kind = ERROR_BUSY;
    return status == 200;
}

int main(void)
{
    scratch_make();
    fail_each("json_parse", parse_json);
    fail_each("schema_new", make_schema);
    schema = fixture_schema();
    scratch_empty();
    fail_each("journal", append_to_journal);
    scratch_empty();
    fail_each("ids", add_ids);
    fail_each("the first event", add_first);
    fail_each("the store", add_to_store);
    test_starts();
    write_model();
    fail_each("model.json", read_model);
    test_terms();
    fail_each("POST /action", post_events);
    schema_free(schema);
    scratch_end();
    return check_report("memory");
}
