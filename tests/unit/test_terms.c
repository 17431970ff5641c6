/* The terms are what they say, of few bits, and the sums of their products exact. */
#include "check.h"
#include "term_sums.h"
#include "terms.h"

#include <gmp.h>
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

/* All at once as one by one. */
static void check_square(const struct term_sums *sums)
{
    static double square[(TERMS_MAX + 1) * (TERMS_MAX + 1)];
    size_t all = term_sums_count(sums), count = all / 2, odd = 0;
    term_sums_covariances(sums, count, square);
    for (size_t j = 0; j <= count; j++)
        for (size_t k = j; k <= count; k++)
            odd += square[j * (count + 1) + k] !=
                   term_sums_covariance(sums, j < count ? j : all, k < count ? k : all);
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

/* The terms of random row n, and its target, which now and then is far away. */
static int64_t make_row(const struct terms *terms, int n, double *values)
{
    double row[FEATURES];
    random_row(row);
    terms_values(terms, row, values);
    return term_sums_target(random_value(n % 50 ? 30 : 1e12), (struct place){3, 4});
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
        targets[n] = make_row(terms, n, rows[n]);
        term_sums_add(all, rows[n], targets[n], 1, 1);
        term_sums_add(parts[n % 3 == 0], rows[n], targets[n], 1, 1);
    }
    for (int n = ROWS - 1; n >= 0; n--)
        term_sums_add(backwards, rows[n], targets[n], 1, 1);
    term_sums_flush(all);
    check_covariances(all, rows, targets);
    check_square(all);
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

/* ------------------------------------------------------------------ weights */

static double term_weights[ROWS];

/* Mostly decimals, many of them 1 or what is rounded to that, some beyond the range. */
static double random_weight(void)
{
    static const double others[] = {1, 1 + 1e-9, 3, 0.5, 1e-30, 1e30, 0x1p20, 0x1p-20};
    return rand() % 2 ? (1 + rand() % 500) / 100.0 : others[rand() % 8];
}

static double rounded(double weight)
{
    return rint(fmin(fmax(weight, 0x1p-20), 0x1p20) * 0x1p20);
}

/* to += weight · a · b, all of them whole. */
static void add_product(mpz_t to, double weight, double a, double b)
{
    mpz_t product, factor;
    mpz_init_set_d(product, weight);
    mpz_init_set_d(factor, a);
    mpz_mul(product, product, factor);
    mpz_set_d(factor, b);
    mpz_addmul(to, product, factor);
    mpz_clears(product, factor, NULL);
}

/* Mean and covariance out of sums in big numbers. */
static void exact_moments(double (*rows)[TERMS_MAX], const int64_t *targets, size_t j, size_t k,
                          size_t count, double *mean, double *covariance)
{
    mpz_t sum, sum_j, sum_k, weight;
    mpq_t quotient, divisor;
    mpz_inits(sum, sum_j, sum_k, weight, NULL);
    mpq_inits(quotient, divisor, NULL);
    for (int n = 0; n < ROWS; n++) {
        double w = rounded(term_weights[n]);
        double a = j == count ? (double)targets[n] : rows[n][j];
        double b = k == count ? (double)targets[n] : rows[n][k];
        add_product(sum, w, a, b);
        add_product(sum_j, w, a, 1);
        add_product(sum_k, w, b, 1);
        add_product(weight, w, 1, 1);
    }
    mpq_set_z(quotient, sum_j);
    mpq_set_z(divisor, weight);
    mpq_div(quotient, quotient, divisor);
    *mean = mpq_get_d(quotient);
    mpz_mul(sum, sum, weight);
    mpz_submul(sum, sum_j, sum_k);
    mpq_set_z(quotient, sum);
    mpq_div(quotient, quotient, divisor);
    mpq_div(quotient, quotient, divisor);
    *covariance = mpq_get_d(quotient);
    mpz_clears(sum, sum_j, sum_k, weight, NULL);
    mpq_clears(quotient, divisor, NULL);
}

static void check_weighted(const struct term_sums *sums, double (*rows)[TERMS_MAX],
                           const int64_t *targets)
{
    size_t count = term_sums_count(sums), odd = 0;
    for (size_t j = 0; j <= count; j += count / 5)
        for (size_t k = j; k <= count; k += k + 7 < count ? 7 : 1) {
            double mean, covariance;
            exact_moments(rows, targets, j, k, count, &mean, &covariance);
            odd += fabs(term_sums_mean(sums, j) - mean) > 1e-15 * fabs(mean);
            odd += fabs(term_sums_covariance(sums, j, k) - covariance) >
                   1e-14 * fabs(covariance) + 1e-3;
        }
    CHECK_INT(0, odd);
}

static bool same_numbers(struct term_sums *a, struct term_sums *b)
{
    bool equal = term_sums_rows(a) == term_sums_rows(b);
    for (size_t i = 0; equal && i < term_sums_numbers(a); i++) {
        struct term_number of_a = term_sums_number(a, i), of_b = term_sums_number(b, i);
        equal = memcmp(&of_a, &of_b, sizeof of_a) == 0;
    }
    return equal;
}

static void test_weighted_sums(enum terms_kind kind)
{
    static double rows[ROWS][TERMS_MAX];
    static int64_t targets[ROWS];
    struct terms *terms = make(kind, FEATURES);
    size_t count = terms_count(terms);
    struct term_sums *all = term_sums_new(count), *parts[2], *backwards = term_sums_new(count);
    for (int i = 0; i < 2; i++)
        parts[i] = term_sums_new(count);
    for (int n = 0; n < ROWS; n++) {
        targets[n] = make_row(terms, n, rows[n]);
        term_weights[n] = random_weight();
        term_sums_add(all, rows[n], targets[n], term_weights[n], 1);
        term_sums_add(parts[n % 3 == 0], rows[n], targets[n], term_weights[n], 1);
    }
    for (int n = ROWS - 1; n >= 0; n--)
        term_sums_add(backwards, rows[n], targets[n], term_weights[n], 1);
    term_sums_flush(all);
    check_weighted(all, rows, targets);
    CHECK_INT(ROWS, term_sums_rows(all));
    CHECK(same_numbers(all, backwards), "another order");
    term_sums_merge(parts[0], parts[1]);
    CHECK(same_numbers(all, parts[0]), "merged");
    term_sums_subtract(all, parts[1]);
    CHECK(!same_numbers(all, parts[0]), "taken away");
    term_sums_merge(all, parts[1]);
    CHECK(same_numbers(all, parts[0]), "added again");
    term_sums_subtract(all, parts[0]);
    struct term_sums *none = term_sums_new(count);
    CHECK(same_numbers(all, none), "nothing left");
    term_sums_free(none);
    for (int i = 0; i < 2; i++)
        term_sums_free(parts[i]);
    term_sums_free(all);
    term_sums_free(backwards);
    terms_free(terms);
}

/* A row of weight k is k rows, but for their number; half a row twice is one. */
static void test_whole_weights(void)
{
    enum { COUNT = 5 };
    struct term_sums *once = term_sums_new(COUNT), *often = term_sums_new(COUNT);
    struct term_sums *halves = term_sums_new(COUNT);
    for (int n = 0; n < 300; n++) {
        double values[COUNT];
        for (int i = 0; i < COUNT; i++)
            values[i] = rint(random_value(0x1p23));
        int64_t target = (int64_t)random_value(0x1p46);
        int weight = 1 + n % 5;
        term_sums_add(once, values, target, weight, 1);
        for (int i = 0; i < weight; i++)
            term_sums_add(often, values, target, 1, 1);
        for (int i = 0; i < 2 * weight; i++)
            term_sums_add(halves, values, target, 0.5, 1);
    }
    CHECK(term_sums_whole(often) && !term_sums_whole(once) && !term_sums_whole(halves),
          "only weights of 1");
    CHECK(term_sums_weight(once) == 900, "%g", term_sums_weight(once));
    for (size_t i = 0; i < term_sums_numbers(once); i++) {
        struct term_number number = term_sums_number(often, i), of_once = term_sums_number(once, i),
                           of_halves = term_sums_number(halves, i);
        CHECK(memcmp(&number, &of_once, sizeof number) == 0, "number %zu, once", i);
        CHECK(memcmp(&number, &of_halves, sizeof number) == 0, "number %zu, halves", i);
    }
    term_sums_free(once);
    term_sums_free(often);
    term_sums_free(halves);
}

/* Rows that weigh 1 in the mean, but not each. */
static void test_not_whole(void)
{
    static const double one[] = {1}, other[] = {3};
    struct term_sums *sums = term_sums_new(1);
    term_sums_add(sums, one, 7, 0.5 + 0x1p-20, 1);
    term_sums_add(sums, other, -7, 1.5 - 0x1p-20, 1);
    CHECK(term_sums_weight(sums) == 2 && !term_sums_whole(sums), "%g", term_sums_weight(sums));
    term_sums_free(sums);
}

static struct term_sums *copied(struct term_sums *sums)
{
    struct term_sums *copy = term_sums_new(term_sums_count(sums));
    for (size_t i = 0; i < term_sums_numbers(sums); i++)
        CHECK(term_sums_set_number(copy, i, term_sums_number(sums, i)), "number %zu", i);
    CHECK(term_sums_set_rows(copy, term_sums_rows(sums)), "rows");
    return copy;
}

/* 2^31 rows of the greatest weight and the greatest values there are: what the sums have room for.
 * The values ± their middle have that as covariance. */
static void test_room(void)
{
    static const struct {
        double value[2][2];
        int64_t target[2];
        double means[3], covariances[3][3];
    } cases[] = {{{{0x1p23, -0x1p23}, {-0x1p23, 0x1p23}},
                  {INT64_C(1) << 46, -(INT64_C(1) << 46)},
                  {0, 0, 0},
                  {{0x1p46, -0x1p46, 0x1p69}, {0, 0x1p46, -0x1p69}, {0, 0, 0x1p92}}},
                 {{{0x1p23, -0x1p23}, {0x1p23, -0x1p23}},
                  {-(INT64_C(1) << 46), -(INT64_C(1) << 46) + 2},
                  {0x1p23, -0x1p23, 1 - 0x1p46},
                  {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct term_sums *sums = term_sums_new(2);
        for (int i = 0; i < 2; i++)
            term_sums_add(sums, cases[c].value[i], cases[c].target[i], 1e300, 1);
        for (int doubled = 0; doubled < 30; doubled++) {
            struct term_sums *copy = copied(sums);
            term_sums_merge(sums, copy);
            term_sums_free(copy);
        }
        CHECK_INT(INT64_C(1) << 31, term_sums_rows(sums));
        CHECK(term_sums_weight(sums) == 0x1p51, "%g", term_sums_weight(sums));
        for (size_t j = 0; j <= 2; j++) {
            CHECK_DOUBLE(cases[c].means[j], term_sums_mean(sums, j));
            for (size_t k = j; k <= 2; k++)
                CHECK_DOUBLE(cases[c].covariances[j][k], term_sums_covariance(sums, j, k));
        }
        term_sums_free(sums);
    }
}

/* A sum of three limbs that lies half-way between two doubles but for its last bit. */
static void test_rounded_once(void)
{
    struct term_sums *sums = term_sums_new(1);
    CHECK(term_sums_set_number(sums, 0, (struct term_number){{1 << 20}}), "one row");
    CHECK(term_sums_set_rows(sums, 1), "one row");
    for (uint64_t last = 0; last <= 1; last++) {
        term_sums_set_number(sums, 4, (struct term_number){{last, 1 << 11, 1}});
        CHECK_DOUBLE(ldexp(0x1p53 + 2 * (double)last, 55), term_sums_covariance(sums, 1, 1));
        term_sums_set_number(sums, 4, (struct term_number){{-last, -(1 << 11) - last, -2}});
        CHECK_DOUBLE(ldexp(-0x1p53 - 2 * (double)last, 55), term_sums_covariance(sums, 1, 1));
    }
    term_sums_free(sums);
}

/* Sums that rows cannot have are refused. */
static void test_numbers_that_cannot_be(void)
{
    struct term_sums *sums = term_sums_new(1);
    CHECK(!term_sums_set_number(sums, 1, (struct term_number){{0, 0, 1}}), "beyond 128 bits");
    CHECK(!term_sums_set_number(sums, 1, (struct term_number){{0, UINT64_MAX, 0}}), "the same");
    CHECK(term_sums_set_number(sums, 3, (struct term_number){{0, 0, 1}}), "of the target");
    CHECK(term_sums_set_number(sums, 0, (struct term_number){{5}}), "five of the least weight");
    CHECK(term_sums_set_rows(sums, 5), "%d rows of it", 5);
    CHECK(term_sums_set_rows(sums, 6), "as many of which one is forgotten");
    CHECK(!term_sums_set_rows(sums, 0), "weight without rows");
    CHECK(term_sums_set_number(sums, 0, (struct term_number){{UINT64_MAX, UINT64_MAX, UINT64_MAX}}),
          "below 0");
    CHECK(!term_sums_set_rows(sums, 6), "no weight is below 0");
    CHECK(term_sums_set_number(sums, 0, (struct term_number){{0, 1}}), "2^23 of the greatest");
    CHECK(term_sums_set_rows(sums, 1 << 23) && !term_sums_set_rows(sums, (1 << 23) - 1), "above");
    term_sums_free(sums);
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
    test_weighted_sums(TERMS_POLYNOMIAL);
    test_weighted_sums(TERMS_FOURIER);
    test_whole_weights();
    test_not_whole();
    test_room();
    test_rounded_once();
    test_numbers_that_cannot_be();
    test_target();
    test_place();
    return check_report("test_terms");
}
