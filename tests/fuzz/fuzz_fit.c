/* Fit: the input is rows of doubles (see fuzz.h), the last column the target. */
#include "fit.h"
#include "fuzz.h"

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
    if (fit && rows.whole)
        check_optimal(fit, &rows);
    fit_free(fit);
    fit_free(backwards);
    return 0;
}
