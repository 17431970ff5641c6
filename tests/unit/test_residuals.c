/* What is counted and kept of residuals, and that threads do not matter to it. */
#include "check.h"
#include "residuals.h"
#include "scratch.h"

#include <math.h>
#include <stdlib.h>

static void add(struct residuals *residuals, uint64_t line, double predicted, double actual)
{
    CHECK(residuals_add(residuals, &(struct residual_row){line, predicted, actual}), "no memory");
}

/* A bin is a fifth of the unit wide here, and has its lower end. */
static void test_bins(void)
{
    static const struct {
        double residual;
        int bin;
    } cases[] = {{-8, 0},    {-7.99, 0}, {-0.01, 19}, {0, 20},
                 {0.39, 20}, {0.4, 21},  {7.99, 39},  {-8.01, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct residuals residuals;
        residuals_begin(&residuals, 1, 2);
        add(&residuals, 1, 0, cases[i].residual);
        if (cases[i].bin >= 0)
            CHECK(residuals.bins[cases[i].bin] == 1, "%g", cases[i].residual);
        CHECK_INT(cases[i].bin < 0, residuals.below);
        CHECK_INT(0, residuals.above);
        CHECK_DOUBLE(cases[i].residual, residuals.least);
        CHECK_DOUBLE(cases[i].residual, residuals.greatest);
        residuals_free(&residuals);
    }
}

static void test_beyond(void)
{
    struct residuals residuals;
    residuals_begin(&residuals, 3, 1);
    add(&residuals, 1, 0, 4);
    add(&residuals, 2, -1e308, 1e308);
    add(&residuals, 3, INFINITY, 0);
    CHECK_INT(2, residuals.above);
    CHECK_INT(1, residuals.below);
    CHECK_INT(3, residuals.rows);
    CHECK_INT(1, residuals.sampled); /* what is infinite cannot be drawn */
    residuals_free(&residuals);
}

/* Where nothing is left there is no unit, and no bin either. */
static void test_perfect(void)
{
    struct residuals residuals;
    residuals_begin(&residuals, 1, 0);
    add(&residuals, 1, 7, 7);
    CHECK_INT(1, residuals.rows);
    CHECK_INT(1, residuals.sampled);
    residuals_free(&residuals);
}

/* target = 3 a + 1, and as much again as the row's number has left by 7 */
static void put_rows(int rows)
{
    struct buffer text = {0};
    for (int i = 0; i < rows; i++)
        buffer_printf(&text, "%d\t%d\n", i, 3 * i + 1 + i % 7);
    put_file("train.tsv", text.data, text.length);
    buffer_free(&text);
}

static void read_all(struct residuals *residuals, int rows, unsigned threads)
{
    struct error error;
    struct progress progress = {.next = UINT64_MAX};
    struct fit *fit = fit_alloc(1, &error);
    struct table *table = table_open("train.tsv", &error);
    struct columns columns;
    CHECK(columns_find(&columns, table, "train.tsv", &error), "%s", error.text);
    fit->coefficients[0].hi = 1;
    fit->coefficients[1].hi = 3;
    struct encoding *encoding = encoding_new(NULL, fit->features);
    struct predictor line = {.candidate = LEAST_SQUARES, .encoding = encoding, .fit = fit};
    residuals_begin(residuals, (uint64_t)rows, 2);
    CHECK(residuals_read(residuals, &line, table, &columns, &progress, threads, &error), "%s",
          error.text);
    table_free(table);
    encoding_free(encoding);
    fit_free(fit);
}

static uint64_t counted(const struct residuals *residuals)
{
    uint64_t sum = residuals->below + residuals->above;
    for (size_t i = 0; i < RESIDUALS_BINS; i++)
        sum += residuals->bins[i];
    return sum;
}

static void test_all_kept(void)
{
    struct residuals residuals;
    put_rows(RESIDUALS_SAMPLE);
    read_all(&residuals, RESIDUALS_SAMPLE, 4);
    CHECK_INT(RESIDUALS_SAMPLE, residuals.sampled);
    for (size_t i = 0; i < residuals.sampled; i++) {
        const struct residual_row *row = &residuals.sample[i];
        if (row->line != i + 1 || row->predicted != 3.0 * (double)i + 1 ||
            row->actual - row->predicted != (double)(i % 7)) {
            CHECK(false, "row %zu: line %" PRIu64, i, row->line);
            break;
        }
    }
    CHECK_DOUBLE(0, residuals.least);
    CHECK_DOUBLE(6, residuals.greatest);
    residuals_free(&residuals);
}

/* Several blocks of the table, in whatever order they are done. */
static void test_threads(void)
{
    enum { ROWS = 400000 };
    struct residuals alone;
    put_rows(ROWS);
    read_all(&alone, ROWS, 1);
    CHECK_INT(ROWS, counted(&alone));
    CHECK(alone.sampled > 0.9 * RESIDUALS_SAMPLE && alone.sampled < 1.1 * RESIDUALS_SAMPLE,
          "%zu rows are kept", alone.sampled);
    for (unsigned threads = 2; threads <= 8; threads *= 2) {
        struct residuals residuals;
        read_all(&residuals, ROWS, threads);
        CHECK(memcmp(alone.bins, residuals.bins, sizeof alone.bins) == 0, "%u threads", threads);
        CHECK(alone.sampled == residuals.sampled &&
                  memcmp(alone.sample, residuals.sample, alone.sampled * sizeof *alone.sample) == 0,
              "%u threads", threads);
        residuals_free(&residuals);
    }
    residuals_free(&alone);
}

int main(void)
{
    scratch_make();
    test_bins();
    test_beyond();
    test_perfect();
    test_all_kept();
    test_threads();
    scratch_end();
    return check_report("test_residuals");
}
