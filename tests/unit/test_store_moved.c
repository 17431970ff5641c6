/* Files that are renamed, removed, cut or replaced under a store, and what the next one makes of
 * it: nothing is acknowledged that whoever opens the directory next would not find, and no id
 * counts twice. */
#include "file.h"
#include "learn.h"
#include "store_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const made[] = {"actions.jsonl", "ids.mdb", "events.moments", "model.json"};

static void rename_to(const char *from, const char *to)
{
    CHECK(rename(from, to) == 0, "cannot rename %s", from);
}

static void store_one(struct store *store, int i)
{
    char id[16];
    snprintf(id, sizeof id, "id-%d", i);
    CHECK_INT(STORE_ADDED, add_numbered(store, i, id));
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
}

/* Events 0 to count - 1, one a batch; caught up, with the lock. */
static struct store *store_of(int count)
{
    scratch_empty();
    struct store *store = begin_store();
    for (int i = 0; i < count; i++)
        store_one(store, i);
    return store;
}

static void check_damaged(bool ok, const char *what, const char *says)
{
    CHECK(!ok, "%s: it goes on", what);
    CHECK_INT(ERROR_DAMAGED, store_error.kind);
    CHECK(strstr(store_error.text, says) && strstr(store_error.text, JOURNAL_NAME), "%s: %s", what,
          store_error.text);
}

/* A new process refuses the directory, and changes nothing in it. */
static void check_refused(const char *what, const char *says)
{
    bool was_there = access(JOURNAL_NAME, F_OK) == 0;
    struct store *store = open_store();
    check_damaged(begin_work(store), what, says);
    end_store(store);
    CHECK((access(JOURNAL_NAME, F_OK) == 0) == was_there, "%s: a new journal was made", what);
}

static bool is_known(struct store *store, int i)
{
    char id[16];
    snprintf(id, sizeof id, "id-%d", i);
    return add_numbered(store, i, id) == STORE_DUPLICATE;
}

static void check_knows(struct store *store, int count)
{
    CHECK_INT(count, store_events(store));
    for (int i = 0; i < count; i++)
        CHECK(is_known(store, i), "id-%d is not known", i);
}

static void test_renamed(void)
{
    struct store *store = store_of(3);
    store_unlock(store);
    rename_to(JOURNAL_NAME, "rotated");
    for (int i = 0; i < 2; i++)
        check_damaged(begin_work(store), "renamed", "renamed");
    check_refused("renamed, for a new process", "is missing, but there is ids.mdb");
    rename_to("rotated", JOURNAL_NAME);
    CHECK(begin_work(store), "put back: %s", store_error.text);
    store_one(store, 3);
    check_knows(store, 4);
    end_store(store);
}

/* Between catching up and committing: the event may be in a file that nobody opens any more. */
static void test_renamed_in_a_batch(void)
{
    struct store *store = store_of(3);
    struct buffer before = get_file(JOURNAL_NAME);
    CHECK_INT(STORE_ADDED, add_numbered(store, 3, "id-3"));
    rename_to(JOURNAL_NAME, "rotated");
    check_damaged(store_commit(store, &store_error), "renamed", "renamed");
    CHECK(same_content("rotated", &before), "the renamed file has what was refused");
    store_unlock(store);
    check_damaged(begin_work(store), "afterwards", "is missing");
    rename_to("rotated", JOURNAL_NAME);
    CHECK(begin_work(store), "put back: %s", store_error.text);
    check_knows(store, 3);
    struct buffer sums = sums_of(store);
    end_store(store);
    for (int i = 1; i < 4; i++)
        remove(made[i]);
    store = begin_store();
    CHECK(same_sums(store, &sums), "other sums than the journal's");
    end_store(store);
    buffer_free(&sums);
    buffer_free(&before);
}

static void test_replaced_by_a_copy(void)
{
    struct store *store = store_of(3);
    store_unlock(store);
    struct buffer journal = get_file(JOURNAL_NAME);
    remove(JOURNAL_NAME);
    put_file(JOURNAL_NAME, journal.data, journal.length);
    check_damaged(begin_work(store), "a copy", "replaced");
    store_close(store);
    store = begin_store();
    check_knows(store, 3);
    end_store(store);
    buffer_free(&journal);
}

/* Cut between two batches it looks whole, and neither model nor sums know of the last events. */
static void test_truncated(void)
{
    struct store *store = store_of(2);
    struct buffer two = get_file(JOURNAL_NAME);
    store_one(store, 2);
    store_unlock(store);
    CHECK(truncate(JOURNAL_NAME, (off_t)two.length) == 0, "cannot cut");
    check_damaged(begin_work(store), "cut", "first 3 events");
    store_close(store);
    check_refused("cut, for a new process", "3 have been stored");
    put_text(JOURNAL_NAME, "");
    check_refused("emptied", "3 have been stored");
    buffer_free(&two);
}

/* Another journal, of as many events: that of a second container, say, which sees another file. */
static void test_another_journal(void)
{
    struct store *store = store_of(2);
    CHECK_INT(STORE_ADDED, add_numbered(store, 2, "another"));
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    end_store(store);
    struct buffer another = get_file(JOURNAL_NAME);
    store = store_of(3);
    end_store(store);
    struct buffer ours = get_file(JOURNAL_NAME);
    put_file(JOURNAL_NAME, another.data, another.length);
    check_refused("another journal", "not the file that the last event was stored in");
    put_file(JOURNAL_NAME, ours.data, ours.length);
    store = begin_store();
    CHECK_INT(3, store_events(store));
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
    put_file(JOURNAL_NAME, another.data, another.length);
    remove("lock");
    check_refused("another journal than the ids are of", "another journal");
    buffer_free(&another);
    buffer_free(&ours);
}

/* Whatever is left of the files that were made from the journal tells that there was one. */
static void test_missing(void)
{
    struct store *store = store_of(3);
    CHECK(learn_build(store, &store_error), "%s", store_error.text);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
    struct buffer files[4];
    for (int i = 0; i < 4; i++)
        files[i] = get_file(made[i]);
    for (int left = 1; left < 4; left++) {
        scratch_empty();
        put_file(made[left], files[left].data, files[left].length);
        check_refused(made[left], made[left]);
    }
    scratch_empty();
    put_file(made[0], files[0].data, files[0].length);
    store = begin_store(); /* the journal alone is enough */
    check_knows(store, 3);
    end_store(store);
    for (int i = 0; i < 4; i++)
        buffer_free(&files[i]);
}

/* With all of them away it begins anew, whatever the lock's file says of before. */
static void test_start_over(void)
{
    struct store *store = store_of(3);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    end_store(store);
    for (int i = 0; i < 3; i++)
        remove(made[i]);
    for (int i = 0; i < 2; i++) {
        store = begin_store();
        CHECK_INT(i, store_events(store));
        store_one(store, i);
        end_store(store);
    }
}

/* An index of ids that is set back to an older content, by its name or in place. */
static void test_older_ids(void)
{
    struct store *store = store_of(3);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    struct buffer older = get_file("ids.mdb");
    for (int i = 3; i < 6; i++)
        store_one(store, i);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    store_unlock(store);
    CHECK(file_replace("ids.mdb", older.data, older.length, false, &store_error), "replaced");
    CHECK(begin_work(store), "%s", store_error.text);
    check_knows(store, 6);
    store_one(store, 6);
    CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
    store_unlock(store);
    struct buffer now = get_file("ids.mdb");
    FILE *file = fopen("ids.mdb", "r+");
    CHECK(file && older.length <= now.length &&
              fwrite(older.data, 1, older.length, file) == older.length,
          "overwritten");
    fclose(file);
    CHECK(begin_work(store), "%s", store_error.text);
    check_knows(store, 7);
    end_store(store);
    buffer_free(&older);
    buffer_free(&now);
}

/* Somebody removes or renames the lock's files while a process holds them: no two write at once. */
static void test_lock_moved(void)
{
    struct store *store = store_of(1), *other = open_store();
    CHECK_INT(STORE_ADDED, add_numbered(store, 1, "id-1"));
    rename_to("lock", "old-lock");
    rename_to("lock.turn", "old-turn");
    for (int i = 0; i < 5; i++) {
        CHECK_INT(LOCK_WAIT, store_lock(other, &store_error));
        CHECK_INT(ERROR_BUSY, store_error.kind);
    }
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    store_unlock(store);
    CHECK(begin_work(other), "%s", store_error.text);
    check_knows(other, 2);
    store_unlock(other);
    CHECK(begin_work(store), "%s", store_error.text);
    store_one(store, 2);
    end_store(store);
    store_close(other);
}

/* The directory is moved away, and another one, or none, is in its place. */
static void test_directory_moved(void)
{
    scratch_empty();
    CHECK(mkdir("data", 0755) == 0, "data");
    snprintf(fixture_config.data_dir, sizeof fixture_config.data_dir, "data");
    struct store *store = begin_store();
    store_one(store, 0);
    store_unlock(store);
    rename_to("data", "old");
    check_damaged(begin_work(store), "no directory", "renamed");
    CHECK(mkdir("data", 0755) == 0, "data");
    check_damaged(begin_work(store), "another directory", "renamed");
    CHECK(access("data/actions.jsonl", F_OK) != 0, "a journal was begun there");
    rmdir("data");
    rename_to("old", "data");
    CHECK(begin_work(store), "%s", store_error.text);
    check_knows(store, 1);
    end_store(store);
    snprintf(fixture_config.data_dir, sizeof fixture_config.data_dir, ".");
}

int main(void)
{
    scratch_make();
    test_renamed();
    test_renamed_in_a_batch();
    test_replaced_by_a_copy();
    test_truncated();
    test_another_journal();
    test_missing();
    test_start_over();
    test_older_ids();
    test_lock_moved();
    test_directory_moved();
    scratch_end();
    return check_report("store_moved");
}
