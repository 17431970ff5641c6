/* What a crash, a bad disk or a careless hand may do to a journal, byte by byte. A replay yields
 * exactly the complete batches, or refuses: never fewer without a word, never another value. */
#include "journal_fixture.h"

static const int sizes[] = {1, 3, 1, 1, 4, 0};
enum { EVENTS = 10, BATCHES = 5 };

static uint64_t ends[BATCHES];
static struct buffer whole;
static struct replayed replayed;

/* How many events the batches that end by `length` have. */
static int complete_before(uint64_t length)
{
    int events = 0;
    for (int i = 0; i < BATCHES && ends[i] <= length; i++)
        events += sizes[i];
    return events;
}

static uint64_t end_of_last_before(uint64_t length)
{
    uint64_t end = 0;
    for (int i = 0; i < BATCHES && ends[i] <= length; i++)
        end = ends[i];
    return end;
}

static int64_t line_of(uint64_t offset)
{
    int64_t line = 1;
    for (uint64_t i = 0; i < offset; i++)
        line += whole.data[i] == '\n';
    return line;
}

static uint64_t file_size(void)
{
    struct stat status;
    return stat(JOURNAL_NAME, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* A replay of what stands in the file now must refuse it, naming the line, and leave it alone. */
static void check_refused(int64_t line, const char *what, uint64_t at)
{
    char prefix[64];
    uint64_t before = file_size();
    snprintf(prefix, sizeof prefix, JOURNAL_NAME ":%lld: ", (long long)line);
    bool ok = replay_all(&replayed, 0);
    if (!CHECK(!ok, "%s at %" PRIu64 ": replayed %d events", what, at, replayed.count))
        return;
    CHECK_INT(ERROR_DAMAGED, journal_error.kind);
    CHECK(strncmp(journal_error.text, prefix, strlen(prefix)) == 0, "%s at %" PRIu64 ": %s", what,
          at, journal_error.text);
    CHECK(are_first(&replayed, replayed.count), "%s at %" PRIu64 ": wrong events", what, at);
    CHECK_INT(before, file_size());
}

static void check_cut(uint64_t length, const char *what, uint64_t at)
{
    int events = complete_before(length);
    CHECK(replay_all(&replayed, 0), "%s at %" PRIu64 ": %s", what, at, journal_error.text);
    CHECK(are_first(&replayed, events), "%s at %" PRIu64 ": %d events instead of %d", what, at,
          replayed.count, events);
    CHECK_INT(end_of_last_before(length), file_size());
}

static void test_truncated_anywhere(void)
{
    for (uint64_t length = 0; length <= whole.length; length++) {
        put_file(JOURNAL_NAME, whole.data, length);
        check_cut(length, "cut", length);
    }
}

/* What other files say was stored is not cut away. */
static void test_truncated_below_what_is_known(void)
{
    for (uint64_t length = ends[2] + 1; length < ends[3]; length++) {
        put_file(JOURNAL_NAME, whole.data, length);
        CHECK(!replay_all(&replayed, 6) && journal_error.kind == ERROR_DAMAGED, "cut at %" PRIu64,
              length);
        CHECK_INT(length, file_size());
        CHECK(replay_all(&replayed, 5) && are_first(&replayed, 5), "cut at %" PRIu64, length);
        CHECK_INT(ends[2], file_size());
    }
}

static void test_any_bit_flipped(void)
{
    for (uint64_t at = 0; at < whole.length; at++)
        for (int bit = 0; bit < 8; bit++) {
            put_file(JOURNAL_NAME, whole.data, whole.length);
            FILE *file = fopen(JOURNAL_NAME, "r+e");
            fseek(file, (long)at, SEEK_SET);
            fputc(whole.data[at] ^ 1 << bit, file);
            fclose(file);
            check_refused(line_of(at), "a bit flipped", at);
        }
}

/* A byte more or less shifts all that follows. */
static void test_byte_lost_or_gained(void)
{
    for (uint64_t at = 0; at + 1 < whole.length; at++) {
        struct buffer text = {0};
        buffer_append(&text, whole.data, at);
        buffer_append(&text, whole.data + at + 1, whole.length - at - 1);
        put_file(JOURNAL_NAME, text.data, text.length);
        check_refused(line_of(at), "a byte lost", at);
        buffer_clear(&text);
        buffer_append(&text, whole.data, at);
        buffer_puts(&text, "1");
        buffer_append(&text, whole.data + at, whole.length - at);
        put_file(JOURNAL_NAME, text.data, text.length);
        check_refused(line_of(at), "a byte gained", at);
        buffer_free(&text);
    }
}

/* The last batch, not yet acknowledged, reached the disk only in part: some of its pages are NUL.
 * A page may end anywhere in it. */
static void test_holes_in_the_last_batch(void)
{
    uint64_t start = ends[BATCHES - 2];
    for (uint64_t at = start; at < whole.length; at++)
        for (uint64_t length = 64; at + length <= whole.length; length *= 2) {
            struct buffer text = {0};
            buffer_append(&text, whole.data, whole.length);
            memset(text.data + at, 0, length);
            put_file(JOURNAL_NAME, text.data, text.length);
            check_cut(whole.length - 1, "a hole", at);
            buffer_free(&text);
        }
}

/* Only the last bytes of a page belong to the batch, the next page was written. */
static void test_short_hole_at_the_batch_s_start(void)
{
    for (uint64_t length = 1; length < 16; length++) {
        struct buffer text = {0};
        buffer_append(&text, whole.data, whole.length);
        memset(text.data + ends[BATCHES - 2], 0, length);
        put_file(JOURNAL_NAME, text.data, text.length);
        check_cut(whole.length - 1, "a short hole", length);
        buffer_free(&text);
    }
}

/* The file was made longer, but nothing of the batch was written. */
static void test_nul_tails(void)
{
    static const char nothing[5000];
    for (size_t length = 1; length <= sizeof nothing; length += length < 40 ? 1 : 511) {
        struct buffer text = {0};
        buffer_append(&text, whole.data, whole.length);
        buffer_append(&text, nothing, length);
        put_file(JOURNAL_NAME, text.data, text.length);
        check_cut(whole.length, "a tail of NULs", length);
        buffer_free(&text);
    }
}

/* A block that became NUL under events that others follow is no torn batch. */
static void test_hole_before_the_last_batch(void)
{
    for (uint64_t at = 0; at + 64 <= ends[BATCHES - 2]; at++) {
        struct buffer text = {0};
        buffer_append(&text, whole.data, whole.length);
        memset(text.data + at, 0, 64);
        put_file(JOURNAL_NAME, text.data, text.length);
        check_refused(line_of(at), "a hole in the middle", at);
        buffer_free(&text);
    }
}

static void append_batch(struct buffer *text, int batch)
{
    uint64_t start = batch > 0 ? ends[batch - 1] : 0;
    buffer_append(text, whole.data + start, ends[batch] - start);
}

static void check_arranged(const int *batches, int count, int64_t line)
{
    struct buffer text = {0};
    for (int i = 0; i < count; i++)
        append_batch(&text, batches[i]);
    put_file(JOURNAL_NAME, text.data, text.length);
    check_refused(line, "batches rearranged", (uint64_t)line);
    buffer_free(&text);
}

/* Batches that are good by themselves, but stand in the wrong place. */
static void test_rearranged(void)
{
    check_arranged((int[]){0, 2}, 2, 2);          /* one is missing */
    check_arranged((int[]){1}, 1, 1);             /* the first is missing */
    check_arranged((int[]){0, 1, 1, 2}, 4, 5);    /* one stands twice */
    check_arranged((int[]){0, 1, 3, 2, 4}, 5, 5); /* two changed places */
}

/* Lines of a batch removed, the rest of it in place. */
static void test_lines_removed(void)
{
    const char *second = whole.data + ends[0];
    size_t length = (size_t)((char *)memchr(second, '\n', whole.length) + 1 - second);
    struct buffer text = {0};
    buffer_append(&text, whole.data, ends[0]);
    buffer_append(&text, second + length, whole.length - ends[0] - length);
    put_file(JOURNAL_NAME, text.data, text.length);
    check_refused(2, "a line removed", 2);
    buffer_free(&text);
}

static void test_foreign_files(void)
{
    static const char *const texts[] = {"\n",
                                        "hello\n",
                                        "{}\n",
                                        "{\"_seq\":1}\n",
                                        "1,2,3\n4,5,6\n",
                                        "{\"_seq\":1,\"a\":1,\"_crc\":\"00000000\"}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_text(JOURNAL_NAME, texts[i]);
        check_refused(1, texts[i], 0);
    }
}

int main(void)
{
    scratch_make();
    write_batches(sizes, ends);
    whole = get_file(JOURNAL_NAME);
    CHECK_INT(ends[BATCHES - 1], whole.length);
    test_truncated_anywhere();
    test_truncated_below_what_is_known();
    test_any_bit_flipped();
    test_byte_lost_or_gained();
    test_holes_in_the_last_batch();
    test_short_hole_at_the_batch_s_start();
    test_nul_tails();
    test_hole_before_the_last_batch();
    test_rearranged();
    test_lines_removed();
    test_foreign_files();
    buffer_free(&whole);
    scratch_end();
    return check_report("journal_damage");
}
