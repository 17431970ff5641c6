/* Moments: the exact sums of cross products that the learner consists of.
 *
 * An event is the row z = (1, x_1 … x_p, y) with a weight w > 0, mostly 1; the moments are
 * S = Σ w z zᵀ over all rows, together with the number of rows. S_00 is Σ w. Each sum is kept as a
 * whole number of units, so nothing is ever rounded (but by moments_scale): the order of rows,
 * merging of parts, and adding and taking away again cannot change a bit, and a row of weight 2 is
 * the same as two of weight 1, but for the number of rows.
 *
 * Representation: column j has a unit 2^e_j of which every value seen so far is a whole multiple
 * (any double is one), and so have the weights, 2^e_w, so S_jk is a whole multiple of
 * 2^(e_j+e_k+e_w), held in two's complement 64-bit limbs. Units and limbs grow as values need them
 * (compare Neal 2015, "Fast exact summation using small and large superaccumulators", whose
 * accumulators always have the full width).
 *
 * Pure computation: no files, no JSON, no threads of its own. */
#ifndef TRENDLINE_MOMENTS_H
#define TRENDLINE_MOMENTS_H

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most memory that a new row may make one set of sums take. */
enum { MOMENTS_MAX_BYTES = 24 << 20 };

struct moments;

/* Sums over no rows, for rows of `features` values and a target; NULL without memory. */
struct moments *moments_new(size_t features);
struct moments *moments_copy(const struct moments *moments);
void moments_free(struct moments *moments);

/* The most memory that sums for so many features can come to take, whatever doubles are added; not
 * `weighted`: with weight 1. If it is at most MOMENTS_MAX_BYTES, no row is ever too wide. */
size_t moments_bytes_max(size_t features, bool weighted);

/* For sums of no rows yet, whose rows will fade, that is be scaled by and by: each that is reserved
 * gets room for weights up to twice its own, and down to 2^-MOMENTS_FADING_BITS of it. What is
 * merged with such sums is of the kind, too. */
enum { MOMENTS_FADING_BITS = 128 };
void moments_begin_fading(struct moments *moments);
bool moments_fading(const struct moments *moments);

size_t moments_features(const struct moments *moments);
int64_t moments_rows(const struct moments *moments);

/* Is feature j, which is never negative, above 0 in some row? */
bool moments_has_positive(const struct moments *moments, size_t j);

enum moments_result { MOMENTS_OK, MOMENTS_TOO_WIDE, MOMENTS_NO_MEMORY };

/* Makes the representation wide enough for `row` (features + 1 finite doubles, target last) of that
 * weight (finite, above 0) without changing any sum, so that adding it cannot fail; on failure
 * nothing has changed.
 * MOMENTS_TOO_WIDE: values and weights span a range for which MOMENTS_MAX_BYTES do not suffice;
 * refuse the row. */
enum moments_result moments_reserve(struct moments *moments, const double *row, double weight);

/* The same without that limit, for a row that has been accepted before: the sums may have become
 * wider since by other rows. Never MOMENTS_TOO_WIDE. */
enum moments_result moments_reserve_accepted(struct moments *moments, const double *row,
                                             double weight);

/* Adds `row`, or takes it away again. It must have been reserved in these moments with that weight,
 * which a copy and whatever they are merged into inherit; after set_sum, reserve anew. Whoever
 * forgets that is stopped by abort, rather than writing outside of the sums. A weight of few bits
 * costs what 1 does, one of all 53 six times as much. */
void moments_add(struct moments *moments, const double *row, double weight);
void moments_subtract(struct moments *moments, const double *row, double weight);

/* Where rows fade: adds a row that was reserved with `weight`, weighing that times `factor` (1 to
 * below 2), rounded to 53 bits whatever the range of doubles. */
void moments_add_times(struct moments *moments, const double *row, double weight, double factor);

/* Where rows fade: lets all of them weigh `factor` (0 to 1) times as much. The one thing that
 * rounds: each sum to the nearest multiple of its unit. */
void moments_scale(struct moments *moments, double factor);

/* into += from. Both must have the same number of features. What was accepted is never too wide; on
 * MOMENTS_NO_MEMORY no sum has changed. */
enum moments_result moments_merge(struct moments *into, const struct moments *from);

/* The sums of the same rows with their columns elsewhere: feature j is what map[j] was, or where
 * that is SIZE_MAX one that is 0 in all rows. What map leaves out is forgotten. The caller's; NULL
 * without memory. */
struct moments *moments_arrange(const struct moments *moments, const size_t *map, size_t features);

/* Whether both hold the same sums of as many rows, whatever the representation. */
bool moments_equal(const struct moments *a, const struct moments *b);

/* S_jk = out · 2^(returned exponent), exactly; out is odd, or 0 with exponent 0, so that equal sums
 * look the same whatever their history. Index 0 is the constant 1, then the features, then the
 * target (features + 1). `out` is initialised by the caller. */
long moments_sum(const struct moments *moments, size_t j, size_t k, mpz_t out);

/* Sets S_jk (and S_kj) to value · 2^exponent, and the number of rows: how a snapshot is read back,
 * in the order S_00, S_01, …, S_11, S_12, …. False if it cannot be held: out of range, a negative
 * sum of squares, no memory. */
bool moments_set_sum(struct moments *moments, size_t j, size_t k, const mpz_t value, long exponent);
void moments_set_rows(struct moments *moments, int64_t rows);

#endif
