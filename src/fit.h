/* Fit: least squares from exact moments, where the square of a row's residual counts as often as
 * its weight says.
 *
 * y ≈ β_0 + Σ β_j x_j, where each coefficient is the exact solution for the float64 rows, rounded
 * once: the normal equations are solved in multiple precision (normal.h), so the answer depends on
 * the rows alone, not on their order or on how the sums came about. Nothing here is ever -0.
 *
 * Memory for big numbers comes from GMP, which ends the process when there is none. */
#ifndef TRENDLINE_FIT_H
#define TRENDLINE_FIT_H

#include "error.h"
#include "moments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* hi is the exact value rounded to a double, lo the rest rounded to a double: 107 bits together. */
struct coefficient {
    double hi, lo;
};

struct fit {
    size_t features;
    int64_t rows;  /* how many there are, whatever their weights */
    double weight; /* of them all, as is `rows` where each has weight 1; infinite beyond range */
    size_t rank;   /* independent columns, the constant included; of a penalised fit (ridge.h) those
                      that have a coefficient */
    double parameters; /* how many that is worth: the rank, or of a penalised fit the trace of its
                          hat matrix (ridge_parameters). NaN: nobody knows */
    struct coefficient *coefficients; /* features + 1 of them: the intercept, then by feature */
    bool *aliased;                    /* features of them: dependent on the columns before it */
    /* sums and means are weighted: a mean of v is Σ w v / Σ w */
    double mse; /* mean of squared residuals over the rows, rounded once; infinite beyond range */
    double r2;  /* 1 − residual / total sum of squares, in [0, 1]; NaN if y is constant */
    double variance; /* of the target about its mean, over the rows */
    double *means;   /* features + 1 of them, the target's last */
    double *inverse; /* the upper triangle of the inverse of Σ w (x - mean)(x - mean)ᵀ, each
                        rounded as good as once; 0 for aliased ones. NULL: not made */
    double intercept_inverse; /* the like for the intercept */
    double condition;         /* 1-norm condition number of the correlations; NaN: no inverse */
};

/* With more features there is no inverse, which would take longer than the fit. */
enum { FIT_INVERSE_MAX = 40 };

/* Its entry for features j and k. */
double fit_inverse(const struct fit *fit, size_t j, size_t k);

/* The fit of all rows in `moments`; NULL with `error` set when there are none (ERROR_CONFLICT),
 * when memory runs out (ERROR_BUSY), when a coefficient is beyond the range of doubles
 * (ERROR_UNUSABLE; the error speaks of column `*column`, 0 for the intercept, because names live
 * elsewhere), or when the equations cannot be solved, which sums of rows always can
 * (ERROR_DAMAGED).
 *
 * A feature is aliased, with coefficient 0, when what is left of it after regression on the columns
 * before it is, root mean square, below 2^-53 of its own root mean square: below the rounding of
 * its values to doubles. Where some rows weigh less than 2^-53 of all together, what they tell is
 * always below that; then a feature is aliased when less is left than rounding in the lightest
 * row could leave (normal.c). With many features that may take too long, and is not done. The
 * caller owns the result. */
struct fit *fit_new(const struct moments *moments, size_t *column, struct error *error);
/* A fit of zeros, for a reader to fill in; NULL without memory. */
struct fit *fit_alloc(size_t features, struct error *error);
void fit_free(struct fit *fit);

/* Mean squared error of the fit on other rows by their weights, as if computed exactly; infinite
 * beyond range. */
double fit_error(const struct fit *fit, const struct moments *moments);

/* Σ (hi_j + lo_j) x_j, with x_0 = 1, as if computed exactly and rounded once; infinite when it is
 * beyond the range of doubles, never -0. `coefficients` has features + 1 entries, `x` has
 * `features` finite values. Does not allocate, save for sums on the verge of rounding the other
 * way, terms below 2^-800, and overflow on the way. */
double fit_predict(const struct coefficient *coefficients, const double *x, size_t features);

#endif
