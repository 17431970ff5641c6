/* Normal equations: S β = S_y over the columns of exact moments, solved until the answer is known.
 *
 * All arithmetic is on whole numbers of units 2^-bits (fixed point), for which scaling makes room:
 * with every S_jj brought into [1/4, 1) by powers of two, no sum and nothing that elimination
 * leaves of one is larger than 1, and an error of one unit stays one. The factor LDLᵀ is truncated
 * to a few hundred bits; the solution is refined with exact residuals (Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., ch. 12), so the factor decides only how fast that
 * converges, and is made of more bits until it certainly tells a small pivot from noise. Where no
 * inverse is wanted and the columns are far from dependent, that is found by a
 * factor in doubles (normal_digits.h). */
#ifndef TRENDLINE_NORMAL_H
#define TRENDLINE_NORMAL_H

#include "error.h"
#include "moments.h"

struct normal {
    size_t unknowns; /* the constant and the features; the target's index */
    long *scale;     /* S_jj is in [2^(2 scale_j - 2), 2^(2 scale_j)); unknowns + 1 of them */
    long depth;
    mpz_t *sums;     /* the upper triangle of S_jk 2^-(scale_j + scale_k), exactly, in 2^-depth */
    long alias_bits; /* a column is dependent when its pivot is below 2^-alias_bits of S_jj */
    bool *aliased;   /* unknowns of them: dependent on the columns before it */
    long bits;
    mpz_t *solution; /* β_j 2^(scale_j - scale_y) in 2^-bits, off by less than one; 0 if aliased */
    long inverse_bits;
    mpz_t
        *inverse; /* the upper triangle of S⁻¹ over the columns that are not aliased, 0 elsewhere;
                     scaled by 2^(scale_j + scale_k), in 2^-inverse_bits. NULL: too many columns */
};

/* With more unknowns the inverse would take longer than everything else. */
enum { NORMAL_INVERSE_MAX = 41 };

/* Takes the sums over and makes room for the answer. The caller frees, also after failure. */
bool normal_load(struct normal *normal, const struct moments *moments, struct error *error);
bool normal_solve(struct normal *normal, struct error *error);
void normal_free(struct normal *normal);

/* Entry of the inverse; there must be one. */
mpz_srcptr normal_inverse(const struct normal *normal, size_t j, size_t k);

/* Scaled S_jk, in units of 2^-depth. */
mpz_srcptr normal_sum(const struct normal *normal, size_t j, size_t k);

#endif
