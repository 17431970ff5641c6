/* Ridge regression: least squares with a penalty on the squared weights of standardised columns,
 * from means and covariances alone. The intercept is not penalised.
 *
 * Plain double precision, Cholesky's factor (cholesky.h) of the correlations plus the penalty,
 * which is at least RIDGE_PENALTY_MIN and so bounds the condition number. The same numbers go in
 * and out on every machine. */
#ifndef TRENDLINE_RIDGE_H
#define TRENDLINE_RIDGE_H

#include "moments.h"
#include "term_sums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIDGE_PENALTY_MIN 1e-8

/* Means and covariances of some columns and, behind them, the target, by the rows' weights. */
struct gram {
    size_t count; /* of columns, the target not among them */
    int64_t rows;
    double weight;      /* of them all; infinite beyond range */
    double *mean;       /* count + 1 */
    double *covariance; /* (count + 1) by (count + 1), of which the upper triangle by rows */
};

/* The first `count` terms, in their units, or all features. Without memory false; gram_free in any
 * case. */
bool gram_of_terms(struct gram *gram, const struct term_sums *sums, size_t count);
bool gram_of_moments(struct gram *gram, const struct moments *moments);
void gram_free(struct gram *gram);
/* The mean and variance of one feature, or behind them of the target, alone. */
void gram_of_column(const struct moments *moments, size_t column, double *mean, double *variance);

/* What a fit works on, for as many columns; used again from fit to fit. */
struct ridge {
    size_t count;
    double *deviation; /* count; 0: the column is constant */
    double *factor;    /* count by count, columns of L one after the other */
    double *weights;   /* count: the result, by column and its unit */
    double intercept;
};

bool ridge_init(struct ridge *ridge, size_t count);
void ridge_free(struct ridge *ridge);

/* target ≈ intercept + Σ weight · column, minimising mean squared error + penalty · Σ (weight ·
 * deviation)². False when the penalty does not make the equations well enough determined. */
bool ridge_fit(struct ridge *ridge, const struct gram *gram, double penalty);

/* Mean squared error of that on the rows of `gram`. */
double ridge_error(const struct ridge *ridge, const struct gram *gram);

#endif
