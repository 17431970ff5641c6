/* Inference: how sure a least-squares fit is, under the usual assumptions (independent normal
 * errors of one variance), as R's summary(lm), confint and predict.lm have it. Where rows have
 * weights, the variance of a row's error is that variance divided by its weight, as in
 * lm(weights=): a weight says how precise a row is, and a row counts as one whatever its weight. */
#ifndef TRENDLINE_INFERENCE_H
#define TRENDLINE_INFERENCE_H

#include "fit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The level of the confidence intervals that are told with a model. */
#define INFERENCE_LEVEL 0.95

/* Of a penalised fit the degrees of freedom are those that its effective parameters leave (Hastie &
 * Tibshirani 1990, Generalized Additive Models, 3.5), a fraction too: residual deviation and
 * adjusted R² go by them. It has no F: what a penalty leaves is no projection, of which that would
 * be the ratio. */
struct inference {
    double freedom; /* rows - parameters, 0 where there are more; below 1 all below is NaN, as where
                       nobody knows */
    double deviation; /* of residuals of weight 1: the square root of Σ w r² / freedom */
    double adjusted_r2;
    double f,
        f_p; /* all features together; NaN without any, where the fit is perfect or penalised */
    double width; /* of a confidence interval to each side, in standard errors */
};

void inference_of(const struct fit *fit, struct inference *inference);

/* One coefficient: 0 is the intercept. NaN where it is aliased, or there is no inverse. */
struct coefficient_inference {
    double error, t, p, low, high; /* standard error; t and p of its being 0; confidence interval */
};
struct coefficient_inference inference_coefficient(const struct fit *fit,
                                                   const struct inference *inference, size_t j);

/* Half the width of the interval that holds a new target of weight 1 with probability `level` where
 * the row has leverage 0: the same for all rows. NaN without freedom or inverse. */
double inference_scale(const struct fit *fit, double level);
/* The same at `row`. */
double inference_interval(const struct fit *fit, const double *row, double scale);

/* Covariance of the estimates of coefficients j and k, 0 being the intercept; NaN as above. */
double inference_covariance(const struct fit *fit, const struct inference *inference, size_t j,
                            size_t k);

#endif
