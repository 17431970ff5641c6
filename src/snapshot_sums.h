/* The sums of a snapshot as lines of text. Private to the snapshot. */
#ifndef TRENDLINE_SNAPSHOT_SUMS_H
#define TRENDLINE_SNAPSHOT_SUMS_H

#include "folds.h"
#include "snapshot_lines.h"

/* One part: a line `j k HEX EXPONENT` for each sum S_jk. More: before each part's `part ROWS`.
 * Then, where there are terms: `terms ROWS LEAST GREATEST`, a line `place CENTRE EXPONENT` for each
 * number and the target, and for each kind and part `sums ROWS` and a line HIGH LOW, in
 * hexadecimal, for each number but the weight, which is ROWS. Where rows weigh something else,
 * `sums ROWS weighted` and a line of three limbs for each number, in units of
 * 2^-TERM_WEIGHT_BITS. */
void snapshot_write_sums(struct folds *folds, struct pieces *pieces);

/* Reads that into new folds, to the last line. False: it is not what was written, or there is no
 * memory (lines->no_memory). */
bool snapshot_read_sums(struct folds *folds, struct lines *lines);

#endif
