/* Sums of products of terms (terms.h) and of the target with them, exactly, as moments are: no
 * order and no merging can change a bit. A block of rows is multiplied in plain doubles, where
 * whole numbers of 24 bits leave room for 127 rows (compare Ozaki, Ogita, Oishi & Rump 2012), and
 * then added to 128-bit sums, which have room for 2^31 rows. */
#ifndef TRENDLINE_TERM_SUMS_H
#define TRENDLINE_TERM_SUMS_H

#include "terms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target's place has this unit, and values beyond 2^20 of its deviations count as that. */
enum { TARGET_BITS = 26, TARGET_CLIP_BITS = 20 };

struct term_sums;

struct term_sums *term_sums_new(size_t terms); /* NULL without memory */
void term_sums_free(struct term_sums *sums);   /* NULL is fine */
size_t term_sums_count(const struct term_sums *sums);
int64_t term_sums_rows(const struct term_sums *sums);

/* The target as a whole number of units. */
int64_t term_sums_target(double target, struct place place);

/* Adds a row: its terms' values, as terms_values has them, and its target. */
void term_sums_add(struct term_sums *sums, const double *values, int64_t target);

/* into += from, of as many terms; both are flushed. */
void term_sums_merge(struct term_sums *into, struct term_sums *from);

/* into -= from: rows that are among those of `into`, both flushed. */
void term_sums_subtract(struct term_sums *into, const struct term_sums *from);

/* All that the sums are, as whole numbers high · 2^64 + low, for writing them down: so many, each
 * the same whatever the order of the rows was. Setting them replaces all rows. */
struct term_number {
    int64_t high;
    uint64_t low;
};
size_t term_sums_numbers(const struct term_sums *sums);
struct term_number term_sums_number(struct term_sums *sums, size_t i);
void term_sums_set_number(struct term_sums *sums, size_t i, struct term_number number);
void term_sums_set_rows(struct term_sums *sums, int64_t rows);

/* Mean of value j, and covariance of values j ≤ k over the rows, in units, each rounded as good as
 * once; index term_sums_count is the target. Wants rows, and all of them to have been flushed. */
double term_sums_mean(const struct term_sums *sums, size_t j);
double term_sums_covariance(const struct term_sums *sums, size_t j, size_t k);

/* Brings the block into the sums, which changes no value. */
void term_sums_flush(struct term_sums *sums);

#endif
