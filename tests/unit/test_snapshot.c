#include "check.h"
#include "scratch.h"
#include "snapshot.h"

#include <sys/stat.h>

static struct error error;

static struct snapshot make_snapshot(int rows)
{
    static const char *const names[] = {"a", "\"b\" ü", "c"};
    struct snapshot snapshot = {.position = {.offset = UINT64_C(1) << 40, .seq = 12345}};
    snapshot.schema = schema_new(names, NULL, 3, &error);
    snapshot.folds = folds_new(NULL, 3, 1);
    for (int i = 0; i < rows; i++) {
        double row[] = {i - 7, 0.1 * i, i % 2 ? 1e-300 : -1e200, 3 - i};
        CHECK(folds_reserve_accepted(snapshot.folds, row, 1), "memory");
        folds_add(snapshot.folds, row, 1);
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

/* Folds with terms, where the rows have those weights in turn. */
static struct snapshot make_terms(const double *weights, size_t count, int rows)
{
    static const char *const names[] = {"a", "b"};
    static const struct place places[] = {{3, 2}, {0, 0}, {10, 3}};
    struct snapshot snapshot = {.schema = schema_new(names, NULL, 2, &error),
                                .folds = folds_new(NULL, 2, FOLDS)};
    struct term_maps *maps = term_maps_of(places, 2);
    CHECK(folds_begin_terms(snapshot.folds, maps), "memory");
    term_maps_free(maps);
    for (int i = 0; i < rows; i++) {
        double row[] = {i % 10, 0.1 * (i % 7), 3 * i % 11}, weight = weights[(size_t)i % count];
        CHECK(folds_reserve_accepted(snapshot.folds, row, weight), "memory");
        folds_add(snapshot.folds, row, weight);
        folds_add_terms(snapshot.folds, row, weight);
    }
    return snapshot;
}

static bool same_terms(struct folds *a, struct folds *b)
{
    bool same = term_maps_equal(a->maps, b->maps) && a->term_rows == b->term_rows;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; same && k < FOLDS; k++) {
            struct term_sums *of_a = a->sums[kind][k], *of_b = b->sums[kind][k];
            same = moments_equal(a->moments[k], b->moments[k]) &&
                   term_sums_rows(of_a) == term_sums_rows(of_b);
            for (size_t i = 0; same && i < term_sums_numbers(of_a); i++) {
                struct term_number number = term_sums_number(of_a, i);
                struct term_number other = term_sums_number(of_b, i);
                same = memcmp(&number, &other, sizeof number) == 0;
            }
        }
    return same;
}

/* Weights are written down where there are any, and where there are none the file is as it was
 * before there were weights. */
static void test_weights(void)
{
    static const double weights[][4] = {
        {1, 1, 1, 1}, {0.1, 1, 3, 1e-3}, {2, 3, 1, 4}, {1e300, 5e-324, 1, 7}};
    for (size_t n = 0; n < sizeof weights / sizeof *weights; n++) {
        struct snapshot written = make_terms(weights[n], 4, 200), read;
        CHECK(snapshot_write(&written, "w", &error), "%s", error.text);
        struct buffer file = get_file("w");
        buffer_append(&file, "", 1);
        CHECK((strstr(file.data, "\nsums ") != NULL) &&
                  !strstr(file.data, " weighted\n") == (n == 0),
              "case %zu", n);
        file.length--;
        if (n == 0) /* taken down then */
            CHECK_STRING("crc 7d034d4a\n", file.data + file.length - 13);
        if (CHECK(snapshot_read(&read, "w", &error), "%s", error.text)) {
            CHECK(same_terms(written.folds, read.folds), "case %zu", n);
            CHECK(snapshot_write(&read, "v", &error), "%s", error.text);
            CHECK(same_content("v", &file), "case %zu: other bytes", n);
            double row[] = {1, 2, 3};
            CHECK(folds_reserve_accepted(read.folds, row, 0.1) &&
                      folds_reserve_accepted(written.folds, row, 0.1),
                  "memory");
            folds_add(read.folds, row, 0.1);
            folds_add(written.folds, row, 0.1);
            folds_add_terms(read.folds, row, 0.1);
            folds_add_terms(written.folds, row, 0.1);
            CHECK(same_terms(written.folds, read.folds), "case %zu: one more row", n);
            snapshot_free(&read);
        }
        buffer_free(&file);
        snapshot_free(&written);
    }
}

/* How well the events were predicted goes with them. */
static void test_live(void)
{
    struct snapshot written = make_snapshot(9), read;
    written.judged = 7;
    for (int i = 0; i < 5; i++)
        live_add(&written.live, i, i * 1.25, 2);
    CHECK(snapshot_write(&written, "s", &error), "%s", error.text);
    if (CHECK(snapshot_read(&read, "s", &error), "%s", error.text)) {
        CHECK_INT(7, read.judged);
        CHECK(memcmp(&written.live, &read.live, sizeof read.live) == 0, "the same figures");
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
        CHECK(folds_reserve_accepted(b.folds, row, 1), "memory");
        folds_add(b.folds, row, 1);
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

#ifndef __SANITIZE_ADDRESS__
/* A line of /proc/self/status, in kB. */
static long status_of(const char *name)
{
    char line[256];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

/* From now on VmHWM is the most since now. */
static void begin_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file || fputs("5", file) < 0)
        abort();
    fclose(file);
}

/* Neither who writes it nor who reads it holds the text of some megabytes. */
static void test_memory(void)
{
    static const double weights[] = {0.1};
    struct snapshot written = make_terms(weights, 1, 200), read;
    struct stat status;
    begin_peak();
    long before = status_of("VmRSS");
    CHECK(snapshot_write(&written, "s", &error), "%s", error.text);
    long grown = status_of("VmHWM") - before;
    long length = stat("s", &status) == 0 ? (long)(status.st_size >> 10) : 0;
    CHECK(length > 3000 && grown < 1000, "%ld kB more to write %ld kB", grown, length);
    begin_peak();
    before = status_of("VmRSS");
    CHECK(snapshot_read(&read, "s", &error), "%s", error.text);
    grown = status_of("VmHWM") - before;
    CHECK(grown < length, "%ld kB more to read %ld kB", grown, length);
    snapshot_free(&read);
    snapshot_free(&written);
}
#endif

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
#ifndef __SANITIZE_ADDRESS__
    test_memory(); /* first, before anything has made the heap large */
#endif
    test_round_trip(0);
    test_round_trip(1);
    test_round_trip(100);
    test_weights();
    test_live();
    test_canonical();
    test_damage();
    test_absent();
    test_unwritable();
    scratch_end();
    return check_report("snapshot");
}
