#include "fit.h"

#include "normal.h"

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

/* rows · (total sum of squares about the mean) = rows · S_yy - S_0y², scaled, in units of
 * 2^-(2 depth); exactly. */
static void total_squares(const struct normal *normal, mpz_t squares)
{
    size_t y = normal->unknowns;
    mpz_t sum;
    mpz_init(sum);
    mpz_mul(sum, normal_sum(normal, 0, y), normal_sum(normal, 0, y));
    mpz_mul_2exp(sum, sum, 2 * normal->scale[0]);
    mpz_mul_si(squares, normal_sum(normal, y, y), normal->rows);
    mpz_mul_2exp(squares, squares, normal->depth);
    mpz_sub(squares, squares, sum);
    mpz_clear(sum);
}

static double mean_square(const struct normal *normal, const mpz_t residual)
{
    mpfr_t mean;
    long exponent = 2 * normal->scale[normal->unknowns] - normal->depth - normal->bits;
    mpfr_init(mean);
    set_exactly(mean, residual, exponent);
    mpfr_prec_round(mean, mpfr_get_prec(mean) + 128, MPFR_RNDN);
    mpfr_div_si(mean, mean, normal->rows, MPFR_RNDN);
    double rounded = nearest_double(mean);
    mpfr_clear(mean);
    return rounded;
}

/* 1 - rows · residual / total. */
static double determination(const struct normal *normal, const mpz_t residual, const mpz_t total)
{
    mpz_t scaled;
    mpfr_t numerator, denominator, r2;
    mpz_init(scaled);
    mpz_mul_si(scaled, residual, normal->rows);
    mpfr_inits(numerator, denominator, NULL);
    set_exactly(numerator, scaled, normal->depth - normal->bits);
    set_exactly(denominator, total, 0);
    mpfr_init2(r2, R2_PRECISION);
    mpfr_div(r2, numerator, denominator, MPFR_RNDN);
    mpfr_ui_sub(r2, 1, r2, MPFR_RNDN);
    double rounded = nearest_double(r2);
    mpfr_clears(numerator, denominator, r2, NULL);
    mpz_clear(scaled);
    return rounded;
}

static void set_errors(struct fit *fit, const struct normal *normal)
{
    mpz_t residual, total;
    mpz_inits(residual, total, NULL);
    residual_squares(normal, residual);
    total_squares(normal, total);
    fit->mse = mean_square(normal, residual);
    fit->r2 = mpz_sgn(total) > 0 ? determination(normal, residual, total) : NAN;
    mpz_clears(residual, total, NULL);
}

enum { ERROR_PRECISION = 4400 }; /* bits: more than sums and coefficients of doubles span */

/* γ_j of the residual Σ γ_j z_j: 1 for the target, -β_j for the others. */
static void residual_weight(const struct fit *fit, size_t j, mpfr_t weight)
{
    if (j == fit->features + 1) {
        mpfr_set_si(weight, 1, MPFR_RNDN);
        return;
    }
    mpfr_set_d(weight, -fit->coefficients[j].hi, MPFR_RNDN);
    mpfr_sub_d(weight, weight, fit->coefficients[j].lo, MPFR_RNDN);
}

double fit_error(const struct fit *fit, const struct moments *moments)
{
    mpz_t sum;
    mpfr_t total, product, weight, other;
    mpz_init(sum);
    mpfr_inits2(ERROR_PRECISION, total, product, weight, other, NULL);
    mpfr_set_zero(total, 1);
    for (size_t j = 0; j <= fit->features + 1; j++) {
        residual_weight(fit, j, weight);
        for (size_t k = j; k <= fit->features + 1; k++) {
            long exponent = moments_sum(moments, j, k, sum);
            residual_weight(fit, k, other);
            mpfr_set_z_2exp(product, sum, exponent + (k > j), MPFR_RNDN);
            mpfr_mul(product, product, weight, MPFR_RNDN);
            mpfr_fma(total, product, other, total, MPFR_RNDN);
        }
    }
    mpfr_div_si(total, total, moments_rows(moments), MPFR_RNDN);
    double rounded = nearest_double(total);
    mpfr_clears(total, product, weight, other, NULL);
    mpz_clear(sum);
    return rounded;
}

struct fit *fit_alloc(size_t features, struct error *error)
{
    struct fit *fit = calloc(1, sizeof *fit);
    if (fit) {
        fit->features = features;
        fit->coefficients = calloc(features + 1, sizeof *fit->coefficients);
        fit->aliased = calloc(features + 1, sizeof *fit->aliased);
        if (fit->coefficients && fit->aliased)
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
    if (ok)
        set_errors(fit, &normal);
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
    free(fit);
}
