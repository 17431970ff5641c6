/* Fit: the input is rows of doubles (see fuzz.h), the last column the target. */
#include "fit.h"
#include "fuzz.h"

#include <mpfr.h>

enum { EXACT_ROWS_MAX = 8 /* more would take too long in rational arithmetic */ };

static struct fit *fit_rows(const struct rows *rows, bool backwards)
{
    struct moments *moments = moments_new(rows->columns - 1);
    struct error error = {0};
    size_t column = 0;
    for (size_t i = 0; i < rows->count; i++) {
        size_t at = backwards ? rows->count - 1 - i : i;
        WANT(moments_reserve(moments, rows->values[at], rows->weights[at]) == MOMENTS_OK);
        moments_add(moments, rows->values[at], rows->weights[at]);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    WANT(fit || is_told(&error));
    WANT(fit || error.kind == (rows->count ? ERROR_UNUSABLE : ERROR_CONFLICT));
    WANT(fit || column < rows->columns);
    moments_free(moments);
    return fit;
}

static void check_figures(const struct fit *fit, const struct rows *rows)
{
    size_t aliased = 0;
    for (size_t j = 0; j <= fit->features; j++) {
        struct coefficient c = fit->coefficients[j];
        WANT(isfinite(c.hi) && 2 * fabs(c.lo) <= nextafter(fabs(c.hi), INFINITY) - fabs(c.hi));
        if (j > 0 && fit->aliased[j - 1])
            WANT(c.hi == 0 && c.lo == 0 && ++aliased);
    }
    WANT(fit->rows == (int64_t)rows->count && fit->rank == rows->columns - aliased);
    WANT(fit->rank <= rows->count);
    WANT(fit->mse >= 0 && (isnan(fit->r2) || (fit->r2 >= 0 && fit->r2 <= 1)));
}

/* The size of what a prediction is the sum of. */
static double terms(const struct fit *fit, const double *row)
{
    double sum = fabs(fit->coefficients[0].hi);
    for (size_t j = 0; j < fit->features; j++)
        sum += fabs(fit->coefficients[j + 1].hi * row[j]);
    return sum;
}

/* No other coefficients would do better: the residuals are orthogonal to every column, but for
 * rounding. */
static void check_optimal(const struct fit *fit, const struct rows *rows)
{
    for (size_t j = 0; j <= fit->features; j++) {
        double product = 0, size = 0;
        for (size_t i = 0; i < rows->count; i++) {
            const double *row = rows->values[i];
            double x = j ? row[j - 1] : 1, y = row[fit->features];
            double prediction = fit_predict(fit->coefficients, row, fit->features);
            product += rows->weights[i] * x * (y - prediction);
            size += rows->weights[i] * fabs(x) * (fabs(y) + terms(fit, row));
        }
        WANT(fabs(product) <= 1e-13 * size);
    }
}

/* ------------------------------------------------------------------ in rational arithmetic */

typedef mpq_t equations[COLUMNS_MAX][COLUMNS_MAX + 1];

static void each_entry(equations s, void step(mpq_t))
{
    for (size_t j = 0; j < COLUMNS_MAX; j++)
        for (size_t k = 0; k <= COLUMNS_MAX; k++)
            step(s[j][k]);
}

static void init(mpq_t number)
{
    mpq_init(number);
}

static void clear(mpq_t number)
{
    mpq_clear(number);
}

/* s += the products of a row. */
static void add_products(equations s, const double *row, double weight, size_t columns)
{
    mpq_t a, b;
    mpq_inits(a, b, NULL);
    for (size_t j = 0; j < columns; j++)
        for (size_t k = 0; k <= columns; k++) {
            mpq_set_d(a, j ? row[j - 1] : 1);
            mpq_set_d(b, k ? row[k - 1] : 1);
            mpq_mul(a, a, b);
            mpq_set_d(b, weight);
            mpq_mul(a, a, b);
            mpq_add(s[j][k], s[j][k], a);
        }
    mpq_clears(a, b, NULL);
}

/* All rows lose their part of column j. */
static void eliminate(equations s, size_t j, size_t columns)
{
    mpq_t factor, product;
    mpq_inits(factor, product, NULL);
    for (size_t i = 0; i < columns; i++) {
        mpq_div(factor, s[i][j], s[j][j]);
        for (size_t k = 0; i != j && k <= columns; k++) {
            mpq_mul(product, factor, s[j][k]);
            mpq_sub(s[i][k], s[i][k], product);
        }
    }
    mpq_clears(factor, product, NULL);
}

/* What is aliased has hardly a pivot, what is not has one. */
static void check_pivot(const mpq_t pivot, const mpq_t squares, bool aliased)
{
    enum { ALIAS_BITS = 106 - 1 };
    mpq_t scaled;
    mpq_init(scaled);
    mpq_mul_2exp(scaled, pivot, ALIAS_BITS);
    WANT(aliased ? mpq_cmp(scaled, squares) <= 0 : mpq_sgn(pivot) > 0);
    mpq_clear(scaled);
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

/* Where the least double is not an issue, which is rounded twice here. */
static void check_coefficient(const mpq_t numerator, const mpq_t denominator, double got)
{
    mpq_t exact;
    mpq_init(exact);
    mpq_div(exact, numerator, denominator);
    double wanted = nearest_double(exact);
    WANT(wanted == got || fabs(wanted) < 0x1p-1000);
    mpq_clear(exact);
}

/* The columns that are told to be independent are, and their coefficients are exact. */
static void check_exactly(const struct fit *fit, const struct rows *rows)
{
    equations s, squares;
    each_entry(s, init);
    each_entry(squares, init);
    for (size_t i = 0; i < rows->count; i++)
        add_products(s, rows->values[i], rows->weights[i], rows->columns);
    for (size_t j = 0; j < rows->columns; j++)
        mpq_set(squares[j][j], s[j][j]);
    for (size_t j = 0; j < rows->columns; j++) {
        bool aliased = j > 0 && fit->aliased[j - 1];
        check_pivot(s[j][j], squares[j][j], aliased);
        if (!aliased)
            eliminate(s, j, rows->columns);
    }
    for (size_t j = 0; j < rows->columns; j++)
        if (j == 0 || !fit->aliased[j - 1])
            check_coefficient(s[j][rows->columns], s[j][j], fit->coefficients[j].hi);
    each_entry(s, clear);
    each_entry(squares, clear);
}

static bool same_fit(const struct fit *a, const struct fit *b)
{
    size_t size = (a->features + 1) * sizeof *a->coefficients;
    return memcmp(a->coefficients, b->coefficients, size) == 0 &&
           memcmp(a->aliased, b->aliased, a->features) == 0 && same_double(a->mse, b->mse) &&
           (isnan(a->r2) ? isnan(b->r2) : same_double(a->r2, b->r2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows rows;
    rows_take(&rows, data, size);
    struct fit *fit = fit_rows(&rows, false), *backwards = fit_rows(&rows, true);
    WANT(!fit == !backwards && (!fit || same_fit(fit, backwards)));
    if (fit)
        check_figures(fit, &rows);
    for (size_t i = 0; fit && i < rows.count; i++)
        WANT(!isnan(fit_predict(fit->coefficients, rows.values[i], fit->features)));
    if (fit && rows.whole && !rows.ends)
        check_optimal(fit, &rows);
    if (fit && rows.count <= EXACT_ROWS_MAX)
        check_exactly(fit, &rows);
    fit_free(fit);
    fit_free(backwards);
    return 0;
}
