/* Sums of rows that weigh more and less, up to the ends of the range, and that fade. */
#include "moments_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
    return check_report("test_moments_weights");
}
