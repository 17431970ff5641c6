#include "check.h"
#include "fit.h"

#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

static struct fit *fit_rows(const double *rows, size_t count, size_t features)
{
    struct moments *moments = moments_new(features);
    struct error error = {.text = ""};
    size_t column;
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows + i * (features + 1), 1));
        moments_add(moments, rows + i * (features + 1), 1);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    moments_free(moments);
    if (!CHECK(fit, "%s", error.text))
        exit(check_report("test_fit"));
    return fit;
}

static void check_coefficient(const struct fit *fit, size_t j, double hi, double lo)
{
    CHECK_DOUBLE(hi, fit->coefficients[j].hi);
    CHECK_DOUBLE(lo, fit->coefficients[j].lo);
}

static void check_perfect(const struct fit *fit)
{
    CHECK_DOUBLE(0, fit->mse);
    CHECK_DOUBLE(1, fit->r2);
}

static bool fits_equal(const struct fit *a, const struct fit *b)
{
    size_t size = (a->features + 1) * sizeof a->coefficients[0];
    return a->features == b->features && a->rank == b->rank && a->mse == b->mse && a->r2 == b->r2 &&
           memcmp(a->coefficients, b->coefficients, size) == 0;
}

/* Numbers of a file of the NIST sets, cell by cell; `lines` says in how many lines. */
struct numbers {
    double values[2048];
    char text[2048][40]; /* as written: references have more digits than a double */
    size_t count, lines;
};

static void numbers_read(struct numbers *numbers, const char *name, const char *kind)
{
    char path[128], separator;
    snprintf(path, sizeof path, "tests/data/nist/%s.%s", name, kind);
    FILE *file = fopen(path, "r");
    numbers->count = numbers->lines = 0;
    if (!CHECK(file, "%s, seen from the repository's root", path))
        exit(check_report("test_fit"));
    while (numbers->count < 2048 &&
           fscanf(file, "%39[^\t\n]%c", numbers->text[numbers->count], &separator) == 2) {
        numbers->values[numbers->count] = strtod(numbers->text[numbers->count], NULL);
        numbers->count++;
        numbers->lines += separator == '\n';
    }
    fclose(file);
}

/* hi + lo agrees with all 26 digits. */
static void check_digits(struct coefficient coefficient, const char *digits)
{
    mpfr_t got, wants;
    mpfr_inits2(256, got, wants, NULL);
    mpfr_set_d(got, coefficient.hi, MPFR_RNDN);
    mpfr_add_d(got, got, coefficient.lo, MPFR_RNDN);
    mpfr_set_str(wants, digits, 10, MPFR_RNDN);
    mpfr_sub(got, got, wants, MPFR_RNDN);
    mpfr_mul_d(wants, wants, 6e-26, MPFR_RNDN);
    CHECK(mpfr_cmpabs(got, wants) <= 0, "%s: off by more than half of the last digit", digits);
    mpfr_clears(got, wants, NULL);
}

static void check_nist_set(const char *name)
{
    static struct numbers rows, wants;
    numbers_read(&rows, name, "train.tsv");
    size_t features = rows.count / rows.lines - 1;
    struct fit *fit = fit_rows(rows.values, rows.lines, features);
    CHECK_INT(rows.lines, fit->rows);
    CHECK_INT(features + 1, fit->rank);
    numbers_read(&wants, name, "coef_exact.txt");
    CHECK_INT(features + 1, wants.count);
    for (size_t j = 0; j <= features; j++) {
        CHECK_DOUBLE(wants.values[j], fit->coefficients[j].hi);
        check_digits(fit->coefficients[j], wants.text[j]);
    }
    numbers_read(&rows, name, "test.tsv");
    numbers_read(&wants, name, "pred_exact.txt");
    CHECK_INT(rows.lines, wants.lines);
    for (size_t i = 0; i < rows.lines; i++)
        CHECK_DOUBLE(wants.values[i],
                     fit_predict(fit->coefficients, rows.values + i * features, features));
    fit_free(fit);
}

static void test_nist(void)
{
    static const char *const names[] = {"Norris",   "Pontius",  "NoInt1",   "NoInt2",
                                        "Filip",    "Longley",  "Wampler1", "Wampler2",
                                        "Wampler3", "Wampler4", "Wampler5"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_nist_set(names[i]);
}

/* NIST's certified residual sum of squares and R², which are of the decimals, not of the doubles.
 */
static void check_errors(const char *name, double squares, double r2)
{
    static struct numbers rows;
    numbers_read(&rows, name, "train.tsv");
    struct fit *fit = fit_rows(rows.values, rows.lines, rows.count / rows.lines - 1);
    double mse = squares / (double)rows.lines;
    CHECK(fabs(fit->mse - mse) <= 1e-12 * mse, "%s: wants %.17g, got %.17g", name, mse, fit->mse);
    CHECK(fabs(fit->r2 - r2) <= 1e-15, "%s: wants %.17g, got %.17g", name, r2, fit->r2);
    fit_free(fit);
}

static void test_certified_errors(void)
{
    check_errors("Norris", 26.6173985294224, 0.999993745883712);
    check_errors("Pontius", 0.155761768796992E-05, 0.999999900178537);
    check_errors("Longley", 836424.055505915, 0.995479004577296);
    check_errors("Wampler1", 0, 1);
    check_errors("Wampler3", 83554268.0000000, 0.999995559025820);
    check_errors("Wampler4", 835542680000.000, 0.957478440825662);
    check_errors("Wampler5", 8355426800000000, 0.224668921574940E-02);
}

static const double towns[] = {
    1.5, 20.25, -3, 7, 12.1, 0.75, 4, 9.5, 0.1, 300, 2, 1, 8.25, 17, -5.5, 2, 3.3, 41, 6, -1,
};

enum { TOWNS = 5, TOWN_FEATURES = 3 };

/* Rows that came and went leave no trace, however far out they were. */
static void test_extremes_come_and_go(void)
{
    static const double extremes[][4] = {{1e150, 1e-150, -1e150, 1e20},
                                         {1e308, 5e-324, -DBL_MAX, DBL_MIN},
                                         {1e20, -1e20, 1e20, 1e20}};
    struct moments *moments = moments_new(TOWN_FEATURES);
    struct error error;
    size_t column;
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, extremes[i], 1));
        moments_add(moments, extremes[i], 1);
    }
    for (size_t i = TOWNS; i-- > 0;) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, towns + i * 4, 1));
        moments_add(moments, towns + i * 4, 1);
    }
    for (size_t i = 0; i < 3; i++)
        moments_subtract(moments, extremes[i], 1);
    struct fit *fit = fit_new(moments, &column, &error);
    struct fit *plain = fit_rows(towns, TOWNS, TOWN_FEATURES);
    CHECK(fit && fits_equal(fit, plain), "the same bits");
    moments_free(moments);
    fit_free(fit);
    fit_free(plain);
}

static void test_unix_seconds(void)
{
    double rows[60][2];
    for (int i = 0; i < 60; i++) {
        rows[i][0] = 1.7e9 + i / 8.0;
        rows[i][1] = (rows[i][0] - 1.7e9) * 2.5 + 1;
    }
    struct fit *fit = fit_rows(rows[0], 60, 1);
    check_coefficient(fit, 0, -4249999999.0, 0);
    check_coefficient(fit, 1, 2.5, 0);
    check_perfect(fit);
    fit_free(fit);
}

static void test_constant_and_zero_columns(void)
{
    static const double rows[][4] = {{5, 0, 1, 3}, {5, 0, 2, 5}, {5, 0, 4, 9}};
    struct fit *fit = fit_rows(rows[0], 3, 3);
    CHECK(fit->aliased[0] && fit->aliased[1] && !fit->aliased[2], "the first two");
    CHECK_INT(2, fit->rank);
    check_coefficient(fit, 0, 1, 0);
    check_coefficient(fit, 1, 0, 0);
    check_coefficient(fit, 2, 0, 0);
    check_coefficient(fit, 3, 2, 0);
    check_perfect(fit);
    fit_free(fit);
}

static void test_duplicate_column(void)
{
    static const double rows[][4] = {
        {0.1, 7, 0.1, 3}, {0.3, 5, 0.3, 4}, {0.7, 9, 0.7, 9}, {1.1, 2, 1.1, 1}, {0.2, 2, 0.2, 2}};
    struct fit *fit = fit_rows(rows[0], 5, 3);
    CHECK(!fit->aliased[0] && !fit->aliased[1] && fit->aliased[2], "the later one");
    CHECK(fit->coefficients[1].hi != 0, "the earlier one takes part");
    check_coefficient(fit, 3, 0, 0);
    fit_free(fit);
}

/* Dependent but for the rounding of its values to doubles. */
static void test_fahrenheit(void)
{
    double rows[50][3];
    for (int i = 0; i < 50; i++) {
        rows[i][0] = (i * 37 % 50) * 0.7 + 0.1;
        rows[i][1] = 1.8 * rows[i][0] + 32;
        rows[i][2] = i;
    }
    struct fit *fit = fit_rows(rows[0], 50, 2);
    CHECK(!fit->aliased[0] && fit->aliased[1], "Fahrenheit is Celsius");
    fit_free(fit);
    rows[7][1] = nextafter(rows[7][1] + 1e-12, INFINITY);
    fit = fit_rows(rows[0], 50, 2);
    CHECK(!fit->aliased[0] && !fit->aliased[1], "a deviation above rounding is information");
    fit_free(fit);
}

/* UCI energy efficiency, a sample: column 2 is column 3 + 2 · column 4. */
static void test_energy(void)
{
    static const double rows[][9] = {
        {0.98, 514.5, 294, 110.25, 7, 5, 0.1, 5, 24.26},
        {0.71, 710.5, 269.5, 220.5, 3.5, 4, 0.4, 2, 14.4},
        {0.71, 710.5, 269.5, 220.5, 3.5, 3, 0.4, 1, 14.6},
        {0.66, 759.5, 318.5, 220.5, 3.5, 3, 0.1, 2, 11.42},
        {0.64, 784, 343, 220.5, 3.5, 4, 0.25, 2, 17.02},
        {0.64, 784, 343, 220.5, 3.5, 4, 0.4, 2, 18.9},
        {0.9, 563.5, 318.5, 122.5, 7, 3, 0.25, 5, 32.31},
        {0.79, 637, 343, 147, 7, 2, 0.4, 3, 41.26},
        {0.79, 637, 343, 147, 7, 4, 0.4, 2, 42.74},
        {0.79, 637, 343, 147, 7, 5, 0.1, 1, 35.94},
        {0.62, 808.5, 367.5, 220.5, 3.5, 2, 0.4, 2, 16.76},
        {0.82, 612.5, 318.5, 147, 7, 3, 0, 0, 17.41},
    };
    struct fit *fit = fit_rows(rows[0], sizeof rows / sizeof rows[0], 8);
    for (size_t j = 0; j < 8; j++)
        CHECK_INT(j == 3, fit->aliased[j]);
    CHECK_INT(8, fit->rank);
    fit_free(fit);
}

static struct fit *fit_weighted(const double *rows, const double *weights, size_t count,
                                size_t features)
{
    struct moments *moments = moments_new(features);
    struct error error = {.text = ""};
    size_t column;
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows + i * (features + 1), weights[i]));
        moments_add(moments, rows + i * (features + 1), weights[i]);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    moments_free(moments);
    if (!CHECK(fit, "%s", error.text))
        exit(check_report("test_fit"));
    return fit;
}

/* A row of weight 3 is three rows, but for the number of rows. */
static void test_whole_weights(void)
{
    static const double weights[TOWNS] = {1, 3, 1, 2, 4};
    double repeated[11][TOWN_FEATURES + 1];
    size_t count = 0;
    for (size_t i = 0; i < TOWNS; i++)
        for (int n = 0; n < weights[i]; n++)
            memcpy(repeated[count++], towns + i * (TOWN_FEATURES + 1), sizeof repeated[0]);
    struct fit *fit = fit_weighted(towns, weights, TOWNS, TOWN_FEATURES);
    struct fit *plain = fit_rows(repeated[0], count, TOWN_FEATURES);
    CHECK(fits_equal(fit, plain), "the same bits");
    CHECK_DOUBLE(plain->variance, fit->variance);
    CHECK_DOUBLE(plain->weight, fit->weight);
    CHECK_DOUBLE(11, fit->weight);
    CHECK_INT(TOWNS, fit->rows);
    fit_free(fit);
    fit_free(plain);
}

/* The weighted mean of 0 and 1, exactly rounded: 1 to 3, 0.1 to 0.2 as they are in binary, and ever
 * less of one of them. */
static void test_weighted_mean(void)
{
    static const double rows[] = {0, 1}, weights[][2] = {{3, 1}, {0.1, 0.2}, {1, 5e-324}};
    static const double wants[] = {0.25, 0.2 / (0.1 + 0.2), 5e-324};
    for (size_t i = 0; i < 3; i++) {
        struct fit *fit = fit_weighted(rows, weights[i], 2, 0);
        CHECK(fabs(fit->coefficients[0].hi - wants[i]) <= 1e-16 * wants[i], "%.17g",
              fit->coefficients[0].hi);
        CHECK(fabs(fit->means[0] - wants[i]) <= 3e-16 * wants[i], "%.17g", fit->means[0]);
        CHECK_DOUBLE(0, fit->r2);
        fit_free(fit);
    }
    struct fit *fit = fit_weighted(rows, weights[0], 2, 0);
    CHECK_DOUBLE(0.1875, fit->mse);
    CHECK_DOUBLE(0.1875, fit->variance);
    fit_free(fit);
}

/* The error on other rows is their weighted mean, too: residuals of -1 and 3. */
static void test_weighted_error(void)
{
    static const double rows[][2] = {{0, 0}, {1, 2}}, others[][2] = {{1, 1}, {2, 7}};
    static const double weights[] = {0.5, 0.25};
    struct fit *fit = fit_rows(rows[0], 2, 1);
    struct moments *moments = moments_new(1);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, others[i], weights[i]));
        moments_add(moments, others[i], weights[i]);
    }
    CHECK_DOUBLE((0.5 * 1 + 0.25 * 9) / 0.75, fit_error(fit, moments));
    moments_free(moments);
    fit_free(fit);
}

/* A row that hardly counts, and one that nearly alone counts, are still told apart. */
static void test_extreme_weights(void)
{
    static const double rows[][2] = {{0, 1}, {1, 3}, {5, 0}}, weights[] = {1e300, 1, 5e-324};
    struct fit *fit = fit_weighted(rows[0], weights, 3, 1);
    check_coefficient(fit, 0, 1, fit->coefficients[0].lo);
    check_coefficient(fit, 1, 2, fit->coefficients[1].lo);
    CHECK(fit->coefficients[1].lo < 0, "the third row counts: %g", fit->coefficients[1].lo);
    fit_free(fit);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Figures that are not beyond the range of doubles, where what they are made of is. */
static void test_figures_at_the_ends(void)
{
    static const double rows[][2] = {{1, 0.1}, {1.25, 0.3}, {1.5, 0.1}},
                        tiny[] = {5e-324, 1, 5e-324},
                        high[][2] = {{DBL_MAX, 1}, {DBL_MAX, 2}, {DBL_MAX, 3}};
    struct fit *fit = fit_weighted(rows[0], tiny, 3, 1);
    CHECK_INT(2, fit->rank);
    CHECK(fabs(fit->condition - 1) < 1e-15, "one feature: %g", fit->condition);
    fit_free(fit);
    for (int i = 0; i < 40; i++) {
        const double weights[] = {0.1 + i, 0.7 / (1 + i), 0.3};
        fit = fit_weighted(high[0], weights, 3, 1);
        CHECK(fabs(fit->means[0]) <= DBL_MAX && fit->means[0] >= DBL_MAX * (1 - 0x1p-52), "%g",
              fit->means[0]);
        fit_free(fit);
    }
}

enum { MANY = 200, MANY_ROWS = 230 };

/* Many columns of whole numbers, whose solution is known: β_j = (j mod 7 - 3) / 4. */
static void test_many_features(void)
{
    static double rows[MANY_ROWS][MANY + 1];
    uint64_t state = 42;
    for (size_t i = 0; i < MANY_ROWS; i++) {
        rows[i][MANY] = -0.75;
        for (size_t j = 0; j < MANY; j++) {
            rows[i][j] = (double)(next_random(&state) >> 54) - 512;
            rows[i][MANY] += rows[i][j] * ((double)((j + 1) % 7) - 3) / 4;
        }
    }
    struct fit *fit = fit_rows(rows[0], MANY_ROWS, MANY);
    for (size_t j = 0; j <= MANY; j++)
        check_coefficient(fit, j, ((double)(j % 7) - 3) / 4, 0);
    CHECK_INT(MANY + 1, fit->rank);
    check_perfect(fit);
    fit_free(fit);
}

/* With as many columns it would take too long to find what only the lightest row tells: they are as
 * dependent as without it, and there is a fit all the same. */
static void test_many_features_far_apart(void)
{
    static double rows[MANY_ROWS][MANY + 1], weights[MANY_ROWS];
    uint64_t state = 43;
    for (size_t i = 0; i < MANY_ROWS; i++) {
        weights[i] = i == 5 ? 1e-300 : 1;
        for (size_t j = 0; j < MANY; j++)
            rows[i][j] = (double)(next_random(&state) >> 54) - 512;
        rows[i][MANY - 1] = i == 5 ? 0 : 3 * rows[i][0];
        rows[i][MANY] = 2 * rows[i][1];
    }
    struct fit *fit = fit_weighted(rows[0], weights, MANY_ROWS, MANY);
    CHECK_INT(MANY, fit->rank);
    CHECK(fit->aliased[MANY - 1], "the last depends on the first");
    check_coefficient(fit, 2, 2, 0);
    fit_free(fit);
}

static void test_zero_is_zero(void)
{
    static const double rows[][4] = {
        {3, 1, 0.1, 1}, {6, -2, 0.7, 2}, {9, 4, 0.3, 3}, {12, 7, -0.9, 4}, {27, 5, 1.3, 9}};
    struct fit *fit = fit_rows(rows[0], 5, 3);
    check_coefficient(fit, 0, 0, 0);
    CHECK_DOUBLE(1.0 / 3, fit->coefficients[1].hi);
    CHECK_DOUBLE(0x1p-54 / 3, fit->coefficients[1].lo);
    check_coefficient(fit, 2, 0, 0);
    check_coefficient(fit, 3, 0, 0);
    check_perfect(fit);
    fit_free(fit);
}

/* Whatever the coefficient rounds to, nothing is left over, or nothing explained. */
static void test_all_or_nothing(void)
{
    for (int k = 1; k <= 40; k++) {
        double line[4][2], flat[41] = {0.7};
        for (int i = 0; i < 4; i++) {
            line[i][0] = k * (i + 1);
            line[i][1] = i + 1;
        }
        struct fit *fit = fit_rows(line[0], 4, 1);
        CHECK_DOUBLE(1.0 / k, fit->coefficients[1].hi);
        check_coefficient(fit, 0, 0, 0);
        check_perfect(fit);
        fit_free(fit);
        fit = fit_rows(flat, k + 1, 0);
        CHECK_DOUBLE(0, fit->r2);
        fit_free(fit);
    }
}

/* Columns that almost depend on ones that almost depend on each other: d = 2^50 (c2 - c1) and
 * e = 2^50 (c3 - d), all exact in doubles. */
static void test_nested_near_dependence(void)
{
    static const double a[] = {1, 2, 3, 1, 2, 0, 3}, d[] = {0, 1, 0, 1, 1, 0, 0},
                        e[] = {1, 1, 0, 0, 1, 0, 1};
    double rows[7][5];
    for (int i = 0; i < 7; i++) {
        rows[i][0] = a[i];
        rows[i][1] = a[i] + d[i] * 0x1p-50;
        rows[i][2] = d[i] + e[i] * 0x1p-50;
        rows[i][3] = 2 * e[i] + d[i];
        rows[i][4] = e[i];
    }
    struct fit *fit = fit_rows(rows[0], 7, 4);
    CHECK_INT(4, fit->rank);
    CHECK(fit->aliased[3], "the last depends on the others");
    check_coefficient(fit, 0, 0, 0);
    check_coefficient(fit, 1, 0x1p100, 0);
    check_coefficient(fit, 2, -0x1p100, 0);
    check_coefficient(fit, 3, 0x1p50, 0);
    check_coefficient(fit, 4, 0, 0);
    check_perfect(fit);
    fit_free(fit);
}

static void test_tiny_is_not_zero(void)
{
    static const double rows[][3] = {{1, 0, 1e-60}, {0, 1, 1}, {0, 0, 0}, {2, 0, 2e-60}};
    struct fit *fit = fit_rows(rows[0], 4, 2);
    check_coefficient(fit, 0, 0, 0);
    check_coefficient(fit, 1, 1e-60, 0);
    check_coefficient(fit, 2, 1, 0);
    check_perfect(fit);
    fit_free(fit);
}

static void test_more_features_than_rows(void)
{
    static const double rows[][5] = {{1, 2, 3, 4, 5}, {2, 4, 7, 1, 9}};
    struct fit *fit = fit_rows(rows[0], 2, 4);
    CHECK_INT(2, fit->rank);
    check_coefficient(fit, 0, 1, 0);
    check_coefficient(fit, 1, 4, 0);
    CHECK(!fit->aliased[0] && fit->aliased[1] && fit->aliased[2] && fit->aliased[3], "in order");
    check_perfect(fit);
    fit_free(fit);
}

static void test_single_row(void)
{
    static const double row[] = {0.5, 3, 0.1};
    struct fit *fit = fit_rows(row, 1, 2);
    CHECK_INT(1, fit->rank);
    CHECK_INT(1, fit->rows);
    check_coefficient(fit, 0, 0.1, 0);
    CHECK(fit->aliased[0] && fit->aliased[1], "both");
    CHECK_DOUBLE(0, fit->mse);
    CHECK(isnan(fit->r2), "nothing varies");
    fit_free(fit);
}

static void test_constant_target(void)
{
    static const double rows[][2] = {{1, 0.1}, {2, 0.1}, {4, 0.1}}, zeros[][2] = {{1, 0}, {2, 0}};
    struct fit *fit = fit_rows(rows[0], 3, 1);
    check_coefficient(fit, 0, 0.1, 0);
    check_coefficient(fit, 1, 0, 0);
    CHECK_DOUBLE(0, fit->mse);
    CHECK(isnan(fit->r2), "nothing to explain");
    fit_free(fit);
    fit = fit_rows(zeros[0], 2, 1);
    check_coefficient(fit, 0, 0, 0);
    CHECK(!fit->aliased[0] && isnan(fit->r2) && fit->mse == 0, "a target of zeros");
    fit_free(fit);
}

static void test_without_features(void)
{
    static const double rows[] = {0, 1, 0};
    struct fit *fit = fit_rows(rows, 3, 0);
    check_coefficient(fit, 0, 1.0 / 3, 0x1p-54 / 3);
    CHECK_DOUBLE(2.0 / 9, fit->mse);
    CHECK_DOUBLE(0, fit->r2);
    CHECK_DOUBLE(1.0 / 3, fit_predict(fit->coefficients, NULL, 0));
    fit_free(fit);
}

static void test_no_rows(void)
{
    struct moments *moments = moments_new(1);
    struct error error;
    size_t column;
    CHECK(!fit_new(moments, &column, &error), "nothing to fit");
    CHECK_INT(ERROR_CONFLICT, error.kind);
    moments_free(moments);
    fit_free(NULL);
}

static void test_overflowing_coefficient(void)
{
    static const double rows[][3] = {{7, 0, 0}, {7, 5e-324, 1e308}};
    struct moments *moments = moments_new(2);
    struct error error;
    size_t column = 99;
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], 1));
        moments_add(moments, rows[i], 1);
    }
    CHECK(!fit_new(moments, &column, &error), "2e631 is no double");
    CHECK_INT(ERROR_UNUSABLE, error.kind);
    CHECK_INT(2, column);
    moments_free(moments);
}

/* The whole range of doubles in one fit. */
static void test_widest_range(void)
{
    static const double rows[][3] = {
        {0, 0, 0}, {1e308, 0, 5e307}, {0, 5e-324, 1e-323}, {-1e308, 5e-324, 0}};
    struct fit *fit = fit_rows(rows[0], 3, 2);
    check_coefficient(fit, 0, 0, 0);
    check_coefficient(fit, 1, 5e307 / 1e308, fit->coefficients[1].lo);
    check_coefficient(fit, 2, 2, 0);
    check_perfect(fit);
    fit_free(fit);
    fit = fit_rows(rows[0], 4, 2);
    CHECK(isinf(fit->mse) && fit->r2 > 0 && fit->r2 < 1, "the mean square is beyond range");
    fit_free(fit);
}

static double predict_one(double intercept, double hi, double lo, double x)
{
    struct coefficient coefficients[] = {{intercept, 0}, {hi, lo}};
    return fit_predict(coefficients, &x, 1);
}

static void test_predict_range(void)
{
    CHECK_DOUBLE(INFINITY, predict_one(0, 1e308, 0, 10));
    CHECK_DOUBLE(-INFINITY, predict_one(1, 1e308, 0, -10));
    CHECK_DOUBLE(1e308 * 1.5, predict_one(0, 1e308, 0, 1.5));
    CHECK_DOUBLE(5e-324, predict_one(0, 5e-324, 0, 1));
    CHECK_DOUBLE(1e-323, predict_one(0, 5e-324, 0, 1.5)); /* a tie, to even */
    CHECK_DOUBLE(1e308 * 5e-324, predict_one(0, 1e308, 0, 5e-324));
    CHECK_DOUBLE(1, predict_one(1, 1e-200, 0, 1e-200));
    CHECK_DOUBLE(nextafter(1, 2), predict_one(1 + 0x1p-52, 1e-200, 0, -1e-200));
    CHECK_DOUBLE(DBL_MAX, predict_one(DBL_MAX, 1, 0, 1));
}

static void test_predict_never_minus_zero(void)
{
    CHECK_DOUBLE(0, predict_one(0, -1e-200, 0, 1e-200));
    CHECK_DOUBLE(0, predict_one(0, -1, 0, 0));
    CHECK_DOUBLE(0, predict_one(-0.0, -1, 0, 0));
    CHECK_DOUBLE(0, predict_one(3, -1, 0, 3));
}

static void test_predict_cancellation(void)
{
    static const struct coefficient coefficients[] = {{7, 0}, {1e308, 0}, {-1e308, 0}};
    static const double x[] = {1e308, 1e308}, y[] = {1e100, 1e100};
    CHECK_DOUBLE(7, fit_predict(coefficients, x, 2));
    CHECK_DOUBLE(7, fit_predict(coefficients, y, 2));
}

/* Half-way cases are decided by what lies far below double-double accuracy. */
static void test_predict_ties(void)
{
    CHECK_DOUBLE(1, predict_one(0, 1, 0x1p-53, 1));
    CHECK_DOUBLE(1 + 0x1p-52, predict_one(0x1p-300, 1, 0x1p-53, 1));
    CHECK_DOUBLE(1, predict_one(-0x1p-300, 1, 0x1p-53, 1));
}

/* A tie decided by the tail of a product, which itself is below every double. */
static void test_predict_underflowing_tail(void)
{
    double hi = ldexp(1 + 0x1p-30, -500), x = ldexp(1 + 0x1p-30, -520);
    CHECK_DOUBLE(ldexp(1 + 0x1p-29 + 0x1p-52, -1020), predict_one(0x1p-1073, hi, 0, x));
}

static double random_double(uint64_t *state, int exponents)
{
    double value = (double)(int64_t)next_random(state) * 0x1p-63;
    return ldexp(value, (int)(next_random(state) % (2 * exponents + 1)) - exponents);
}

static double predict_by_mpfr(const struct coefficient *coefficients, const double *x, size_t n)
{
    mpfr_t sum, term;
    mpfr_inits2(6000, sum, term, NULL);
    mpfr_set_d(sum, coefficients[0].hi, MPFR_RNDN);
    mpfr_add_d(sum, sum, coefficients[0].lo, MPFR_RNDN);
    for (size_t j = 0; j < n; j++) {
        mpfr_set_d(term, coefficients[j + 1].hi, MPFR_RNDN);
        mpfr_add_d(term, term, coefficients[j + 1].lo, MPFR_RNDN);
        mpfr_mul_d(term, term, x[j], MPFR_RNDN);
        mpfr_add(sum, sum, term, MPFR_RNDN);
    }
    double rounded = mpfr_get_d(sum, MPFR_RNDN);
    mpfr_clears(sum, term, NULL);
    return rounded;
}

static void test_predict_is_rounded_once(void)
{
    enum { TERMS = 8 };
    static const int exponents[] = {0, 3, 60, 500};
    uint64_t state = 99;
    for (int i = 0; i < 4000; i++) {
        struct coefficient coefficients[TERMS + 1];
        double x[TERMS];
        int range = exponents[i % 4];
        for (size_t j = 0; j <= TERMS; j++) {
            double hi = random_double(&state, range);
            coefficients[j] = (struct coefficient){hi, hi * 0x1p-54 * random_double(&state, 1)};
        }
        for (size_t j = 0; j < TERMS; j++)
            x[j] = random_double(&state, range);
        if (i % 3 == 0) { /* all but cancel */
            coefficients[1] = (struct coefficient){-coefficients[2].hi, -coefficients[2].lo};
            x[0] = nextafter(x[1], 0);
        }
        CHECK_DOUBLE(predict_by_mpfr(coefficients, x, TERMS), fit_predict(coefficients, x, TERMS));
    }
}

int main(void)
{
    test_nist();
    test_certified_errors();
    test_extremes_come_and_go();
    test_whole_weights();
    test_weighted_mean();
    test_weighted_error();
    test_extreme_weights();
    test_figures_at_the_ends();
    test_unix_seconds();
    test_constant_and_zero_columns();
    test_duplicate_column();
    test_fahrenheit();
    test_energy();
    test_many_features();
    test_many_features_far_apart();
    test_zero_is_zero();
    test_all_or_nothing();
    test_nested_near_dependence();
    test_tiny_is_not_zero();
    test_more_features_than_rows();
    test_single_row();
    test_constant_target();
    test_without_features();
    test_no_rows();
    test_overflowing_coefficient();
    test_widest_range();
    test_predict_range();
    test_predict_never_minus_zero();
    test_predict_cancellation();
    test_predict_ties();
    test_predict_underflowing_tail();
    test_predict_is_rounded_once();
    mpfr_free_cache();
    return check_report("test_fit");
}
