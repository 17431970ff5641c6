/* Fits of weighted rows from everywhere in the range of doubles against rational arithmetic. */
#include "check.h"
#include "fit.h"

#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

enum { EXACT_FEATURES = 3, EXACT_WIDTH = EXACT_FEATURES + 1, EXACT_ROWS = 6 };

/* The normal equations of weighted rows: one more column than rows. */
typedef mpq_t equations[EXACT_WIDTH][EXACT_WIDTH + 1];

static void set_equations(equations s, double rows[][EXACT_WIDTH], const double *weights,
                          size_t count)
{
    mpq_t a, b;
    mpq_inits(a, b, NULL);
    for (size_t j = 0; j < EXACT_WIDTH; j++)
        for (size_t k = 0; k <= EXACT_WIDTH; k++) {
            mpq_init(s[j][k]);
            for (size_t i = 0; i < count; i++) {
                mpq_set_d(a, j ? rows[i][j - 1] : 1);
                mpq_set_d(b, k ? rows[i][k - 1] : 1);
                mpq_mul(a, a, b);
                mpq_set_d(b, weights[i]);
                mpq_mul(a, a, b);
                mpq_add(s[j][k], s[j][k], a);
            }
        }
    mpq_clears(a, b, NULL);
}

/* Gauss and Jordan, where a column without pivot is left out. Returns the rank. */
static size_t eliminate(equations s, bool *aliased)
{
    size_t rank = 0;
    mpq_t factor, product;
    mpq_inits(factor, product, NULL);
    for (size_t j = 0; j < EXACT_WIDTH; j++) {
        aliased[j] = mpq_sgn(s[j][j]) == 0;
        rank += !aliased[j];
        for (size_t i = 0; !aliased[j] && i < EXACT_WIDTH; i++) {
            mpq_div(factor, s[i][j], s[j][j]);
            for (size_t k = 0; i != j && k <= EXACT_WIDTH; k++) {
                mpq_mul(product, factor, s[j][k]);
                mpq_sub(s[i][k], s[i][k], product);
            }
        }
    }
    mpq_clears(factor, product, NULL);
    return rank;
}

static double nearest_double(const mpq_t value)
{
    mpfr_t rounded;
    mpfr_init2(rounded, 53);
    mpfr_set_q(rounded, value, MPFR_RNDN);
    double nearest = mpfr_get_d(rounded, MPFR_RNDN);
    mpfr_clear(rounded);
    return nearest;
}

static struct fit *fit_of(double rows[][EXACT_WIDTH], const double *weights, size_t count)
{
    struct moments *moments = moments_new(EXACT_FEATURES);
    struct error error = {.text = ""};
    size_t column;
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_add(moments, rows[i], weights[i]);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    moments_free(moments);
    if (!CHECK(fit, "%s", error.text))
        exit(check_report("test_fit_exact"));
    return fit;
}

static void check_exactly(double rows[][EXACT_WIDTH], const double *weights, size_t count)
{
    equations s;
    bool aliased[EXACT_WIDTH];
    set_equations(s, rows, weights, count);
    size_t rank = eliminate(s, aliased);
    struct fit *fit = fit_of(rows, weights, count);
    CHECK(rank == fit->rank, "rank %zu, not %zu, at weights %g %g %g", fit->rank, rank, weights[0],
          weights[1], weights[2]);
    for (size_t j = 0; j < EXACT_WIDTH; j++) {
        if (!aliased[j])
            mpq_div(s[j][EXACT_WIDTH], s[j][EXACT_WIDTH], s[j][j]);
        CHECK(j == 0 || aliased[j] == fit->aliased[j - 1], "feature %zu", j);
        CHECK_DOUBLE(aliased[j] ? 0 : nearest_double(s[j][EXACT_WIDTH]), fit->coefficients[j].hi);
        for (size_t k = 0; k <= EXACT_WIDTH; k++)
            mpq_clear(s[j][k]);
    }
    fit_free(fit);
}

/* Weights from everywhere in the range, in all orders: what only the lightest row tells is known.
 */
static void test_weights_far_apart(void)
{
    static const double weights[] = {5e-324, 1e-270, 1,     3e-17,   1e-40,  7e-170,
                                     1e300,  1e-320, 2e-50, DBL_MAX, 0x1p-60};
    enum { WEIGHTS = sizeof weights / sizeof *weights };
    uint64_t state = 5;
    for (size_t turn = 0; turn < 3 * WEIGHTS * WEIGHTS * WEIGHTS; turn++) {
        double rows[EXACT_ROWS][EXACT_WIDTH], own[EXACT_ROWS];
        size_t count = 3 + turn / WEIGHTS / WEIGHTS / WEIGHTS;
        for (size_t i = 0, code = turn; i < count; i++, code /= WEIGHTS) {
            own[i] = weights[i < 3 ? code % WEIGHTS : next_random(&state) % WEIGHTS];
            for (size_t j = 0; j < EXACT_WIDTH; j++)
                rows[i][j] = (double)(next_random(&state) % 200) / (turn % 2 ? 10 : 1) - 7;
            if (turn % 5 == 0)
                rows[i][1] = 3 * rows[i][0] - 2; /* exactly, where all are whole */
        }
        if (turn % 5 != 0 || turn % 2 == 0)
            check_exactly(rows, own, count);
    }
}

/* The same where a row that hardly weighs anything is among many, and columns depend on each other
 * but for that row. */
static void test_lightest_row_tells(void)
{
    static const double light[] = {5e-324, 1e-300, 1e-100, 1e-30};
    for (size_t n = 0; n < 4; n++) {
        double rows[EXACT_ROWS][EXACT_WIDTH] = {{1, 2, 5, 1},  {2, 4, 5, 2}, {4, 8, 5, 3},
                                                {7, 14, 5, 1}, {3, 6, 5, 4}, {1, 5, 7, 9}};
        const double weights[] = {1, 0.1, 3, 0.7, 2, light[n]};
        check_exactly(rows, weights, EXACT_ROWS - 1);
        check_exactly(rows, weights, EXACT_ROWS);
    }
}

/* The rank does not hang on the target: all of these are 0. */
static void test_rank_without_target(void)
{
    double rows[3][EXACT_WIDTH] = {{1, 2, 7}, {5, 3, 1}, {2, 2, 9}};
    const double weights[] = {5e-324, 1e-270, 1};
    check_exactly(rows, weights, 3);
}

/* A double of any magnitude, of few bits or of all. */
static double any_double(uint64_t *state)
{
    uint64_t bits = next_random(state);
    double digits = bits & 1 ? (double)(1 + bits % 7) : (double)(1 + (bits >> 11));
    double value = ldexp(digits, (int)(next_random(state) % 1900) - 1000);
    return bits & 2 ? -value : value;
}

/* Σ w r² / Σ w, of residuals of a fit by two features. */
static void exact_error(double rows[][3], const double *weights, size_t count,
                        const struct fit *fit, mpq_t error)
{
    mpq_t sum, residual, part, factor;
    mpq_inits(sum, residual, part, factor, NULL);
    for (size_t i = 0; i < count; i++) {
        mpq_set_d(residual, rows[i][2]);
        for (size_t j = 0; j < 3; j++)
            for (int low = 0; low < 2; low++) {
                mpq_set_d(part, j ? rows[i][j - 1] : 1);
                mpq_set_d(factor, low ? fit->coefficients[j].lo : fit->coefficients[j].hi);
                mpq_mul(part, part, factor);
                mpq_sub(residual, residual, part);
            }
        mpq_mul(residual, residual, residual);
        mpq_set_d(factor, weights[i]);
        mpq_mul(residual, residual, factor);
        mpq_add(error, error, residual);
        mpq_add(sum, sum, factor);
    }
    mpq_div(error, error, sum);
    mpq_clears(sum, residual, part, factor, NULL);
}

static void check_error(const struct fit *fit, double rows[3][3], const double *weights)
{
    mpq_t wants;
    struct moments *moments = moments_new(2);
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_add(moments, rows[i], weights[i]);
    }
    mpq_init(wants);
    exact_error(rows, weights, 3, fit, wants);
    CHECK_DOUBLE(nearest_double(wants), fit_error(fit, moments));
    mpq_clear(wants);
    moments_free(moments);
}

/* The error on rows of any magnitude, and where the products of a heavy row cancel, which are far
 * greater than what is left of a light one. */
static void test_error_far_apart(void)
{
    struct error why;
    uint64_t state = 11;
    for (int turn = 0; turn < 300; turn++) {
        double rows[3][3] = {{0}}, weights[3] = {1, 0x1p-500, 0x1p-500};
        struct fit *fit = fit_alloc(2, &why);
        for (size_t j = 0; j < 3; j++)
            fit->coefficients[j].hi = any_double(&state);
        for (size_t i = 0; turn % 2 && i < 3; i++) {
            weights[i] = fabs(any_double(&state));
            for (size_t j = 0; j < 3; j++)
                rows[i][j] = any_double(&state);
        }
        if (turn % 2 == 0) {
            fit->coefficients[0].hi = 0;
            fit->coefficients[1].hi = 0x1p700 + ldexp((double)(next_random(&state) >> 12), 648);
            fit->coefficients[2].hi = -fit->coefficients[1].hi;
            rows[0][0] = rows[0][1] = 0x1p1000 + ldexp((double)(next_random(&state) >> 12), 948);
            rows[1][0] = 0x1p-940 + ldexp((double)(next_random(&state) >> 12), -992);
        }
        check_error(fit, rows, weights);
        fit_free(fit);
    }
}

int main(void)
{
    test_weights_far_apart();
    test_lightest_row_tells();
    test_rank_without_target();
    test_error_far_apart();
    return check_report("test_fit_exact");
}
