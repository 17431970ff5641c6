/* The terms are what they say, of few bits, and the sums of their products exact. */
#include "check.h"
#include "term_sums.h"
#include "terms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 int128;

enum { FEATURES = 3, ROWS = 700 };

static const struct place places[FEATURES] = {{10, 2}, {-0.5, -3}, {1e6, 10}};

static struct terms *make(enum terms_kind kind, size_t features)
{
    bool no_memory;
    static struct place many[1000];
    memcpy(many, places, sizeof places);
    struct terms *terms = terms_new(kind, many, features, &no_memory);
    CHECK(!no_memory, "memory");
    return terms;
}

static double random_value(double scale)
{
    return scale * ((double)rand() / RAND_MAX * 2 - 1);
}

/* Mostly ordinary, now and then far outside. */
static void random_row(double row[static FEATURES])
{
    row[0] = 10 + random_value(rand() % 20 ? 8 : 1e9);
    row[1] = -0.5 + random_value(0.3);
    row[2] = 1e6 + random_value(rand() % 20 ? 2000 : 1e300);
}

static void test_counts(void)
{
    static const struct {
        enum terms_kind kind;
        size_t features, count;
        int degree;
    } wants[] = {{TERMS_POLYNOMIAL, 1, 3, 3},    {TERMS_POLYNOMIAL, 4, 34, 3},
                 {TERMS_POLYNOMIAL, 10, 285, 3}, {TERMS_POLYNOMIAL, 11, 77, 2},
                 {TERMS_POLYNOMIAL, 23, 299, 2}, {TERMS_POLYNOMIAL, 24, 24, 1},
                 {TERMS_FOURIER, 1, 254, 3},     {TERMS_FOURIER, 8, 320, 3},
                 {TERMS_FOURIER, 16, 320, 2},    {TERMS_FOURIER, 17, 320, 2},
                 {TERMS_FOURIER, 256, 320, 0}};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        struct terms *terms = make(wants[i].kind, wants[i].features);
        CHECK_INT(wants[i].count, terms_count(terms));
        CHECK_INT(wants[i].degree, terms_degree(terms));
        terms_free(terms);
    }
    CHECK(!make(TERMS_FOURIER, 257), "too many features");
}

static double placed(double x, struct place place)
{
    return fmin(fmax(ldexp(x - place.centre, -place.exponent), -8), 8);
}

static void test_values(enum terms_kind kind)
{
    struct terms *terms = make(kind, FEATURES);
    double row[FEATURES], values[TERMS_MAX];
    size_t factors[TERMS_DEGREE_MAX], odd = 0;
    for (int n = 0; n < 1000; n++) {
        random_row(row);
        terms_values(terms, row, values);
        for (size_t i = 0; i < terms_count(terms); i++) {
            double wants = 1;
            int degree = terms_factors(terms, i, factors);
            for (int d = 0; d < degree; d++)
                wants *= placed(row[factors[d]], places[factors[d]]);
            bool good = values[i] == rint(values[i]) && fabs(values[i]) <= 0x1p23;
            if (degree > 0)
                good = good && fabs(ldexp(wants, terms_unit(terms, i)) - values[i]) <= 0.501;
            odd += !good;
        }
    }
    CHECK_INT(0, odd);
    terms_free(terms);
}

/* Written down once: whoever changes a bit of these changes what old sums mean. */
static void test_same_everywhere(void)
{
    static const double row[FEATURES] = {13.25, -0.4375, 999000};
    struct terms *terms = make(TERMS_FOURIER, FEATURES);
    double values[TERMS_MAX], sum = 0;
    terms_values(terms, row, values);
    for (size_t i = 0; i < terms_count(terms); i++)
        sum += values[i] * (double)(i % 7 + 1);
    CHECK(sum == -253728999, "%.17g", sum);
    terms_free(terms);
}

static int128 exact(double (*rows)[TERMS_MAX], const int64_t *targets, size_t j, size_t k,
                    size_t count)
{
    int128 sum = 0;
    for (int n = 0; n < ROWS; n++)
        sum += (int128)(j == count ? targets[n] : (int64_t)rows[n][j]) *
               (k == count ? targets[n] : (int64_t)rows[n][k]);
    return sum;
}

/* Against 128-bit sums about the mean, all of them exact. */
static void check_covariances(const struct term_sums *sums, double (*rows)[TERMS_MAX],
                              const int64_t *targets)
{
    size_t count = term_sums_count(sums), odd = 0;
    for (size_t j = 0; j <= count; j += 5)
        for (size_t k = j; k <= count; k++) {
            int128 sum_j = 0, sum_k = 0;
            for (int n = 0; n < ROWS; n++) {
                sum_j += j == count ? targets[n] : (int64_t)rows[n][j];
                sum_k += k == count ? targets[n] : (int64_t)rows[n][k];
            }
            int128 numerator = exact(rows, targets, j, k, count) * ROWS - sum_j * sum_k;
            double wants = (double)numerator / ROWS / ROWS;
            odd += fabs(term_sums_covariance(sums, j, k) - wants) > 1e-14 * fabs(wants) + 1e-3;
        }
    CHECK_INT(0, odd);
}

static bool same(struct term_sums *a, struct term_sums *b)
{
    bool equal = term_sums_rows(a) == term_sums_rows(b);
    term_sums_flush(a);
    term_sums_flush(b);
    for (size_t j = 0; equal && j <= term_sums_count(a); j++) {
        equal = term_sums_mean(a, j) == term_sums_mean(b, j);
        for (size_t k = j; equal && k <= term_sums_count(a); k++)
            equal = term_sums_covariance(a, j, k) == term_sums_covariance(b, j, k);
    }
    return equal;
}

static void test_sums(enum terms_kind kind)
{
    static double rows[ROWS][TERMS_MAX];
    static int64_t targets[ROWS];
    struct terms *terms = make(kind, FEATURES);
    size_t count = terms_count(terms);
    struct term_sums *all = term_sums_new(count), *parts[2], *backwards = term_sums_new(count);
    for (int i = 0; i < 2; i++)
        parts[i] = term_sums_new(count);
    for (int n = 0; n < ROWS; n++) {
        double row[FEATURES];
        random_row(row);
        terms_values(terms, row, rows[n]);
        targets[n] = term_sums_target(random_value(n % 50 ? 30 : 1e12), (struct place){3, 4});
        term_sums_add(all, rows[n], targets[n]);
        term_sums_add(parts[n % 3 == 0], rows[n], targets[n]);
    }
    for (int n = ROWS - 1; n >= 0; n--)
        term_sums_add(backwards, rows[n], targets[n]);
    term_sums_flush(all);
    check_covariances(all, rows, targets);
    CHECK(same(all, backwards), "another order");
    term_sums_merge(parts[0], parts[1]);
    CHECK(same(all, parts[0]), "merged");
    term_sums_subtract(all, parts[1]);
    term_sums_subtract(parts[0], parts[1]);
    CHECK(same(all, parts[0]), "taken away");
    for (int i = 0; i < 2; i++)
        term_sums_free(parts[i]);
    term_sums_free(all);
    term_sums_free(backwards);
    terms_free(terms);
}

static void test_target(void)
{
    struct place place = {5, 2};
    CHECK_INT(0, term_sums_target(5, place));
    CHECK_INT(1 << 26, term_sums_target(9, place));
    CHECK_INT(INT64_C(1) << 46, term_sums_target(1e300, place));
    CHECK_INT(-(INT64_C(1) << 46), term_sums_target(-1e300, place));
}

static void test_place(void)
{
    CHECK_INT(0, place_of(3, 0).exponent);
    CHECK_INT(3, place_of(3, 8).exponent);
    CHECK_INT(3, place_of(3, 7).exponent);
    CHECK_INT(-1000, place_of(0, 5e-324).exponent);
    CHECK(place_of(INFINITY, INFINITY).centre == 0, "nothing sensible");
}

int main(void)
{
    srand(1);
    test_counts();
    test_values(TERMS_POLYNOMIAL);
    test_values(TERMS_FOURIER);
    test_same_everywhere();
    test_sums(TERMS_POLYNOMIAL);
    test_sums(TERMS_FOURIER);
    test_target();
    test_place();
    return check_report("test_terms");
}
