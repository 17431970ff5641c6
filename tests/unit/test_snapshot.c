#include "check.h"
#include "scratch.h"
#include "snapshot.h"

static struct error error;

static struct snapshot make_snapshot(int rows)
{
    static const char *const names[] = {"a", "\"b\" ü", "c"};
    struct snapshot snapshot = {.position = {.offset = UINT64_C(1) << 40, .seq = 12345}};
    snapshot.schema = schema_new(names, 3, &error);
    snapshot.folds = folds_new(3, 1);
    for (int i = 0; i < rows; i++) {
        double row[] = {i - 7, 0.1 * i, i % 2 ? 1e-300 : -1e200, 3 - i};
        CHECK_INT(MOMENTS_OK, folds_reserve(snapshot.folds, row));
        folds_add(snapshot.folds, row);
    }
    strcpy(snapshot.fingerprint, "0123456789abcdef0123456789abcdef");
    strcpy(snapshot.source, "1:2:3:4.5");
    return snapshot;
}

static bool same(const struct snapshot *a, const struct snapshot *b)
{
    return schema_equal(a->schema, b->schema) &&
           moments_equal(a->folds->moments[0], b->folds->moments[0]) &&
           a->position.offset == b->position.offset && a->position.seq == b->position.seq &&
           strcmp(a->fingerprint, b->fingerprint) == 0 && strcmp(a->source, b->source) == 0;
}

static void test_round_trip(int rows)
{
    struct snapshot written = make_snapshot(rows), read;
    CHECK(snapshot_write(&written, "s", &error), "%s", error.text);
    if (CHECK(snapshot_read(&read, "s", &error), "%s", error.text)) {
        CHECK(same(&written, &read), "%d rows", rows);
        /* what was read goes on like what was written, and is written as the same bytes */
        struct buffer first = get_file("s");
        CHECK(snapshot_write(&read, "t", &error), "%s", error.text);
        CHECK(same_content("t", &first), "%d rows: other bytes", rows);
        buffer_free(&first);
        double row[] = {1e10, -3.5, 1e201, 1e-3};
        CHECK_INT(MOMENTS_OK, moments_reserve(written.folds->moments[0], row, 1));
        CHECK_INT(MOMENTS_OK, moments_reserve(read.folds->moments[0], row, 1));
        moments_add(written.folds->moments[0], row, 1);
        moments_add(read.folds->moments[0], row, 1);
        CHECK(moments_equal(written.folds->moments[0], read.folds->moments[0]), "one more row");
        snapshot_free(&read);
    }
    snapshot_free(&written);
}

/* The same rows in another order, over other intermediate values, give the same file. */
static void test_canonical(void)
{
    struct snapshot a = make_snapshot(20), b = make_snapshot(0);
    double wild[] = {1e-300, 1e300, 5e-324, -1e-5};
    moments_reserve(b.folds->moments[0], wild, 1);
    moments_add(b.folds->moments[0], wild, 1);
    for (int i = 19; i >= 0; i--) {
        double row[] = {i - 7, 0.1 * i, i % 2 ? 1e-300 : -1e200, 3 - i};
        moments_reserve(b.folds->moments[0], row, 1);
        moments_add(b.folds->moments[0], row, 1);
    }
    moments_subtract(b.folds->moments[0], wild, 1);
    CHECK(snapshot_write(&a, "a", &error) && snapshot_write(&b, "b", &error), "%s", error.text);
    struct buffer content = get_file("a");
    CHECK(same_content("b", &content), "other bytes");
    buffer_free(&content);
    snapshot_free(&a);
    snapshot_free(&b);
}

/* Refused as damaged: nothing is left in the snapshot. */
static void check_refused(const char *what, size_t at)
{
    struct snapshot read;
    bool ok = snapshot_read(&read, "s", &error);
    CHECK(!ok, "%s at %zu is accepted", what, at);
    CHECK(ok || error.kind == ERROR_DAMAGED, "%s at %zu: %s", what, at, error.text);
    CHECK(ok || (!read.schema && !read.folds), "%s at %zu", what, at);
    if (ok)
        snapshot_free(&read);
}

static void test_damage(void)
{
    struct snapshot written = make_snapshot(5);
    CHECK(snapshot_write(&written, "s", &error), "%s", error.text);
    struct buffer file = get_file("s");
    for (size_t at = 0; at < file.length; at++)
        for (int bit = 0; bit < 8; bit++) {
            file.data[at] ^= (char)(1 << bit);
            put_file("s", file.data, file.length);
            check_refused("a bit flipped", 8 * at + (size_t)bit);
            file.data[at] ^= (char)(1 << bit);
        }
    for (size_t length = 0; length < file.length; length++) {
        put_file("s", file.data, length);
        check_refused("cut", length);
    }
    buffer_puts(&file, "\n");
    put_file("s", file.data, file.length);
    check_refused("one byte more", 0);
    buffer_free(&file);
    snapshot_free(&written);
}

static void test_absent(void)
{
    struct snapshot read;
    CHECK(!snapshot_read(&read, "nothing", &error), "there is none");
    CHECK_INT(ERROR_ABSENT, error.kind);
}

/* A snapshot that cannot be written leaves the old one. */
static void test_unwritable(void)
{
    struct snapshot snapshot = make_snapshot(5);
    CHECK(!snapshot_write(&snapshot, "nowhere/s", &error), "there is no such directory");
    snapshot_free(&snapshot);
}

int main(void)
{
    scratch_make();
    test_round_trip(0);
    test_round_trip(1);
    test_round_trip(100);
    test_canonical();
    test_damage();
    test_absent();
    test_unwritable();
    scratch_end();
    return check_report("snapshot");
}
