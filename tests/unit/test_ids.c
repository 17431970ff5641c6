#include "check.h"
#include "ids.h"
#include "scratch.h"

static struct error error;

static struct ids *open_ids(uint64_t window)
{
    struct ids *ids = ids_open(".", window, &error);
    CHECK(ids, "%s", error.text);
    return ids;
}

static void add(struct ids *ids, const char *id, uint64_t offset)
{
    CHECK(ids_add(ids, id, strlen(id), offset, &error), "%s: %s", id, error.text);
}

/* The offset of an id, -1 when it is unknown, -2 on an error. */
static int64_t find(struct ids *ids, const char *id)
{
    uint64_t offset = 0;
    switch (ids_find(ids, id, strlen(id), &offset, &error)) {
    case IDS_FOUND:
        return (int64_t)offset;
    case IDS_UNKNOWN:
        return -1;
    case IDS_ERROR:
        break;
    }
    return -2;
}

static void flush(struct ids *ids, uint64_t offset, int64_t seq)
{
    struct journal_position position = {.offset = offset, .seq = seq};
    CHECK(ids_flush(ids, position, &error), "%s", error.text);
    CHECK_INT(0, ids_recent(ids));
}

static int64_t known_seq(struct ids *ids)
{
    struct journal_position position = {.seq = -1};
    CHECK(ids_position(ids, &position, &error), "%s", error.text);
    return position.seq;
}

static void test_memory_and_file(void)
{
    scratch_empty();
    struct ids *ids = open_ids(UINT64_MAX);
    CHECK_INT(0, known_seq(ids));
    CHECK_INT(-1, find(ids, "a"));
    add(ids, "a", 0);
    add(ids, "ab", 10);
    add(ids, "b", 20);
    CHECK_INT(3, ids_recent(ids));
    CHECK_INT(0, find(ids, "a"));
    CHECK_INT(10, find(ids, "ab"));
    flush(ids, 30, 3);
    CHECK_INT(10, find(ids, "ab"));
    add(ids, "c", 30);
    ids_close(ids); /* c was not flushed */
    ids = open_ids(UINT64_MAX);
    struct journal_position position;
    CHECK(ids_position(ids, &position, &error), "%s", error.text);
    CHECK_INT(30, position.offset);
    CHECK_INT(3, position.seq);
    CHECK_INT(20, find(ids, "b"));
    CHECK_INT(-1, find(ids, "c"));
    CHECK_INT(-1, find(ids, "A"));
    ids_close(ids);
}

/* A batch that failed is forgotten, whatever stood before stays. */
static void test_forget(void)
{
    scratch_empty();
    struct ids *ids = open_ids(UINT64_MAX);
    add(ids, "a", 0);
    add(ids, "b", 10);
    add(ids, "c", 20);
    ids_forget(ids, 10);
    CHECK_INT(0, find(ids, "a"));
    CHECK_INT(-1, find(ids, "b"));
    CHECK_INT(-1, find(ids, "c"));
    add(ids, "c", 10);
    CHECK_INT(10, find(ids, "c"));
    ids_forget(ids, 0);
    CHECK_INT(0, ids_recent(ids));
    CHECK_INT(-1, find(ids, "a"));
    ids_close(ids);
}

/* The longest id that an event may have, with every byte escaped. */
static void test_longest(void)
{
    scratch_empty();
    char id[2 * IDS_LENGTH_MAX + 1];
    memset(id, '\\', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    struct ids *ids = open_ids(2);
    add(ids, id, 5);
    flush(ids, 10, 1);
    CHECK_INT(5, find(ids, id));
    ids_close(ids);
}

/* Of ten ids the last three are remembered, wherever they are. */
static void check_window(struct ids *ids, int count)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        CHECK_INT(i < count - 3 ? -1 : 10 * i, find(ids, id));
    }
}

static void test_window(int flush_every)
{
    scratch_empty();
    struct ids *ids = open_ids(3);
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        add(ids, id, 10 * (uint64_t)i);
        if (i % flush_every == 0)
            flush(ids, 10 * (uint64_t)i + 10, i + 1);
        check_window(ids, i + 1);
    }
    flush(ids, 100, 10);
    ids_close(ids);
    ids = open_ids(3);
    CHECK_INT(10, known_seq(ids));
    check_window(ids, 10);
    add(ids, "0", 100); /* again, after it has left the window */
    CHECK_INT(100, find(ids, "0"));
    flush(ids, 110, 11);
    add(ids, "x", 110);
    add(ids, "y", 120);
    flush(ids, 130, 13);
    CHECK_INT(100, find(ids, "0"));
    add(ids, "z", 130);
    flush(ids, 140, 14);
    CHECK_INT(-1, find(ids, "0"));
    ids_close(ids);
}

/* A failed batch that pushed an id out of the window and used it again gives it back. */
static void test_window_after_forget(void)
{
    scratch_empty();
    struct ids *ids = open_ids(2);
    add(ids, "a", 0);
    add(ids, "b", 10); /* the failed batch begins here */
    add(ids, "c", 20);
    CHECK_INT(-1, find(ids, "a"));
    add(ids, "a", 30);
    ids_forget(ids, 10);
    CHECK_INT(0, find(ids, "a"));
    CHECK_INT(-1, find(ids, "b"));
    ids_close(ids);
}

/* Two processes use the file in turns; each adds what the other added, as it stands in the
 * journal. */
static void test_two_processes(void)
{
    enum { COUNT = 3000 };
    char id[16];
    scratch_empty();
    struct ids *ids[2] = {open_ids(UINT64_MAX), open_ids(UINT64_MAX)};
    CHECK_INT(0, known_seq(ids[0]));
    CHECK_INT(0, known_seq(ids[1]));
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "%d", i);
        add(ids[0], id, (uint64_t)i);
        add(ids[1], id, (uint64_t)i);
        if (i % 100 == 99)
            flush(ids[i / 100 % 2], (uint64_t)i + 1, i + 1);
    }
    int found = 0;
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "%d", i);
        found += find(ids[0], id) == i && find(ids[1], id) == i;
    }
    CHECK_INT(COUNT, found);
    ids_close(ids[0]);
    ids_close(ids[1]);
}

/* Fills an index of many pages and returns its file's content. */
static struct buffer many_ids(void)
{
    scratch_empty();
    struct ids *ids = open_ids(1000);
    for (int i = 0; i < 2000; i++) {
        char id[32];
        snprintf(id, sizeof id, "some-longer-id-%d", i);
        add(ids, id, (uint64_t)i);
    }
    flush(ids, 2000, 2000);
    ids_close(ids);
    return get_file(IDS_NAME);
}

/* What cannot be used is replaced by an empty index, which says that it knows nothing. */
static void check_made_anew(const char *what, size_t at)
{
    struct ids *ids = open_ids(1000);
    CHECK(known_seq(ids) == 0, "%s at %zu", what, at);
    CHECK_INT(-1, find(ids, "some-longer-id-1999"));
    add(ids, "new", 1);
    flush(ids, 2, 1);
    CHECK_INT(1, find(ids, "new"));
    ids_close(ids);
}

static void test_truncated(void)
{
    struct buffer file = many_ids();
    const size_t lengths[] = {1,
                              50,
                              4095,
                              4096,
                              4097,
                              8191,
                              8192,
                              8193,
                              file.length / 2,
                              file.length - 4096,
                              file.length - 1};
    CHECK(file.length > 10 * 4096, "%zu bytes", file.length);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_file(IDS_NAME, file.data, lengths[i]);
        check_made_anew("cut", lengths[i]);
    }
    put_file(IDS_NAME, file.data, 0);
    check_made_anew("cut", 0);
    put_file(IDS_NAME, file.data, file.length);
    struct ids *ids = open_ids(1000);
    CHECK_INT(2000, known_seq(ids));
    CHECK_INT(1999, find(ids, "some-longer-id-1999"));
    ids_close(ids);
    buffer_free(&file);
}

static void test_garbage(void)
{
    char garbage[20000];
    scratch_empty();
    memset(garbage, 0, sizeof garbage);
    put_file(IDS_NAME, garbage, sizeof garbage);
    check_made_anew("NULs", 0);
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)(i * 7919 >> 3);
    put_file(IDS_NAME, garbage, sizeof garbage);
    check_made_anew("garbage", 0);
    put_text(IDS_NAME, "hello\n");
    check_made_anew("text", 0);
}

static void test_open_failures(void)
{
    CHECK(!ids_open("nowhere", 1, &error), "there is no such directory");
    CHECK(strstr(error.text, IDS_NAME), "%s", error.text);
    scratch_empty();
    mkdir(IDS_NAME, 0755);
    CHECK(!ids_open(".", 1, &error), "a directory in its place");
}

int main(void)
{
    scratch_make();
    test_memory_and_file();
    test_forget();
    test_longest();
    for (int every = 1; every <= 11; every++)
        test_window(every);
    test_window_after_forget();
    test_two_processes();
    test_truncated();
    test_garbage();
    test_open_failures();
    scratch_end();
    return check_report("ids");
}
