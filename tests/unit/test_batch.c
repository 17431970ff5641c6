#include "batch.h"
#include "check.h"
#include "crew.h"
#include "scratch.h"
#include "table.h"

#include <errno.h>
#include <pthread.h>

enum { ROWS = 20000 }; /* some ten blocks of the training table */

static const unsigned thread_counts[] = {1, 2, 3, 8, CREW_MAX + 1};
enum { COUNTS = sizeof thread_counts / sizeof *thread_counts };

/* How many threads the system still has. */
static int threads_left = INT_MAX;

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
create_thread __real_pthread_create, __wrap_pthread_create;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*routine)(void *), void *argument)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left--;
    return __real_pthread_create(thread, attributes, routine, argument);
}

/* The target depends on all columns but not linearly, and their scales are different in each block.
 * Ends of lines and the number of digits change from row to row. */
static void append_row(struct buffer *text, int i, bool target)
{
    double a = i * 0.37 - 11, b = (i * 7919L % 10007 - 5000) * (i > ROWS / 2 ? 1e-9 : 1.0),
           c = i % 13;
    buffer_printf(text, "%.4f\t%.17g\t%g", a, b, c);
    if (target)
        buffer_printf(text, "\t%.6f", 3 * a - b + c * c + 0.001 * (i * 31 % 17));
    buffer_puts(text, i % 5 ? "\n" : "\r\n");
}

/* `fault`, if there is one, stands before row `faulty` (from 0), and another behind it in the next
 * block and in the last line. */
static void put_table(const char *name, bool target, int faulty, const char *fault)
{
    struct buffer text = {0};
    for (int i = 0; i < ROWS; i++) {
        if (i == faulty)
            buffer_puts(&text, fault);
        if (fault && (i == faulty + 1500 || i == ROWS - 1))
            buffer_puts(&text, "later\n");
        append_row(&text, i, target);
    }
    put_file(name, text.data, text.length);
    buffer_free(&text);
}

static void test_same_bits(void)
{
    struct error error;
    put_table("train.tsv", true, -1, NULL);
    put_table("test.tsv", false, -1, NULL);
    CHECK(batch_run_threads(".", 0, 1, &error), "1 thread: %s", error.text);
    struct buffer alone = get_file("output.txt");
    CHECK(alone.length > 4 * TABLE_BLOCK_SIZE, "several blocks, not %zu bytes", alone.length);
    for (int i = 1; i < COUNTS; i++)
        for (int again = 0; again < 5; again++) {
            CHECK(batch_run_threads(".", 0, thread_counts[i], &error), "%s", error.text);
            CHECK(same_content("output.txt", &alone), "%u threads", thread_counts[i]);
        }
    buffer_free(&alone);
}

/* The report's page, but for the moment when it was made. */
static struct buffer get_report(void)
{
    static const char before[] = "\"created\": \"";
    struct buffer page = get_file("report.html");
    char *moment = memmem(page.data, page.length, before, sizeof before - 1);
    CHECK(moment, "the page says when it was made");
    if (moment)
        memset(moment + sizeof before - 1, '-', 20);
    return page;
}

static void test_same_report(void)
{
    struct error error;
    put_table("train.tsv", true, -1, NULL);
    put_table("test.tsv", false, -1, NULL);
    CHECK(batch_run_threads(".", BATCH_REPORT, 1, &error), "1 thread: %s", error.text);
    struct buffer alone = get_report();
    for (int i = 1; i < COUNTS; i++) {
        CHECK(batch_run_threads(".", BATCH_REPORT, thread_counts[i], &error), "%s", error.text);
        struct buffer page = get_report();
        CHECK(page.length == alone.length && memcmp(page.data, alone.data, page.length) == 0,
              "%u threads", thread_counts[i]);
        buffer_free(&page);
    }
    buffer_free(&alone);
}

static void check_error(const char *wants)
{
    for (int i = 0; i < COUNTS; i++)
        for (int again = 0; again < 5; again++) {
            struct error error = {0};
            put_text("output.txt", "untouched");
            CHECK(!batch_run_threads(".", 0, thread_counts[i], &error), "%u threads",
                  thread_counts[i]);
            CHECK_STRING(wants, error.text);
            struct buffer output = get_file("output.txt");
            CHECK(output.length == 9, "%u threads: the output stays", thread_counts[i]);
            buffer_free(&output);
        }
}

/* The first fault of the file, wherever in a block it is, and of whichever kind. */
static void test_first_error(void)
{
    static const int places[] = {1, 2000, 2001, 9999, ROWS - 1};
    char wants[200];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        put_table("test.tsv", false, -1, NULL);
        put_table("train.tsv", true, places[i], "1\tx\t3\t4\n");
        snprintf(wants, sizeof wants, "train.tsv:%d: column b: \"x\" is not a number",
                 places[i] + 1);
        check_error(wants);
        put_table("train.tsv", true, places[i], " \n\n");
        snprintf(wants, sizeof wants, "train.tsv:%d: a blank line, and data after it",
                 places[i] + 1);
        check_error(wants);
        put_table("train.tsv", true, -1, NULL);
        put_table("test.tsv", false, places[i], "1\t2\n");
        snprintf(wants, sizeof wants, "test.tsv:%d: 2 cells where the first row has 3",
                 places[i] + 1);
        check_error(wants);
        put_table("test.tsv", false, places[i], "1e308\t-1e308\t1e308\n");
        snprintf(wants, sizeof wants, "test.tsv:%d: the prediction is out of the range of doubles",
                 places[i] + 1);
        check_error(wants);
    }
}

/* Blocks of rows whose levels are all their own, so that each block by itself keeps to the limits.
 */
static void test_many_levels(void)
{
    enum { COLUMNS = 8, LEVELS = 59, BLOCKS = 4 };
    struct buffer text = {0};
    put_text("test.tsv", "a\tb\tc\td\te\tf\tg\th\n");
    buffer_puts(&text, "a\tb\tc\td\te\tf\tg\th\ty\n");
    for (int block = 0; block < BLOCKS; block++)
        for (size_t start = text.length, i = 0; text.length - start < TABLE_BLOCK_SIZE; i++) {
            for (size_t j = 0; j < COLUMNS; j++)
                buffer_printf(&text, "%0100d-%zu\t", block, (i * (j + 1) + j) % LEVELS);
            buffer_puts(&text, "1\n");
        }
    put_file("train.tsv", text.data, text.length);
    buffer_free(&text);
    check_error("train.tsv:84: column e has a new value: all features together have too many, at "
                "most 500");
}

/* Where the system gives no more threads, those that there are do it all. */
static void test_no_more_threads(void)
{
    struct error error = {0};
    put_table("train.tsv", true, -1, NULL);
    put_table("test.tsv", false, -1, NULL);
    CHECK(batch_run_threads(".", 0, 1, &error), "%s", error.text);
    struct buffer alone = get_file("output.txt");
    for (int left = 0; left <= 9; left++) { /* 7 would be taken for each of the two tables */
        threads_left = left;
        CHECK(batch_run_threads(".", 0, 8, &error), "%d threads: %s", left, error.text);
        CHECK(same_content("output.txt", &alone), "%d threads", left);
        CHECK_INT(0, left < 8 ? threads_left : 0);
    }
    threads_left = INT_MAX;
    buffer_free(&alone);
}

int main(void)
{
    scratch_make();
    test_same_bits();
    test_same_report();
    test_first_error();
    test_many_levels();
    test_no_more_threads();
    scratch_end();
    return check_report("test_batch");
}
