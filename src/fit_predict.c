#include "fit.h"

#include <math.h>
#include <mpfr.h>

/* From here on up, no rounding error of a product underflows. */
static const double TERM_MIN = 0x1p-800;

/* More bits than the exact sum of products of doubles can span: from 2^-2148 to 2^2048, and a
 * carry for each term. */
enum { EXACT_BITS = 2148 + 2048 + 64 };

/* An unevaluated sum hi + lo, hi being the nearest double to it, and the sum of magnitudes of all
 * that went in, which bounds its rounding errors. */
struct sum {
    double hi, lo, magnitude;
};

/* Adds `value` and a much smaller `rest` (Knuth's two-sum, then Dekker's quick one). */
static inline void sum_add(struct sum *sum, double value, double rest)
{
    double high = sum->hi + value;
    double part = high - sum->hi;
    double error = (sum->hi - (high - part)) + (value - part);
    double low = sum->lo + rest + error;
    sum->hi = high + low;
    sum->lo = low - (sum->hi - high);
    sum->magnitude += fabs(value);
}

/* Adds coefficient · x; false if that could lose accuracy to underflow. */
static inline bool sum_add_product(struct sum *sum, struct coefficient coefficient, double x)
{
    if (coefficient.hi == 0 || x == 0)
        return true;
    double product = coefficient.hi * x;
    if (fabs(product) < TERM_MIN)
        return false;
    sum_add(sum, product, fma(coefficient.hi, x, -product) + coefficient.lo * x);
    return true;
}

/* Whether the sum rounds the same way wherever in its error bound the exact value is (Ziv's test);
 * then hi is the exact value, rounded. Overflow makes a bound infinite or NaN, which is uncertain.
 */
static inline bool sum_is_certain(const struct sum *sum, size_t terms)
{
    double bound = sum->magnitude * (double)terms * 0x1p-100;
    return sum->hi + (sum->lo - bound) == sum->hi + (sum->lo + bound);
}

/* sum += factor · x, exactly. `scratch` holds two doubles. */
static void add_exactly(mpfr_t sum, double factor, double x, mpfr_t scratch[static 2])
{
    mpfr_set_d(scratch[0], factor, MPFR_RNDN);
    mpfr_set_d(scratch[1], x, MPFR_RNDN);
    mpfr_fma(sum, scratch[0], scratch[1], sum, MPFR_RNDN);
}

static double predict_exactly(const struct coefficient *coefficients, const double *x,
                              size_t features)
{
    mpfr_t sum, scratch[2];
    mpfr_init2(sum, EXACT_BITS);
    mpfr_inits2(53, scratch[0], scratch[1], NULL);
    mpfr_set_zero(sum, 1);
    for (size_t j = 0; j <= features; j++) {
        add_exactly(sum, coefficients[j].hi, j ? x[j - 1] : 1, scratch);
        add_exactly(sum, coefficients[j].lo, j ? x[j - 1] : 1, scratch);
    }
    double rounded = mpfr_get_d(sum, MPFR_RNDN);
    mpfr_clears(sum, scratch[0], scratch[1], NULL);
    return rounded + 0.0; /* never -0 */
}

double fit_predict(const struct coefficient *coefficients, const double *x, size_t features)
{
    struct sum sum = {0, 0, 0};
    sum_add(&sum, coefficients[0].hi, coefficients[0].lo);
    bool safe = true;
    for (size_t j = 0; j < features && safe; j++)
        safe = sum_add_product(&sum, coefficients[j + 1], x[j]);
    if (!safe || !sum_is_certain(&sum, features + 1))
        return predict_exactly(coefficients, x, features);
    return sum.hi; /* not -0, having begun as 0 */
}
