/* Recent: how far those rows reach that still count where rows are forgotten by and by: those that
 * weigh 2^-RECENT_BITS or more, and up to a RECENT_PARTS-th of them more, since they are told apart
 * by blocks of numbers, each of which goes as a whole. So it follows from the rows and their
 * numbers alone, whoever has learnt them since when. */
#ifndef TRENDLINE_RECENT_H
#define TRENDLINE_RECENT_H

#include "reach.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECENT_BITS = 48, RECENT_PARTS = 32, RECENT_BLOCKS = RECENT_PARTS + 2 };

struct recent_block {
    int64_t index;       /* of rows index · length + 1 and on; -1: of none yet */
    struct reach *reach; /* owned */
};

struct recent {
    int64_t count, length; /* how many rows count at least; are in a block */
    struct recent_block blocks[RECENT_BLOCKS];
};

/* A row leaves `factor` (above 0, below 1) of those before it; of so many features that are
 * numbers. NULL without memory. */
struct recent *recent_new(double factor, size_t numbers);
void recent_free(struct recent *recent); /* NULL is fine */

/* The first row that counts is the one behind this, where the last of all is `last`. */
int64_t recent_before(double factor, int64_t last);

/* The reach of row `seq`'s block, for it to be added to. Rows come in order. */
struct reach *recent_block(struct recent *recent, int64_t seq);
/* That of all that count, of those added. */
void recent_reach(const struct recent *recent, int64_t last, struct reach *reach);

#endif
