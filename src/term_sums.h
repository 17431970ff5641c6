/* Sums of products of terms (terms.h) and of the target with them, by the rows' weights, exactly,
 * as moments are: no order and no merging can change a bit. A block of rows of weight 1 is
 * multiplied in plain doubles, where whole numbers of 24 bits leave room for 127 rows (compare
 * Ozaki, Ogita, Oishi & Rump 2012), and then added to the sums. A row of another weight goes
 * straight there, which takes several times as long.
 *
 * A weight is rounded to a whole number of units of 2^-20, from 1 to 2^40 of them (or 2^41, see
 * term_sums_add), and the sums are in as much smaller units. They have room for 2^31 rows of the
 * greatest weight: products of terms, below 2^46, and the target, as large, have 128 bits, of which
 * 118 are needed; products with the target, up to 2^92, have 192, of which 164 are. */
#ifndef TRENDLINE_TERM_SUMS_H
#define TRENDLINE_TERM_SUMS_H

#include "terms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target's place has this unit, and values beyond 2^20 of its deviations count as that. */
enum { TARGET_BITS = 26, TARGET_CLIP_BITS = 20 };

/* Weights have this unit, and their range is 2^±TERM_WEIGHT_BITS. */
enum { TERM_WEIGHT_BITS = 20 };

struct term_sums;

struct term_sums *term_sums_new(size_t terms); /* NULL without memory */
void term_sums_free(struct term_sums *sums);   /* NULL is fine */
size_t term_sums_count(const struct term_sums *sums);
int64_t term_sums_rows(const struct term_sums *sums);
/* Of all rows together, as they were rounded. */
double term_sums_weight(const struct term_sums *sums);

/* The target as a whole number of units. */
int64_t term_sums_target(double target, struct place place);

/* Adds a row: its terms' values, as terms_values has them, its target, and its weight, above 0,
 * which is brought into range and then counts `factor` (1 to 2) times. */
void term_sums_add(struct term_sums *sums, const double *values, int64_t target, double weight,
                   double factor);
/* Takes a row that was added with a factor of 1 away again, as exactly. */
void term_sums_remove(struct term_sums *sums, const double *values, int64_t target, double weight);

/* Lets all rows weigh `factor` (0 to 1) times as much, and count as so many. Each sum is rounded to
 * a whole number of units: the weight first, so that the factor of all others is what it has become
 * divided by what it was. What comes to weigh less than half a unit is forgotten. */
void term_sums_scale(struct term_sums *sums, double factor, int64_t rows);

/* into += from, of as many terms; both are flushed. */
void term_sums_merge(struct term_sums *into, struct term_sums *from);

/* into -= from: rows that are among those of `into`, both flushed. */
void term_sums_subtract(struct term_sums *into, const struct term_sums *from);

/* All that the sums are, as whole numbers of units of 2^-TERM_WEIGHT_BITS, for writing them down:
 * so many, each the same whatever the order of the rows was; the first is the sum of the weights.
 * In two's complement, least significant limb first. */
struct term_number {
    uint64_t limbs[3];
};
size_t term_sums_numbers(const struct term_sums *sums);
struct term_number term_sums_number(struct term_sums *sums, size_t i);
/* Whether all of them are whole numbers of units 2^TERM_WEIGHT_BITS as large, and the rows weigh 1
 * in the mean, as they do where each weighs that. Then 128 bits hold any in that unit. */
bool term_sums_whole(struct term_sums *sums);

/* Replaces all rows: every number first, then how many rows there are. False: it cannot be that. */
bool term_sums_set_number(struct term_sums *sums, size_t i, struct term_number number);
bool term_sums_set_rows(struct term_sums *sums, int64_t rows);

/* Mean of value j, and covariance of values j ≤ k over the rows, in units, each rounded as good as
 * once, and 0 where all has been forgotten; index term_sums_count is the target. Wants rows, and
 * all of them to have been flushed. */
double term_sums_mean(const struct term_sums *sums, size_t j);
double term_sums_covariance(const struct term_sums *sums, size_t j, size_t k);
/* Those of the first `count` terms, at most TERMS_MAX, and behind them the target: the upper
 * triangle of a square of count + 1 rows. */
void term_sums_covariances(const struct term_sums *sums, size_t count, double *square);

/* Brings the block into the sums, which changes no value. */
void term_sums_flush(struct term_sums *sums);

#endif
