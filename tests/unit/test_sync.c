/* A disk that refuses to sync, or even to cut a file: linked with --wrap for the two calls (see the
 * Makefile). */
#include "store_fixture.h"

#include <errno.h>

static int syncs_to_fail, cuts_to_fail, syncs;

int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t length);
int __wrap_fdatasync(int fd);
int __wrap_ftruncate(int fd, off_t length);

static bool fails(int *left)
{
    if (*left == 0)
        return false;
    --*left;
    errno = EIO;
    return true;
}

int __wrap_fdatasync(int fd)
{
    syncs++;
    return fails(&syncs_to_fail) ? -1 : __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t length)
{
    return fails(&cuts_to_fail) ? -1 : __real_ftruncate(fd, length);
}

static off_t journal_size(void)
{
    struct stat status;
    return stat(JOURNAL_NAME, &status) == 0 ? status.st_size : -1;
}

static struct store *store_with_events(int count)
{
    scratch_empty();
    struct store *store = begin_store();
    for (int i = 0; i < count; i++)
        add_numbered(store, i, NULL);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    return store;
}

/* One sync a batch, however many events. */
static void test_one_sync(void)
{
    syncs = 0;
    struct store *store = store_with_events(100);
    CHECK_INT(1, syncs);
    end_store(store);
}

/* Nobody knows what the disk holds of the batch: it is cut off, and the cut is synced, before the
 * lock is given up. */
static void test_sync_fails(void)
{
    int64_t seq;
    struct store *store = store_with_events(3);
    off_t before = journal_size();
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 3, "x", &seq));
    syncs = 0;
    syncs_to_fail = 1;
    CHECK(!store_commit(store, &store_error), "it was not synced");
    CHECK_STRING("cannot sync actions.jsonl: Input/output error", store_error.text);
    CHECK_INT(2, syncs);
    CHECK_INT(before, journal_size());
    CHECK_INT(3, store_events(store));
    CHECK_INT(STORE_ADDED, add_event(store, 1, 2, 4, "x", &seq));
    CHECK_INT(4, seq);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    end_store(store);
    store = begin_store();
    CHECK_INT(4, store_events(store));
    end_store(store);
}

/* While the rest of the batch cannot be cut off either, nobody else gets the lock: they would take
 * it for stored. */
static void test_cut_fails(void)
{
    int64_t seq;
    struct store *store = store_with_events(3), *other = open_store();
    off_t before = journal_size();
    add_event(store, 1, 2, 3, "x", &seq);
    syncs_to_fail = 1;
    cuts_to_fail = 3;
    CHECK(!store_commit(store, &store_error), "it was not synced");
    CHECK(journal_size() > before, "the batch is still there");
    store_unlock(store); /* tries again to cut */
    CHECK_INT(LOCK_WAIT, store_lock(other, &store_error));
    CHECK(!begin_work(store), "and again");
    CHECK_INT(ERROR_SYSTEM, store_error.kind);
    store_unlock(store); /* now it works */
    CHECK_INT(before, journal_size());
    CHECK(begin_work(other), "%s", store_error.text);
    CHECK_INT(3, store_events(other));
    CHECK_INT(STORE_ADDED, add_event(other, 1, 2, 4, "x", &seq));
    CHECK(store_commit(other, &store_error), "%s", store_error.text);
    store_unlock(other);
    CHECK(begin_work(store), "%s", store_error.text);
    CHECK_INT(4, store_events(store));
    CHECK_INT(STORE_DUPLICATE, add_event(store, 1, 2, 4, "x", &seq));
    end_store(store);
    store_close(other);
}

int main(void)
{
    scratch_make();
    test_one_sync();
    test_sync_fails();
    test_cut_fails();
    scratch_end();
    return check_report("sync");
}
