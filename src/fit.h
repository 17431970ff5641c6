/* Fit: ordinary least squares from exact moments.
 *
 * Solves the normal equations of y ≈ β_0 + Σ β_j x_j in multiple precision: LDLᵀ in column order,
 * then refinement with residuals from the exact sums until the solution stops changing (Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 12). Each coefficient is the exact
 * solution for the float64 rows, rounded. */
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
    int64_t rows;
    size_t rank;                      /* independent columns, the constant included */
    struct coefficient *coefficients; /* features + 1 of them: the intercept, then by feature */
    bool *aliased;                    /* features of them: dependent on the columns before it */
    double mse;                       /* mean of squared residuals over the rows, rounded once */
    double r2; /* 1 − residual / total sum of squares; NaN if y is constant */
};

/* The fit of all rows in `moments`, which must be at least one; NULL with `error` set otherwise,
 * when memory runs out, or when a coefficient is beyond the range of doubles (ERROR_UNUSABLE; the
 * error speaks of column `*column`, 0 for the intercept, because names live elsewhere).
 *
 * A feature is aliased, with coefficient 0, when what is left of it after regression on the columns
 * before it is, root mean square, below 2^-53 of its own root mean square: below the rounding of
 * its values to doubles. The caller owns the result. */
struct fit *fit_new(const struct moments *moments, size_t *column, struct error *error);
void fit_free(struct fit *fit);

/* β_0 + Σ β_j x_j, rounded once from at least double-double accuracy; infinite when it is beyond
 * the range of doubles. `coefficients` has features + 1 entries, `x` has `features` finite values.
 */
double fit_predict(const struct coefficient *coefficients, const double *x, size_t features);

#endif
