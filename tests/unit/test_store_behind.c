/* A store that is far behind: reads without the lock, piece by piece, once for all processes, and
 * not again what a killed one had read. */
#include "lock.h"
#include "store_fixture.h"

#include <sys/wait.h>

enum {
    EVENTS = 90000, /* more than a megabyte of journal: one reads for all */
    LINES = 5000    /* in a batch: more than is read at a time */
};

static struct buffer sums; /* of all EVENTS */

static void make_events(void)
{
    char id[16];
    scratch_empty();
    struct store *store = begin_store();
    for (int i = 0; i < EVENTS; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        if (add_numbered(store, i, id) != STORE_ADDED)
            CHECK(false, "%d: %s", i, store_error.text);
        if (i % LINES == LINES - 1)
            CHECK(store_commit(store, &store_error), "%s", store_error.text);
    }
    sums = sums_of(store);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
}

/* How far store_lock says it is; -1: it does not wait for what is to be read. */
static long behind(enum lock_result result)
{
    long thousands = 0, rest = 0;
    if (result != LOCK_WAIT || store_error.kind != ERROR_BEHIND)
        return -1;
    int read = sscanf(store_error.text, "reading the journal again: %ld,%ld of 90,000 events",
                      &thousands, &rest);
    CHECK(read > 0 && strstr(store_error.text, " of 90,000 events"), "%s", store_error.text);
    return read == 2 ? 1000 * thousands + rest : thousands;
}

static bool is_free(void)
{
    struct lock lock;
    CHECK(lock_open(&lock, ".", &store_error), "%s", store_error.text);
    bool free = lock_try(&lock, &store_error) == LOCK_HELD;
    lock_close(&lock);
    return free;
}

/* Reads on until it has come to event `until`, or to the end. Returns how often it had to wait. */
static int read_on(struct store *store, long until)
{
    int waits = 0;
    for (long at, last = 0;; last = at, waits++) {
        enum lock_result result = store_lock(store, &store_error);
        at = behind(result);
        if (at < 0)
            CHECK(result == LOCK_HELD, "%s", store_error.text);
        if (at < 0 || at >= until)
            return waits;
        CHECK(at >= last, "%ld comes after %ld", at, last);
        struct error kept = store_error;
        CHECK(is_free(), "the lock is held while it reads");
        store_error = kept;
    }
}

/* The store is caught up, with the right sums and all ids; closes it. */
static void check_whole(struct store *store, const char *what)
{
    char id[16];
    int known = 0;
    CHECK(store_catch_up(store, &store_error), "%s: %s", what, store_error.text);
    CHECK_INT(EVENTS, store_events(store));
    CHECK(same_sums(store, &sums), "%s: other sums", what);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        known += add_numbered(store, i, id) == STORE_DUPLICATE;
    }
    CHECK(known == EVENTS, "%s: %d ids known", what, known);
    end_store(store);
}

static void test_pieces(void)
{
    static const char *const lost[][2] = {
        {SNAPSHOT_EVENTS, SNAPSHOT_EVENTS}, {"ids.mdb", "ids.mdb"}, {SNAPSHOT_EVENTS, "ids.mdb"}};
    for (int i = 0; i < 3; i++) {
        remove(lost[i][0]);
        remove(lost[i][1]);
        struct store *store = open_store();
        CHECK(read_on(store, EVENTS) > 1, "%s: in one piece", lost[i][0]);
        check_whole(store, lost[i][0]);
        store = open_store();
        CHECK_INT(0, read_on(store, EVENTS)); /* and it is kept */
        check_whole(store, "kept");
    }
}

/* What a process that is killed has read is not read again. */
static void test_killed(void)
{
    remove("ids.mdb");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        read_on(open_store(), 3 * LINES);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child, "the child");
    struct store *store = open_store();
    long first = behind(store_lock(store, &store_error));
    CHECK(first >= LINES, "it begins again, at %ld", first);
    read_on(store, EVENTS);
    check_whole(store, "after a kill");
}

/* Of two one reads, and the other has what that has made of it. */
static void test_one_reads(void)
{
    remove(SNAPSHOT_EVENTS);
    struct store *reader = open_store(), *other = open_store();
    CHECK_INT(0, behind(store_lock(reader, &store_error))); /* it has seen how far it is */
    long at = behind(store_lock(reader, &store_error));
    CHECK(at >= 0, "the one that reads: %ld", at);
    for (int i = 0; i < 30; i++) {
        long told = behind(store_lock(other, &store_error));
        CHECK(told >= 0 && told <= at, "the other tells how far that is: %ld, %ld", told, at);
    }
    read_on(reader, EVENTS);
    CHECK(store_catch_up(reader, &store_error), "%s", store_error.text);
    store_unlock(reader);
    int waits = read_on(other, EVENTS);
    CHECK(waits <= 2, "the other has read it too: %d", waits);
    check_whole(other, "the other");
    CHECK(store_wait(reader, &store_error), "%s", store_error.text);
    check_whole(reader, "the first");
}

/* Who gives up must not keep others from reading. */
static void test_gives_up(void)
{
    remove(SNAPSHOT_EVENTS);
    struct store *idle = open_store(), *store = open_store();
    read_on(idle, LINES);
    store_unlock(idle);
    read_on(store, EVENTS);
    check_whole(store, "beside an idle one");
    store_close(idle);
}

/* Damage is found where it is, every time, by whoever reads. */
static void test_damage(void)
{
    struct buffer journal = get_file(JOURNAL_NAME);
    char *line = memmem(journal.data, journal.length, "{\"_seq\":20000,", 14);
    line[20] ^= 1;
    put_file(JOURNAL_NAME, journal.data, journal.length);
    remove(SNAPSHOT_EVENTS);
    struct store *store = open_store();
    for (int i = 0; i < 3; i++) {
        enum lock_result result;
        do
            result = store_lock(store, &store_error);
        while (behind(result) >= 0);
        CHECK_INT(LOCK_ERROR, result);
        CHECK_INT(ERROR_DAMAGED, store_error.kind);
        CHECK(strncmp(store_error.text, JOURNAL_NAME ":20000:", 20) == 0, "%s", store_error.text);
        CHECK(is_free(), "it keeps the lock");
    }
    store_close(store);
    line[20] ^= 1;
    put_file(JOURNAL_NAME, journal.data, journal.length);
    store = open_store();
    read_on(store, EVENTS);
    check_whole(store, "restored");
    buffer_free(&journal);
}

int main(void)
{
    scratch_make();
    make_events();
    test_pieces();
    test_killed();
    test_one_reads();
    test_gives_up();
    test_damage();
    buffer_free(&sums);
    scratch_end();
    return check_report("store_behind");
}
