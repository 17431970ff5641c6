#include "spool.h"

#include "check.h"
#include "scratch.h"

#include <dirent.h>

static struct spool_file file;
static struct error error;

/* What text `text` has at `i`. */
static char byte_at(size_t text, size_t i)
{
    return (char)('a' + (text * 7 + i) % 23);
}

/* Lets the texts grow side by side to these lengths, the first fastest. */
static bool fill(struct spool *spool, const size_t lengths[SPOOL_TEXTS])
{
    size_t done[SPOOL_TEXTS] = {0};
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < SPOOL_TEXTS; i++)
            for (size_t n = 0; n < 1000 / (i + 1) && done[i] < lengths[i]; n++) {
                char byte = byte_at(i, done[i]++);
                buffer_append(&spool->texts[i].tail, &byte, 1);
                more = true;
            }
        if (!spool_settle(spool, &error))
            return false;
    }
    return true;
}

/* All texts behind each other, in pieces of `piece` bytes. */
static void check_content(struct spool *spool, const size_t lengths[SPOOL_TEXTS], size_t piece)
{
    uint64_t total = 0;
    size_t text = 0, at = 0, wrong = 0;
    char data[5000];
    for (size_t i = 0; i < SPOOL_TEXTS; i++)
        total += lengths[i];
    CHECK_INT(total, spool_length(spool));
    for (size_t size; total > 0; total -= size) {
        size = total < piece ? (size_t)total : piece;
        if (!CHECK(spool_read(spool, data, size, &error), "%s", error.text))
            return;
        for (size_t i = 0; i < size; i++) {
            for (; at == lengths[text]; at = 0)
                text++;
            wrong += data[i] != byte_at(text, at++);
        }
    }
    CHECK_INT(0, wrong);
}

static off_t file_size(void)
{
    struct stat status;
    return fstat(file.fd, &status) == 0 ? status.st_size : -1;
}

static void test_texts(void)
{
    static const size_t cases[][SPOOL_TEXTS] = {
        {0},
        {1, 0, 2, 0, 0, 3},
        {SPOOL_BLOCK, SPOOL_BLOCK - 1, SPOOL_BLOCK + 1, 0, 2 * SPOOL_BLOCK, 1},
        {300000, 700000, 0, 5, 100000, 3}};
    scratch_empty();
    spool_file_open(&file, ".", 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= 5000; piece += 1666) {
            struct spool spool, other;
            spool_begin(&spool, &file);
            spool_begin(&other, &file);
            CHECK(fill(&spool, cases[i]) && fill(&other, cases[i]), "%s", error.text);
            check_content(&other, cases[i], piece);
            spool_free(&other);
            check_content(&spool, cases[i], piece);
            spool_free(&spool);
            CHECK_INT(0, file_size());
        }
    spool_file_close(&file);
}

/* What one spool gives back another has; and the file has no name. */
static void test_blocks(void)
{
    static const size_t lengths[SPOOL_TEXTS] = {10 * SPOOL_BLOCK};
    struct spool first, second;
    scratch_empty();
    spool_file_open(&file, ".", 0);
    CHECK(rmdir(scratch_directory) == 0, "the directory looks empty");
    spool_begin(&first, &file);
    spool_begin(&second, &file);
    CHECK(fill(&first, lengths) && fill(&second, lengths), "%s", error.text);
    CHECK_INT(20 * SPOOL_BLOCK, file_size());
    for (int i = 0; i < 20; i++) {
        spool_free(&first);
        spool_begin(&first, &file);
        CHECK(fill(&first, lengths), "%s", error.text);
    }
    CHECK_INT(20 * SPOOL_BLOCK, file_size());
    check_content(&second, lengths, 4096);
    check_content(&first, lengths, 4096);
    spool_free(&first);
    spool_free(&second);
    CHECK_INT(0, file_size());
    spool_file_close(&file);
    mkdir(scratch_directory, 0755);
    scratch_empty();
}

static void test_without_file(void)
{
    static const size_t most[SPOOL_TEXTS] = {SPOOL_MEMORY_MAX - 100, 100};
    static const size_t more[SPOOL_TEXTS] = {SPOOL_MEMORY_MAX - 100, 101};
    struct spool spool;
    scratch_empty();
    spool_file_open(&file, "./none", 0);
    spool_begin(&spool, &file);
    CHECK(fill(&spool, most), "%s", error.text);
    check_content(&spool, most, 3000);
    spool_free(&spool);
    spool_begin(&spool, &file);
    CHECK(!fill(&spool, more), "too much for memory");
    CHECK_INT(ERROR_TOO_LARGE, error.kind);
    spool_free(&spool);
    spool_file_close(&file);
}

static void test_no_room(void)
{
    static const size_t lengths[SPOOL_TEXTS] = {2 * SPOOL_BLOCK};
    struct spool spool;
    scratch_empty();
    spool_file_open(&file, ".", (uint64_t)1 << 60);
    spool_begin(&spool, &file);
    CHECK(!fill(&spool, lengths), "more is to be left free than there is");
    CHECK_INT(ERROR_FULL, error.kind);
    spool_free(&spool);
    CHECK_INT(0, file_size());
    spool_file_close(&file);
}

int main(void)
{
    scratch_make();
    test_texts();
    test_blocks();
    test_without_file();
    test_no_room();
    scratch_end();
    return check_report("spool");
}
