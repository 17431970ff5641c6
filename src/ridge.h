/* Ridge regression: least squares with a penalty on the squared weights of standardised columns,
 * from means and covariances alone. The intercept is not penalised.
 *
 * Plain double precision, Cholesky's factor (cholesky.h) of the correlations plus the penalty,
 * which is at least RIDGE_PENALTY_MIN and so bounds the condition number. The same numbers go in
 * and out on every machine.
 *
 * No pivot of that factor can be below the penalty but by what rounding has made of the
 * correlations. Where rows are forgotten by and by that can be much: what is left of a column that
 * has become constant is the difference of two sums that have been rounded again and again. Then
 * each column is penalised more, by RIDGE_DOUBT_MIN of its mean square for each of its variance,
 * then by RIDGE_DOUBT_STEP times as much, until the factor holds: much where little is known of
 * the variance, hardly where it is known. */
#ifndef TRENDLINE_RIDGE_H
#define TRENDLINE_RIDGE_H

#include "moments.h"
#include "term_sums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIDGE_PENALTY_MIN 1e-8
#define RIDGE_DOUBT_MIN   0x1p-48
#define RIDGE_DOUBT_MAX   0x1p16 /* more than all correlations of a column together */
#define RIDGE_DOUBT_STEP  16

/* Means and covariances of some columns and, behind them, the target, by the rows' weights. */
struct gram {
    size_t count; /* of columns, the target not among them */
    int64_t rows;
    double weight;      /* of them all; infinite beyond range */
    double *mean;       /* count + 1 */
    double *covariance; /* (count + 1) by (count + 1), of which the upper triangle by rows: of
                           columns in units of 2^exponent */
    int *exponent;      /* count + 1: 0 but where squares of the column's values are no doubles */
};

/* Of column j, in its own unit. */
double gram_variance(const struct gram *gram, size_t j);

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
    double *penalties; /* count: by column, what has been added to the diagonal */
    double *factor;    /* count by count, columns of L one after the other; the allocation of all */
    double *weights;   /* count: the result, by column and its unit */
    double intercept;
};

bool ridge_init(struct ridge *ridge, size_t count);
void ridge_free(struct ridge *ridge);

/* target ≈ intercept + Σ weight · column, minimising mean squared error + Σ penalty · (weight ·
 * deviation)², where each column's penalty is the one given, or more as above. False where a weight
 * or the intercept is beyond the range of doubles. */
bool ridge_fit(struct ridge *ridge, const struct gram *gram, double penalty);

/* The columns that have a weight, and the intercept: those that are not constant. */
size_t ridge_columns(const struct ridge *ridge);
/* How many parameters that is worth: the trace of the hat matrix H, by which the fitted values are
 * H times the targets, 1 + tr R (R + P)⁻¹ for correlations R and penalties P (Hastie, Tibshirani &
 * Friedman 2009, The Elements of Statistical Learning, 3.4.1 and 7.6, where the intercept is left
 * out). Rows that have weights w have that of √w times rows and targets. NaN without memory. */
double ridge_parameters(const struct ridge *ridge);

/* Mean squared error of that on the rows of `gram`. */
double ridge_error(const struct ridge *ridge, const struct gram *gram);

#endif
