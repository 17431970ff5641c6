#include "check.h"
#include "limbs.h"
#include "moments.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEATURES = 4, WIDTH = FEATURES + 1, ROWS = 60 };

typedef double rows_of[WIDTH];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Kinds of columns, from tame to hostile. */
static double random_value(uint64_t *state, int kind)
{
    uint64_t bits = next_random(state);
    double value = (double)(bits >> 40) - 0x1p23;
    switch (kind) {
    case 0: /* whole numbers, zeros among them */
        return (double)(bits >> 60) - 8;
    case 1: /* decimals */
        return value / 100;
    case 2: /* many magnitudes */
        return ldexp(value, (int)(bits & 63) - 32);
    default: /* any finite double */
        memcpy(&value, &bits, sizeof value);
        return isfinite(value) ? value : DBL_MAX;
    }
}

static void random_rows(rows_of *rows, size_t count, int kind, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < WIDTH; j++)
            rows[i][j] = random_value(&seed, kind == 4 ? (int)j % 4 : kind);
}

static void add_all(struct moments *moments, const rows_of *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], 1));
        moments_add(moments, rows[i], 1);
    }
}

static void subtract_all(struct moments *moments, const rows_of *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], 1));
        moments_subtract(moments, rows[i], 1);
    }
}

static struct moments *moments_of(const rows_of *rows, size_t count)
{
    struct moments *moments = moments_new(FEATURES);
    add_all(moments, rows, count);
    return moments;
}

/* Σ z_j z_k in rational arithmetic. */
static void rational_sum(const rows_of *rows, size_t count, size_t j, size_t k, mpq_t sum)
{
    mpq_t a, b;
    mpq_inits(a, b, NULL);
    mpq_set_ui(sum, 0, 1);
    for (size_t i = 0; i < count; i++) {
        mpq_set_d(a, j ? rows[i][j - 1] : 1);
        mpq_set_d(b, k ? rows[i][k - 1] : 1);
        mpq_mul(a, a, b);
        mpq_add(sum, sum, a);
    }
    mpq_clears(a, b, NULL);
}

static bool sum_is(const struct moments *moments, size_t j, size_t k, const mpq_t wants)
{
    mpq_t got;
    mpq_init(got);
    long exponent = moments_sum(moments, j, k, mpq_numref(got));
    bool canonical = mpz_sgn(mpq_numref(got)) ? mpz_odd_p(mpq_numref(got)) : exponent == 0;
    if (exponent >= 0)
        mpq_mul_2exp(got, got, exponent);
    else
        mpq_div_2exp(got, got, -exponent);
    bool equal = mpq_equal(got, wants);
    mpq_clear(got);
    return equal && canonical;
}

static void check_sums(const struct moments *moments, const rows_of *rows, size_t count)
{
    mpq_t wants;
    mpq_init(wants);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = 0; k <= WIDTH; k++) {
            rational_sum(rows, count, j, k, wants);
            CHECK(sum_is(moments, j, k, wants), "sum %zu, %zu of %zu rows", j, k, count);
        }
    mpq_clear(wants);
    CHECK_INT((long long)count, moments_rows(moments));
}

static void test_sums_are_exact(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 7 + kind);
        struct moments *moments = moments_of(rows, ROWS);
        check_sums(moments, rows, ROWS);
        subtract_all(moments, rows + 20, ROWS - 20);
        check_sums(moments, rows, 20);
        moments_free(moments);
    }
}

/* A value narrow and high in a wide column, whose product ends in the last limb. */
static void test_products_at_the_top(void)
{
    static const rows_of rows[] = {
        {0x1p60, -0x1p60, 1, 3, 0x1p60},
        {1, 1, 0x1p31, 0x1p32 - 1, -1},
        {-0x1p60, 0x1p60, -0x1p31, -0x1p32, 0x1.fffffffffffffp60},
        {0x1p30, -0x1p33, 0x1p20, 0, -0x1p60},
    };
    struct moments *moments = moments_of(rows, 4);
    check_sums(moments, rows, 4);
    subtract_all(moments, rows + 1, 3);
    check_sums(moments, rows, 1);
    moments_free(moments);
}

/* Both ways of adding limbs, with carries through all of them. */
static void test_limbs_add(void)
{
    static const mp_limb_t limbs[] = {0,         1, INT64_MAX, (mp_limb_t)1 << 63, UINT64_MAX - 1,
                                      UINT64_MAX};
    enum { KINDS = sizeof limbs / sizeof *limbs, CASES = KINDS * KINDS * KINDS * KINDS };
    for (size_t count = 3; count <= 4; count++)
        for (size_t i = 0; i < (size_t)CASES * CASES; i += 7) {
            mp_limb_t sum[4], addend[4], wants[4], portable[4];
            for (size_t j = 0, rest = i; j < 4; j++, rest /= KINDS * KINDS) {
                sum[j] = portable[j] = limbs[rest % KINDS];
                addend[j] = limbs[rest / KINDS % KINDS];
            }
            mpn_add_n(wants, sum, addend, count);
            limbs_add(sum, addend, count);
            limbs_add_portable(portable, addend, count);
            size_t bytes = count * sizeof *wants;
            if (memcmp(sum, wants, bytes) != 0 || memcmp(portable, wants, bytes) != 0)
                CHECK(false, "%zu limbs, case %zu", count, i);
        }
    CHECK(true, "all sums are those of mpn_add_n");
}

/* Shifts on both sides of where the fast way ends, and numbers of limbs likewise: the units are 1,
 * the exponents of the values up to 70, their digits few or as many as there are. */
static void test_shifts(void)
{
    for (int most = 0; most <= 70; most++)
        for (int digits = 1; digits <= 53; digits += 13) {
            uint64_t state = (uint64_t)(most * 100 + digits);
            rows_of rows[12];
            for (size_t i = 0; i < 12; i++)
                for (size_t j = 0; j < WIDTH; j++) {
                    uint64_t bits = next_random(&state);
                    double value =
                        ldexp((double)(bits >> (64 - digits) | 1), (int)(i % 3 * most / 2));
                    rows[i][j] = i == 0 ? 1 : bits & 1 << 3 ? -value : value;
                }
            struct moments *moments = moments_of(rows, 12);
            check_sums(moments, rows, 12);
            subtract_all(moments, rows + 5, 7);
            check_sums(moments, rows, 5);
            moments_free(moments);
        }
}

static void test_empty(void)
{
    struct moments *moments = moments_new(FEATURES);
    CHECK_INT(FEATURES, moments_features(moments));
    check_sums(moments, NULL, 0);
    moments_free(moments);
    moments_free(NULL);
    CHECK(!moments_new(1 << 20), "too many features for any memory");
}

static void test_order_does_not_matter(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS], shuffled[ROWS];
        random_rows(rows, ROWS, kind, 11 + kind);
        for (size_t i = 0; i < ROWS; i++)
            memcpy(shuffled[i * 37 % ROWS], rows[i], sizeof rows[i]);
        struct moments *a = moments_of(rows, ROWS), *b = moments_of(shuffled, ROWS);
        CHECK(moments_equal(a, b), "kind %d", kind);
        moments_free(a);
        moments_free(b);
    }
}

static void test_merge(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 23 + kind);
        for (size_t split = 0; split <= ROWS; split += 12) {
            struct moments *into = moments_of(rows, split);
            struct moments *from = moments_of(rows + split, ROWS - split);
            CHECK_INT(MOMENTS_OK, moments_merge(into, from));
            check_sums(into, rows, ROWS);
            check_sums(from, rows + split, ROWS - split);
            moments_free(into);
            moments_free(from);
        }
    }
}

/* Rows far out of the ordinary come and go without a trace. */
static void test_extremes_come_and_go(void)
{
    static const rows_of extremes[] = {
        {1e150, -1e150, 1e-150, 1e20, 1e150},
        {-1e308, 1e308, 5e-324, -5e-324, DBL_MAX},
        {0, 0x1p-1022, 1e-300, 1e300, -5e-324},
        {1, 0, 0, 0, 1e20},
    };
    rows_of rows[ROWS];
    random_rows(rows, ROWS, 1, 5);
    struct moments *moments = moments_of(rows, ROWS), *plain = moments_copy(moments);
    add_all(moments, extremes, 4);
    CHECK(!moments_equal(moments, plain), "the extremes are in");
    subtract_all(moments, extremes, 4);
    CHECK(moments_equal(moments, plain), "the extremes are out again");
    check_sums(moments, rows, ROWS);
    moments_free(moments);
    moments_free(plain);
}

static void test_equal_sees_every_difference(void)
{
    rows_of rows[3];
    random_rows(rows, 3, 2, 3);
    struct moments *a = moments_of(rows, 3);
    struct moments *fewer = moments_of(rows, 2), *other = moments_new(FEATURES + 1);
    CHECK(!moments_equal(a, fewer) && !moments_equal(a, other), "other shapes");
    for (size_t j = 0; j < WIDTH; j++) {
        rows_of changed[3];
        memcpy(changed, rows, sizeof rows);
        changed[1][j] = nextafter(changed[1][j], INFINITY);
        struct moments *b = moments_of(changed, 3);
        CHECK(!moments_equal(a, b), "one unit in the last place of column %zu", j);
        moments_free(b);
    }
    moments_free(a);
    moments_free(fewer);
    moments_free(other);
}

/* Whether moments that differ only in S_11 and the number of rows are equal. */
static bool equal_with(long value_a, long exponent_a, int64_t rows_a, long value_b, long exponent_b,
                       int64_t rows_b)
{
    struct moments *a = moments_new(FEATURES), *b = moments_new(FEATURES);
    mpz_t sum;
    mpz_init_set_si(sum, value_a);
    CHECK(moments_set_sum(a, 1, 1, sum, exponent_a), "%ld", value_a);
    mpz_set_si(sum, value_b);
    CHECK(moments_set_sum(b, 1, 1, sum, exponent_b), "%ld", value_b);
    moments_set_rows(a, rows_a);
    moments_set_rows(b, rows_b);
    bool equal = moments_equal(a, b);
    mpz_clear(sum);
    moments_free(a);
    moments_free(b);
    return equal;
}

static void test_equal_looks_at_each_part(void)
{
    CHECK(equal_with(3, 4, 2, 12, 2, 2), "values, not representations");
    CHECK(!equal_with(3, 4, 2, 5, 4, 2), "digits");
    CHECK(!equal_with(3, 4, 2, 3, 5, 2), "exponents");
    CHECK(!equal_with(3, 4, 2, 3, 4, 1), "rows");
}

static void test_negative_zero(void)
{
    static const rows_of minus[] = {{-0.0, 1, 2, -0.0, -0.0}}, plus[] = {{0, 1, 2, 0, 0}};
    struct moments *a = moments_of(minus, 1), *b = moments_of(plus, 1);
    CHECK(moments_equal(a, b), "-0 is 0");
    moments_free(a);
    moments_free(b);
}

static void test_copy_is_independent(void)
{
    rows_of rows[3];
    random_rows(rows, 3, 3, 9);
    struct moments *moments = moments_of(rows, 2), *copy = moments_copy(moments);
    add_all(copy, rows + 2, 1);
    check_sums(moments, rows, 2);
    check_sums(copy, rows, 3);
    moments_free(moments);
    moments_free(copy);
}

/* Reads `from` back as a snapshot is. */
static struct moments *rebuilt(const struct moments *from)
{
    struct moments *moments = moments_new(moments_features(from));
    mpz_t sum;
    mpz_init(sum);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = j; k <= WIDTH; k++) {
            long exponent = moments_sum(from, j, k, sum);
            CHECK(moments_set_sum(moments, j, k, sum, exponent), "sum %zu, %zu", j, k);
        }
    moments_set_rows(moments, moments_rows(from));
    mpz_clear(sum);
    return moments;
}

static void test_rebuilt_from_its_sums(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 31 + kind);
        struct moments *moments = moments_of(rows, 40), *copy = rebuilt(moments);
        CHECK(moments_equal(moments, copy), "kind %d", kind);
        add_all(copy, rows + 40, ROWS - 40);
        check_sums(copy, rows, ROWS);
        subtract_all(copy, rows, ROWS);
        check_sums(copy, NULL, 0);
        moments_free(moments);
        moments_free(copy);
    }
}

/* Columns whose mean is 0 have no sum in the first row of S to take their unit from. */
static void test_rebuilt_with_zero_means(void)
{
    static const rows_of rows[] = {{1, -3, 0.1, 0, 7}, {-1, 3, -0.1, 0, -7}, {0, 0, 0, 0, 0}};
    struct moments *moments = moments_of(rows, 3), *copy = rebuilt(moments);
    check_sums(copy, rows, 3);
    moments_free(moments);
    moments_free(copy);
}

static bool can_set(size_t j, size_t k, long value, long exponent)
{
    struct moments *moments = moments_new(FEATURES);
    mpz_t sum;
    mpz_init_set_si(sum, value);
    bool can = moments_set_sum(moments, j, k, sum, exponent);
    mpz_clear(sum);
    moments_free(moments);
    return can;
}

static void test_sums_that_cannot_be(void)
{
    CHECK(can_set(0, 0, 3, 0) && can_set(1, 1, 3, -2148) && can_set(1, 1, 3, 2100), "fine");
    CHECK(can_set(1, 0, 3, -7), "the lower triangle is the upper one");
    CHECK(can_set(0, 0, 1, -1074) && can_set(0, 0, 3, 1023), "the least weight, and great ones");
    CHECK(can_set(0, 0, 1, -1202) && !can_set(0, 0, 1, -1203), "what has faded from there");
    CHECK(!can_set(0, 0, -1, 0), "no sum of weights");
    CHECK(!can_set(1, 1, -1, 0), "a negative sum of squares");
    CHECK(!can_set(1, 2, 1, 0), "products of a column of zeros");
    CHECK(!can_set(1, 1, 1, -100000) && !can_set(1, 1, 1, 100000), "out of range");
    CHECK(can_set(0, 1, 1, -2276) && !can_set(0, 1, 1, -2277), "below every value");
    CHECK(can_set(1, 1, 1, -3350) && !can_set(1, 1, 1, -3351), "below every product");
    CHECK(!can_set(1, 1, 3, 3599) && can_set(1, 1, 3, 3598), "above every product");
}

/* ------------------------------------------------------------------ weights */

/* Kinds of weights: small whole numbers, powers of two, decimals, those of 53 bits and many
 * magnitudes, any double. */
enum { WEIGHT_KINDS = 5 };

static double random_weight(uint64_t *state, int kind)
{
    uint64_t bits = next_random(state);
    double value = (double)(1 + (bits >> 40));
    switch (kind) {
    case 0:
        return (double)(1 + (bits >> 61));
    case 1:
        return ldexp(1, (int)(bits & 7) - 4);
    case 2:
        return (double)(1 + (bits >> 55)) / 100;
    case 3:
        return ldexp((double)(bits >> 11 | 1), (int)(bits & 63) - 80);
    default:
        memcpy(&value, &bits, sizeof value);
        return isfinite(value) && value != 0 ? fabs(value) : DBL_MAX;
    }
}

static void random_weights(double *weights, size_t count, int kind, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        weights[i] = random_weight(&seed, kind);
}

static void add_weighted(struct moments *moments, const rows_of *rows, const double *weights,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_add(moments, rows[i], weights[i]);
    }
}

static void subtract_weighted(struct moments *moments, const rows_of *rows, const double *weights,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_subtract(moments, rows[i], weights[i]);
    }
}

static struct moments *weighted_moments(const rows_of *rows, const double *weights, size_t count)
{
    struct moments *moments = moments_new(FEATURES);
    add_weighted(moments, rows, weights, count);
    return moments;
}

/* Σ w z_j z_k in rational arithmetic. */
static void rational_weighted_sum(const rows_of *rows, const double *weights, size_t count,
                                  size_t j, size_t k, mpq_t sum)
{
    mpq_t product, factor;
    mpq_inits(product, factor, NULL);
    mpq_set_ui(sum, 0, 1);
    for (size_t i = 0; i < count; i++) {
        mpq_set_d(product, weights[i]);
        mpq_set_d(factor, j ? rows[i][j - 1] : 1);
        mpq_mul(product, product, factor);
        mpq_set_d(factor, k ? rows[i][k - 1] : 1);
        mpq_mul(product, product, factor);
        mpq_add(sum, sum, product);
    }
    mpq_clears(product, factor, NULL);
}

static void check_weighted_sums(const struct moments *moments, const rows_of *rows,
                                const double *weights, size_t count)
{
    mpq_t wants;
    mpq_init(wants);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = j; k <= WIDTH; k++) {
            rational_weighted_sum(rows, weights, count, j, k, wants);
            CHECK(sum_is(moments, j, k, wants), "sum %zu, %zu of %zu rows", j, k, count);
        }
    mpq_clear(wants);
    CHECK_INT((long long)count, moments_rows(moments));
}

/* All kinds of values with all kinds of weights: the sums, taken away again in part, in another
 * order, merged with others, and read back. */
static void check_weighted(int kind, int weight_kind)
{
    rows_of rows[ROWS], shuffled[ROWS];
    double weights[ROWS], shuffled_weights[ROWS];
    random_rows(rows, ROWS, kind, 41 + kind);
    random_weights(weights, ROWS, weight_kind, 43 + weight_kind);
    for (size_t i = 0; i < ROWS; i++) {
        memcpy(shuffled[i * 37 % ROWS], rows[i], sizeof rows[i]);
        shuffled_weights[i * 37 % ROWS] = weights[i];
    }
    struct moments *all = weighted_moments(rows, weights, ROWS), *copy = rebuilt(all);
    struct moments *other = weighted_moments(shuffled, shuffled_weights, ROWS);
    struct moments *into = weighted_moments(rows, weights, 25);
    struct moments *from = weighted_moments(rows + 25, weights + 25, ROWS - 25);
    check_weighted_sums(all, rows, weights, ROWS);
    CHECK(moments_equal(all, other), "another order: kinds %d, %d", kind, weight_kind);
    CHECK_INT(MOMENTS_OK, moments_merge(into, from));
    CHECK(moments_equal(all, into), "merged: kinds %d, %d", kind, weight_kind);
    CHECK(moments_equal(all, copy), "read back: kinds %d, %d", kind, weight_kind);
    subtract_weighted(all, rows + 20, weights + 20, ROWS - 20);
    check_weighted_sums(all, rows, weights, 20);
    subtract_weighted(copy, rows, weights, ROWS);
    check_sums(copy, NULL, 0);
    struct moments *used[] = {all, copy, other, into, from};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        moments_free(used[i]);
}

static void test_weighted_sums_are_exact(void)
{
    for (int kind = 0; kind <= 4; kind++)
        for (int weight_kind = 0; weight_kind < WEIGHT_KINDS; weight_kind++)
            check_weighted(kind, weight_kind);
}

/* A row of weight k is k rows, and rows of weight 1 are what they are beside others. */
static void test_whole_weights(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[10];
        double weights[10];
        random_rows(rows, 10, kind, 51 + kind);
        random_weights(weights, 10, 0, 53);
        struct moments *moments = weighted_moments(rows, weights, 10);
        struct moments *repeated = moments_new(FEATURES);
        for (size_t i = 0; i < 10; i++)
            for (int n = 0; n < (int)weights[i]; n++)
                add_all(repeated, rows + i, 1);
        moments_set_rows(repeated, 10);
        CHECK(moments_equal(moments, repeated), "kind %d", kind);
        moments_free(moments);
        moments_free(repeated);
    }
}

/* Weights and values on both sides of where the fast way ends; products that fill all limbs. */
static void test_weights_and_shifts(void)
{
    for (int most = 0; most <= 70; most += 2)
        for (int bits = 1; bits <= 53; bits += 4) {
            uint64_t state = (uint64_t)(most * 100 + bits);
            rows_of rows[6];
            double weights[6] = {1, 0.1, 0.75, 0x1p60, 1};
            for (size_t i = 0; i < 6; i++)
                for (size_t j = 0; j < WIDTH; j++)
                    rows[i][j] = ldexp((double)(int64_t)next_random(&state), -most);
            weights[5] = ldexp((double)(next_random(&state) >> (64 - bits) | 1), most - 30);
            struct moments *moments = weighted_moments(rows, weights, 6);
            check_weighted_sums(moments, rows, weights, 6);
            moments_free(moments);
        }
}

/* The same for a weight of 1 where others have made the unit of weights as small. */
static void test_weight_one_and_shifts(void)
{
    for (int unit = 0; unit <= 80; unit++)
        for (int shift = 0; shift <= 40; shift += 5) {
            const double high = ldexp(3, shift), weights[] = {ldexp(1, -unit), 1, 1};
            const rows_of rows[] = {
                {1, 1, 1, 1, 1}, {high, -high, 1, 7, high}, {0, high, 3, -1, 2}};
            struct moments *moments = weighted_moments(rows, weights, 3);
            check_weighted_sums(moments, rows, weights, 3);
            subtract_weighted(moments, rows + 1, weights + 1, 2);
            check_weighted_sums(moments, rows, weights, 1);
            moments_free(moments);
        }
}

static void test_extreme_weights_come_and_go(void)
{
    static const rows_of extremes[] = {{1e150, -1e150, 1e-150, 1e20, 1e150},
                                       {-1e308, 1e308, 5e-324, -5e-324, DBL_MAX},
                                       {0, 0x1p-1022, 1e-300, 1e300, -5e-324}};
    static const double weights[] = {5e-324, DBL_MAX, 1e-200};
    rows_of rows[ROWS];
    random_rows(rows, ROWS, 1, 5);
    struct moments *moments = moments_of(rows, ROWS), *plain = moments_copy(moments);
    add_weighted(moments, extremes, weights, 3);
    CHECK(!moments_equal(moments, plain), "the extremes are in");
    struct moments *copy = rebuilt(moments);
    CHECK(moments_equal(moments, copy), "read back");
    subtract_weighted(moments, extremes, weights, 3);
    CHECK(moments_equal(moments, plain), "the extremes are out again");
    check_sums(moments, rows, ROWS);
    moments_free(moments);
    moments_free(plain);
    moments_free(copy);
}

/* Weights that add up to 1 although their last bits lie far below, and a value that only the
 * lightest row has. */
static void test_rebuilt_from_a_round_sum(void)
{
    enum { STEPS = 19 };
    rows_of rows[STEPS + 1];
    double weights[STEPS + 1];
    for (int i = 0; i <= STEPS; i++) {
        weights[i] = ldexp(i < STEPS ? 1 - 0x1p-53 : 1, -53 * i);
        for (size_t j = 0; j < WIDTH; j++)
            rows[i][j] = i < STEPS ? (double)j : 5e-324;
    }
    struct moments *moments = weighted_moments(rows, weights, STEPS + 1), *copy = rebuilt(moments);
    mpq_t one;
    mpq_init(one);
    mpq_set_ui(one, 1, 1);
    CHECK(sum_is(moments, 0, 0, one), "a round sum");
    check_weighted_sums(copy, rows, weights, STEPS + 1);
    subtract_weighted(copy, rows, weights, STEPS + 1);
    check_sums(copy, NULL, 0);
    mpq_clear(one);
    moments_free(moments);
    moments_free(copy);
}

/* Σ w f z_j z_k where each w f is rounded to 53 bits, in rational arithmetic. */
static void faded_sum(const rows_of *rows, const double *weights, const double *factors, size_t j,
                      size_t k, mpq_t sum)
{
    mpq_t product, one_row;
    mpq_inits(product, one_row, NULL);
    mpq_set_ui(sum, 0, 1);
    for (size_t i = 0; i < ROWS; i++) {
        int exponent;
        double digits = frexp(weights[i], &exponent) * factors[i], one = 1;
        rational_weighted_sum(rows + i, &one, 1, j, k, one_row);
        mpq_set_d(product, digits);
        mpq_mul(product, product, one_row);
        if (exponent >= 0)
            mpq_mul_2exp(product, product, (mp_bitcnt_t)exponent);
        else
            mpq_div_2exp(product, product, (mp_bitcnt_t)-exponent);
        mpq_add(sum, sum, product);
    }
    mpq_clears(product, one_row, NULL);
}

/* Rows that weigh up to twice what was reserved, where their weights are any doubles. */
static void test_fading(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        double weights[ROWS], factors[ROWS];
        random_rows(rows, ROWS, kind, 61);
        random_weights(weights, ROWS, WEIGHT_KINDS - 1, 63);
        struct moments *moments = moments_new(FEATURES);
        moments_begin_fading(moments);
        weights[0] = 5e-324;
        weights[1] = DBL_MAX;
        for (int i = 0; i < ROWS; i++) {
            factors[i] = i < 2 ? 2 - 0x1p-52 : 1 + i / 64.0;
            CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
            moments_add_times(moments, rows[i], weights[i], factors[i]);
        }
        mpq_t wants;
        mpq_init(wants);
        for (size_t j = 0; j <= WIDTH; j++)
            for (size_t k = j; k <= WIDTH; k++) {
                faded_sum(rows, weights, factors, j, k, wants);
                CHECK(sum_is(moments, j, k, wants), "kind %d: sum %zu, %zu", kind, j, k);
            }
        mpq_clear(wants);
        struct moments *copy = rebuilt(moments);
        CHECK(moments_equal(moments, copy), "kind %d: read back", kind);
        moments_free(moments);
        moments_free(copy);
    }
}

/* A row of the least weight fades exactly while there are bits for it. */
static void test_fades_exactly(void)
{
    static const rows_of row = {1, 0, -3, 5e-324, DBL_MAX};
    struct moments *moments = moments_new(FEATURES), *plain = moments_new(FEATURES);
    moments_begin_fading(moments);
    CHECK_INT(MOMENTS_OK, moments_reserve(moments, row, 5e-324));
    moments_add_times(moments, row, 5e-324, 1);
    add_all(plain, &row, 1);
    for (int i = 0; i < MOMENTS_FADING_BITS; i++)
        moments_scale(moments, 0.5);
    mpz_t faded, whole;
    mpz_inits(faded, whole, NULL);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = j; k <= WIDTH; k++) {
            long exponent = moments_sum(moments, j, k, faded);
            long lower = moments_sum(plain, j, k, whole) - exponent;
            CHECK_INT(mpz_sgn(faded) ? 1074 + MOMENTS_FADING_BITS : 0, lower);
            CHECK(mpz_cmp(faded, whole) == 0, "sum %zu, %zu", j, k);
        }
    mpz_clears(faded, whole, NULL);
    moments_free(moments);
    moments_free(plain);
}

/* The signal by which adding that row ends the process; 0: it did not. */
static int signal_of_adding(const rows_of reserved, const rows_of row, double weight)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct moments *moments = moments_new(FEATURES);
        moments_reserve(moments, reserved, 1);
        CHECK(freopen("/dev/null", "w", stderr), "silence");
        moments_add(moments, row, weight);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Whoever adds what was not reserved does not write outside of the sums. */
static void test_unreserved(void)
{
    static const rows_of plain = {1, 2, 3, 4, 5}, tiny = {1, 2, 5e-324, 4, 5},
                         small = {1, 2, 0.5, 4, 5}, great = {1, 2, 3, 1e300, 5},
                         both = {0x1p-40, 2, 3, 4, 0x1p60};
    CHECK_INT(0, signal_of_adding(plain, plain, 1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, tiny, 1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, small, 1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, great, 1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, both, 1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, plain, 5e-324));
    CHECK_INT(SIGABRT, signal_of_adding(plain, plain, 0.1));
    CHECK_INT(SIGABRT, signal_of_adding(plain, plain, 1e300));
    CHECK_INT(SIGABRT, signal_of_adding(plain, tiny, DBL_MAX));
}

enum { WIDE_FEATURES = 400 };

/* Adds a row with `value` in all columns if `reserve` lets it. */
static enum moments_result add_wide(struct moments *moments, double value, double weight,
                                    enum moments_result (*reserve)(struct moments *, const double *,
                                                                   double))
{
    double row[WIDE_FEATURES + 1];
    for (size_t j = 0; j <= WIDE_FEATURES; j++)
        row[j] = value;
    enum moments_result result = reserve(moments, row, weight);
    if (result == MOMENTS_OK)
        moments_add(moments, row, weight);
    return result;
}

static enum moments_result reserve_wide(struct moments *moments, double value)
{
    return add_wide(moments, value, 1, moments_reserve);
}

static enum moments_result reserve_wide_accepted(struct moments *moments, double value)
{
    return add_wide(moments, value, 1, moments_reserve_accepted);
}

static void test_too_wide(void)
{
    struct moments *moments = moments_new(WIDE_FEATURES), *tiny = moments_new(WIDE_FEATURES);
    CHECK_INT(MOMENTS_OK, reserve_wide(moments, 1e300));
    CHECK_INT(MOMENTS_OK, reserve_wide(tiny, 5e-324));
    struct moments *before = moments_copy(moments);
    CHECK_INT(MOMENTS_TOO_WIDE, reserve_wide(moments, 5e-324));
    CHECK(moments_equal(moments, before), "unchanged by a refused row");
    CHECK_INT(MOMENTS_OK, moments_merge(before, tiny)); /* each was accepted */
    CHECK_INT(2, moments_rows(before));
    struct moments *replayed = moments_copy(moments);
    CHECK_INT(MOMENTS_OK, reserve_wide_accepted(replayed, 5e-324));
    CHECK(moments_equal(replayed, before), "accepted in another order");
    moments_free(replayed);
    CHECK_INT(MOMENTS_OK, reserve_wide(moments, 1e290));
    CHECK_INT(2, moments_rows(moments));
    moments_free(moments);
    moments_free(tiny);
    moments_free(before);
}

/* As wide by their weights. */
static void test_weights_too_wide(void)
{
    struct moments *moments = moments_new(WIDE_FEATURES);
    CHECK_INT(MOMENTS_OK, add_wide(moments, 1e100, 1, moments_reserve));
    CHECK_INT(MOMENTS_OK, add_wide(moments, 1e-50, 1e-200, moments_reserve));
    struct moments *before = moments_copy(moments);
    CHECK_INT(MOMENTS_TOO_WIDE, add_wide(moments, 1, 1e308, moments_reserve));
    CHECK_INT(MOMENTS_TOO_WIDE, add_wide(moments, 1e-120, 5e-324, moments_reserve));
    CHECK(moments_equal(moments, before), "unchanged by refused rows");
    CHECK_INT(MOMENTS_OK, add_wide(moments, 1, 1e308, moments_reserve_accepted));
    CHECK_INT(MOMENTS_OK, add_wide(moments, 2, 3, moments_reserve));
    CHECK_INT(4, moments_rows(moments));
    moments_free(moments);
    moments_free(before);
}

static void test_bytes_max(void)
{
    size_t features = 1;
    while (moments_bytes_max(features + 1, true) <= MOMENTS_MAX_BYTES)
        features++;
    CHECK(moments_bytes_max(features + 1, false) <= MOMENTS_MAX_BYTES, "%zu features", features);
    double row[WIDE_FEATURES + 1] = {1e308, 5e-324};
    struct moments *moments = moments_new(features);
    CHECK_INT(MOMENTS_OK, moments_reserve(moments, row, 5e-324));
    CHECK_INT(MOMENTS_OK, moments_reserve(moments, row, DBL_MAX));
    moments_free(moments);
}

int main(void)
{
    test_empty();
    test_sums_are_exact();
    test_products_at_the_top();
    test_limbs_add();
    test_shifts();
    test_order_does_not_matter();
    test_merge();
    test_extremes_come_and_go();
    test_equal_sees_every_difference();
    test_equal_looks_at_each_part();
    test_negative_zero();
    test_copy_is_independent();
    test_rebuilt_from_its_sums();
    test_rebuilt_with_zero_means();
    test_sums_that_cannot_be();
    test_too_wide();
    test_weighted_sums_are_exact();
    test_whole_weights();
    test_weights_and_shifts();
    test_weight_one_and_shifts();
    test_extreme_weights_come_and_go();
    test_rebuilt_from_a_round_sum();
    test_fading();
    test_fades_exactly();
    test_unreserved();
    test_weights_too_wide();
    test_bytes_max();
    return check_report("test_moments");
}
