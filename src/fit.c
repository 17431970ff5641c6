#include "fit.h"

#include "normal.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

enum {
    NOISE_BITS = 32,   /* what the solution's errors add up to, for fewer than 2^32 columns */
    R2_PRECISION = 160 /* bits; fewer than are known, so that an r2 of 0 comes out as that */
};

/* The nearest double, never -0. */
static double nearest_double(const mpfr_t value)
{
    return mpfr_get_d(value, MPFR_RNDN) + 0.0;
}

/* value = digits · 2^exponent, exactly, at the precision that takes. */
static void set_exactly(mpfr_t value, const mpz_t digits, long exponent)
{
    mpfr_set_prec(value, mpz_sizeinbase(digits, 2) + 1);
    mpfr_set_z_2exp(value, digits, exponent, MPFR_RNDN);
}

static struct coefficient coefficient_of(const struct normal *normal, size_t j)
{
    mpfr_t value;
    long exponent = normal->scale[normal->unknowns] - normal->scale[j] - normal->bits;
    mpfr_init(value);
    set_exactly(value, normal->solution[j], exponent);
    double hi = nearest_double(value), lo = 0;
    if (isfinite(hi)) {
        mpfr_sub_d(value, value, hi, MPFR_RNDN);
        lo = nearest_double(value);
    }
    mpfr_clear(value);
    return (struct coefficient){hi, lo};
}

static bool set_coefficients(struct fit *fit, const struct normal *normal, size_t *column,
                             struct error *error)
{
    for (size_t j = 0; j <= fit->features; j++) {
        fit->coefficients[j] = coefficient_of(normal, j);
        if (!isfinite(fit->coefficients[j].hi)) {
            *column = j;
            return error_set(error, ERROR_UNUSABLE,
                             "a coefficient is beyond the range of double precision");
        }
    }
    fit->rank = fit->features + 1;
    for (size_t j = 1; j <= fit->features; j++) {
        fit->aliased[j - 1] = normal->aliased[j];
        fit->rank -= normal->aliased[j];
    }
    fit->parameters = (double)fit->rank;
    return true;
}

/* Residual sum of squares: S_yy - Σ β_j S_jy, scaled, in units of 2^-(depth + bits). */
static void residual_squares(const struct normal *normal, mpz_t squares)
{
    size_t y = normal->unknowns;
    mpz_mul_2exp(squares, normal_sum(normal, y, y), normal->bits);
    for (size_t j = 0; j < y; j++)
        mpz_submul(squares, normal->solution[j], normal_sum(normal, j, y));
    if (mpz_sgn(squares) < 0 || (long)mpz_sizeinbase(squares, 2) <= normal->depth + NOISE_BITS)
        mpz_set_ui(squares, 0);
}

/* Σ w, which is S_00, in units of 2^weight_unit. */
static mpz_srcptr weight_sum(const struct normal *normal)
{
    return normal_sum(normal, 0, 0);
}

static long weight_unit(const struct normal *normal)
{
    return 2 * normal->scale[0] - normal->depth;
}

/* Σ w · (sum of products about the means) = Σ w · S_jk - S_0j S_0k, scaled, in units of
 * 2^(weight_unit - depth); exactly. */
static void centred_products(const struct normal *normal, size_t j, size_t k, mpz_t products)
{
    mpz_mul(products, normal_sum(normal, j, k), weight_sum(normal));
    mpz_submul(products, normal_sum(normal, 0, j), normal_sum(normal, 0, k));
}

static double mean_square(const struct normal *normal, const mpz_t residual)
{
    mpfr_t mean, weight;
    long exponent = 2 * normal->scale[normal->unknowns] - normal->depth - normal->bits;
    mpfr_inits(mean, weight, NULL);
    set_exactly(mean, residual, exponent);
    set_exactly(weight, weight_sum(normal), weight_unit(normal));
    mpfr_prec_round(mean, mpfr_get_prec(mean) + 128, MPFR_RNDN);
    mpfr_div(mean, mean, weight, MPFR_RNDN);
    double rounded = nearest_double(mean);
    mpfr_clears(mean, weight, NULL);
    return rounded;
}

/* 1 - Σ w · residual / total. */
static double determination(const struct normal *normal, const mpz_t residual, const mpz_t total)
{
    mpz_t scaled;
    mpfr_t numerator, denominator, r2;
    mpz_init(scaled);
    mpz_mul(scaled, residual, weight_sum(normal));
    mpfr_inits(numerator, denominator, NULL);
    set_exactly(numerator, scaled, -normal->bits);
    set_exactly(denominator, total, 0);
    mpfr_init2(r2, R2_PRECISION);
    mpfr_div(r2, numerator, denominator, MPFR_RNDN);
    mpfr_ui_sub(r2, 1, r2, MPFR_RNDN);
    double rounded = nearest_double(r2);
    mpfr_clears(numerator, denominator, r2, NULL);
    mpz_clear(scaled);
    return rounded;
}

/* value 2^exponent, rounded twice at the most. */
static double scaled_double(mpz_srcptr value, long exponent)
{
    long own;
    double digits = mpz_get_d_2exp(&own, value);
    return ldexp(digits, (int)(own + exponent)) + 0.0;
}

/* Σ w as digits · 2^exponent, which no weights carry out of range. */
static double weight_digits(const struct normal *normal, long *exponent)
{
    double digits = mpz_get_d_2exp(exponent, weight_sum(normal));
    *exponent += weight_unit(normal);
    return digits;
}

static size_t inverse_index(size_t features, size_t j, size_t k)
{
    size_t row = j < k ? j : k, column = j < k ? k : j;
    return row * (2 * features - 1 - row) / 2 + column;
}

double fit_inverse(const struct fit *fit, size_t j, size_t k)
{
    return fit->inverse[inverse_index(fit->features, j, k)];
}

/* What belongs to the features is the inverse of their centred sums already, as elimination of the
 * constant would leave them. */
static void set_inverse(struct fit *fit, const struct normal *normal)
{
    for (size_t j = 0; fit->inverse && j <= fit->features; j++)
        for (size_t k = j; k <= fit->features; k++) {
            long exponent = -normal->inverse_bits - normal->scale[j] - normal->scale[k];
            double value = scaled_double(normal_inverse(normal, j, k), exponent);
            if (j > 0)
                fit->inverse[inverse_index(fit->features, j - 1, k - 1)] = value;
            else if (k == 0)
                fit->intercept_inverse = value;
        }
}

/* digits · 2^exponent: a product about the means may be below the range of doubles. */
struct floating {
    double digits;
    long exponent;
};

static struct floating floating_of(mpz_srcptr value)
{
    struct floating result;
    result.digits = mpz_get_d_2exp(&result.exponent, value);
    return result;
}

/* The sum of products of features j and k about the means: their scale does not matter to
 * correlations, nor does that of the weights. */
static struct floating centred(const struct normal *normal, size_t j, size_t k)
{
    mpz_t products;
    mpz_init(products);
    centred_products(normal, j, k, products);
    struct floating result = floating_of(products);
    mpz_clear(products);
    return result;
}

static struct floating centred_root(const struct normal *normal, size_t j)
{
    struct floating square = centred(normal, j, j);
    bool odd = square.exponent % 2;
    return (struct floating){sqrt(odd ? 2 * square.digits : square.digits),
                             (square.exponent - odd) / 2};
}

/* R_jk of the correlations, and of their inverse, without signs. */
static double correlation(const struct normal *normal, size_t j, size_t k,
                          const struct floating *roots)
{
    struct floating product = centred(normal, j, k);
    return ldexp(fabs(product.digits) / roots[j].digits / roots[k].digits,
                 (int)(product.exponent - roots[j].exponent - roots[k].exponent));
}

static double inverse_correlation(const struct normal *normal, size_t j, size_t k,
                                  const struct floating *roots)
{
    struct floating inverse = floating_of(normal_inverse(normal, j, k)),
                    weight = floating_of(weight_sum(normal));
    long exponent = inverse.exponent - normal->inverse_bits + roots[j].exponent +
                    roots[k].exponent - weight.exponent - normal->depth;
    return ldexp(fabs(inverse.digits) * roots[j].digits * roots[k].digits / weight.digits,
                 (int)exponent);
}

/* ‖R‖₁ ‖R⁻¹‖₁ of the correlations of the features that are not aliased. */
static void set_condition(struct fit *fit, const struct normal *normal)
{
    struct floating roots[FIT_INVERSE_MAX + 1];
    double most = 0, inverse_most = 0;
    for (size_t j = 1; fit->inverse && j <= fit->features; j++)
        roots[j] = centred_root(normal, j);
    for (size_t j = 1; fit->inverse && j <= fit->features; j++) {
        double sum = 0, inverse_sum = 0;
        for (size_t k = 1; !normal->aliased[j] && k <= fit->features; k++) {
            if (normal->aliased[k])
                continue;
            sum += correlation(normal, j, k, roots);
            inverse_sum += inverse_correlation(normal, j, k, roots);
        }
        most = fmax(most, sum);
        inverse_most = fmax(inverse_most, inverse_sum);
    }
    fit->condition = most > 0 ? most * inverse_most : NAN;
}

static void set_means(struct fit *fit, const struct normal *normal)
{
    long unit, own;
    double weight = weight_digits(normal, &unit);
    fit->weight = ldexp(weight, (int)unit);
    for (size_t j = 1; j <= fit->features + 1; j++) {
        long exponent = normal->scale[0] + normal->scale[j] - normal->depth - unit;
        double digits = mpz_get_d_2exp(&own, normal_sum(normal, 0, j));
        double mean = ldexp(digits / weight, (int)(own + exponent));
        fit->means[j - 1] = fmax(fmin(mean, DBL_MAX), -DBL_MAX) + 0.0; /* no value is beyond */
    }
}

/* `total`: the target's squares about its mean, as centred_products has them. */
static double variance(const struct normal *normal, const mpz_t total)
{
    long unit, own;
    double weight = weight_digits(normal, &unit), digits = mpz_get_d_2exp(&own, total);
    long exponent = weight_unit(normal) - normal->depth + 2 * normal->scale[normal->unknowns];
    return ldexp(digits / weight / weight, (int)(own + exponent - 2 * unit)) + 0.0;
}

static void set_errors(struct fit *fit, const struct normal *normal)
{
    mpz_t residual, total;
    mpz_inits(residual, total, NULL);
    residual_squares(normal, residual);
    centred_products(normal, normal->unknowns, normal->unknowns, total);
    if (mpz_sgn(total) < 0) /* what has faded was rounded */
        mpz_set_ui(total, 0);
    fit->mse = mean_square(normal, residual);
    fit->r2 = mpz_sgn(total) > 0 ? determination(normal, residual, total) : NAN;
    fit->variance = variance(normal, total);
    mpz_clears(residual, total, NULL);
}

enum {
    FACTOR_PRECISION = 2200, /* bits: more than two doubles span */
    SUM_PRECISION = 1024     /* what sums of ordinary data need */
};

/* γ_j of the residual Σ γ_j z_j: 1 for the target, -β_j for the others. */
static void residual_factor(const struct fit *fit, size_t j, mpfr_t factor)
{
    if (j == fit->features + 1) {
        mpfr_set_si(factor, 1, MPFR_RNDN);
        return;
    }
    mpfr_set_d(factor, -fit->coefficients[j].hi, MPFR_RNDN);
    mpfr_sub_d(factor, factor, fit->coefficients[j].lo, MPFR_RNDN);
}

/* A sum in as many bits as what has been added spans, so that nothing is rounded. */
struct exact_sum {
    mpfr_t total, product;
    long top, bottom; /* of the bits */
};

static void exact_sum_init(struct exact_sum *sum)
{
    sum->top = LONG_MIN;
    sum->bottom = LONG_MAX;
    mpfr_inits2(SUM_PRECISION, sum->total, sum->product, NULL);
    mpfr_set_zero(sum->total, 1);
}

/* Makes room for numbers below 2^top that are whole multiples of 2^bottom. */
static void exact_sum_span(struct exact_sum *sum, long top, long bottom)
{
    enum { CARRY_BITS = 64 };
    sum->top = top > sum->top ? top : sum->top;
    sum->bottom = bottom < sum->bottom ? bottom : sum->bottom;
    long bits = sum->top - sum->bottom + CARRY_BITS;
    if (bits <= mpfr_get_prec(sum->total))
        return;
    mpfr_prec_round(sum->total, 2 * bits, MPFR_RNDN);
    mpfr_set_prec(sum->product, 2 * bits);
}

/* sum += a · b · digits · 2^exponent. */
static void exact_sum_add(struct exact_sum *sum, mpfr_srcptr a, mpfr_srcptr b, const mpz_t digits,
                          long exponent)
{
    if (mpfr_zero_p(a) || mpfr_zero_p(b) || mpz_sgn(digits) == 0)
        return;
    long top = mpfr_get_exp(a) + mpfr_get_exp(b) + exponent;
    exact_sum_span(sum, top + (long)mpz_sizeinbase(digits, 2),
                   top - mpfr_min_prec(a) - mpfr_min_prec(b));
    mpfr_set_z_2exp(sum->product, digits, exponent, MPFR_RNDN);
    mpfr_mul(sum->product, sum->product, a, MPFR_RNDN);
    mpfr_fma(sum->total, sum->product, b, sum->total, MPFR_RNDN);
}

/* Σ w r². */
static void sum_residuals(const struct fit *fit, const struct moments *moments,
                          struct exact_sum *sum)
{
    mpz_t digits;
    mpfr_t own, other;
    mpz_init(digits);
    mpfr_inits2(FACTOR_PRECISION, own, other, NULL);
    for (size_t j = 0; j <= fit->features + 1; j++) {
        residual_factor(fit, j, own);
        for (size_t k = j; k <= fit->features + 1; k++) {
            long exponent = moments_sum(moments, j, k, digits);
            residual_factor(fit, k, other);
            exact_sum_add(sum, own, other, digits, exponent + (k > j));
        }
    }
    mpfr_clears(own, other, NULL);
    mpz_clear(digits);
}

double fit_error(const struct fit *fit, const struct moments *moments)
{
    struct exact_sum sum;
    mpz_t weight;
    mpz_init(weight);
    exact_sum_init(&sum);
    sum_residuals(fit, moments, &sum);
    long exponent = moments_sum(moments, 0, 0, weight);
    mpfr_set_z_2exp(sum.product, weight, exponent, MPFR_RNDN);
    mpfr_div(sum.total, sum.total, sum.product, MPFR_RNDN);
    double rounded = fmax(nearest_double(sum.total), 0); /* what has faded was rounded */
    mpfr_clears(sum.total, sum.product, NULL);
    mpz_clear(weight);
    return rounded;
}

struct fit *fit_alloc(size_t features, struct error *error)
{
    struct fit *fit = calloc(1, sizeof *fit);
    if (fit) {
        fit->features = features;
        fit->coefficients = calloc(features + 1, sizeof *fit->coefficients);
        fit->aliased = calloc(features + 1, sizeof *fit->aliased);
        fit->means = calloc(features + 1, sizeof *fit->means);
        size_t entries = features <= FIT_INVERSE_MAX ? features * (features + 1) / 2 : 0;
        fit->inverse = entries ? calloc(entries, sizeof *fit->inverse) : NULL;
        if (fit->coefficients && fit->aliased && fit->means && (fit->inverse || !entries))
            return fit;
    }
    fit_free(fit);
    error_memory(error);
    return NULL;
}

static bool solve(struct fit *fit, const struct moments *moments, size_t *column,
                  struct error *error)
{
    struct normal normal;
    bool ok = normal_load(&normal, moments, error) && normal_solve(&normal, error) &&
              set_coefficients(fit, &normal, column, error);
    if (ok) {
        set_errors(fit, &normal);
        set_means(fit, &normal);
        set_inverse(fit, &normal);
        set_condition(fit, &normal);
    }
    normal_free(&normal);
    return ok;
}

struct fit *fit_new(const struct moments *moments, size_t *column, struct error *error)
{
    if (moments_rows(moments) < 1) {
        error_set(error, ERROR_CONFLICT, "there are no rows to fit");
        return NULL;
    }
    struct fit *fit = fit_alloc(moments_features(moments), error);
    if (!fit)
        return NULL;
    fit->rows = moments_rows(moments);
    if (solve(fit, moments, column, error))
        return fit;
    fit_free(fit);
    return NULL;
}

void fit_free(struct fit *fit)
{
    if (!fit)
        return;
    free(fit->coefficients);
    free(fit->aliased);
    free(fit->means);
    free(fit->inverse);
    free(fit);
}
