#include "inference.h"

#include "student.h"

#include <math.h>
#include <stdbool.h>

/* NaN where the parameters are. */
static double freedom_of(const struct fit *fit)
{
    double freedom = (double)fit->rows - fit->parameters;
    return freedom < 0 ? 0 : freedom;
}

void inference_of(const struct fit *fit, struct inference *inference)
{
    double rows = (double)fit->rows, weight = fit->weight, regressors = fit->parameters - 1;
    double freedom = freedom_of(fit);
    bool penalised = fit->parameters != (double)fit->rank;
    *inference = (struct inference){.freedom = freedom,
                                    .deviation = NAN,
                                    .adjusted_r2 = NAN,
                                    .f = NAN,
                                    .f_p = NAN,
                                    .width = NAN};
    if (!(freedom >= 1))
        return;
    double residual = fit->mse * weight / freedom; /* the variance of one of weight 1 */
    inference->deviation = sqrt(residual);
    inference->adjusted_r2 = 1 - (1 - fit->r2) * ((rows - 1) / freedom);
    inference->width = student_width(INFERENCE_LEVEL, freedom);
    if (penalised || regressors < 1 || !(residual > 0))
        return;
    inference->f = fit->r2 * fit->variance * weight / regressors / residual;
    inference->f_p = fisher_tail(inference->f, regressors, freedom);
}

static double inverse_diagonal(const struct fit *fit, size_t j)
{
    if (!fit->inverse || (j > 0 && fit->aliased[j - 1]))
        return NAN;
    return j > 0 ? fit_inverse(fit, j - 1, j - 1) : fit->intercept_inverse;
}

struct coefficient_inference inference_coefficient(const struct fit *fit,
                                                   const struct inference *inference, size_t j)
{
    struct coefficient_inference result;
    double value = fit->coefficients[j].hi;
    result.error = inference->deviation * sqrt(inverse_diagonal(fit, j));
    result.t = value / result.error;
    result.p = student_two_sided(result.t, inference->freedom);
    result.low = value - inference->width * result.error;
    result.high = value + inference->width * result.error;
    return result;
}

/* (x - mean)ᵀ C⁻¹ (x - mean) + 1 / Σ w. */
static double leverage(const struct fit *fit, const double *row)
{
    double sum = 1 / fit->weight;
    for (size_t j = 0; j < fit->features; j++) {
        double along = 0;
        for (size_t k = 0; k < fit->features; k++)
            along += fit_inverse(fit, j, k) * (row[k] - fit->means[k]);
        sum += along * (row[j] - fit->means[j]);
    }
    return sum;
}

double inference_scale(const struct fit *fit, double level)
{
    struct inference inference;
    inference_of(fit, &inference);
    if (!(inference.freedom >= 1) || !fit->inverse)
        return NAN;
    return student_width(level, inference.freedom) * inference.deviation;
}

double inference_interval(const struct fit *fit, const double *row, double scale)
{
    return scale * sqrt(1 + leverage(fit, row));
}

/* The intercept is what is left of the mean: its covariances follow from the features'. */
double inference_covariance(const struct fit *fit, const struct inference *inference, size_t j,
                            size_t k)
{
    double sum = 0, variance = inference->deviation * inference->deviation;
    if (!fit->inverse)
        return NAN;
    if (j == 0 && k == 0)
        return variance * fit->intercept_inverse;
    if (j > 0 && k > 0)
        return variance * fit_inverse(fit, j - 1, k - 1);
    for (size_t i = 0; i < fit->features; i++)
        sum -= fit->means[i] * fit_inverse(fit, i, j + k - 1);
    return variance * sum;
}
