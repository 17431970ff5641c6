/* Cholesky's factor of a symmetric positive definite matrix in plain double precision (Golub & Van
 * Loan, Matrix Computations, 4th ed., 4.2). Every entry is subtracted from in the order of the
 * columns, without fused operations, so that the same numbers come out on every machine. */
#ifndef TRENDLINE_CHOLESKY_H
#define TRENDLINE_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* The matrix, n by n, becomes L of L Lᵀ: columns one after the other, of which nothing above the
 * diagonal is looked at. False: it is not positive definite, as far as doubles can tell. */
bool cholesky_factorise(double *matrix, size_t n);

/* x becomes the solution of L Lᵀ y = x. */
void cholesky_substitute(const double *factor, size_t n, double *x);

/* The diagonal of the inverse of L Lᵀ: n entries. False without memory. */
bool cholesky_inverse_diagonal(const double *factor, size_t n, double *diagonal);

#endif
