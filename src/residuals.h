/* Residuals: what a model's predictions leave of the targets, over all rows of a table, as pictures
 * need it. Memory does not grow with the rows: they are counted in bins, and some of them are kept
 * as they are. Which ones follows from their place in the table alone, so that any number of
 * threads comes to the same. */
#ifndef TRENDLINE_RESIDUALS_H
#define TRENDLINE_RESIDUALS_H

#include "columns.h"
#include "error.h"
#include "predictor.h"
#include "progress.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESIDUALS_SAMPLE = 2000, /* rows kept, about; all if there are no more */
    RESIDUALS_BINS = 40      /* of equal width, on both sides of 0 */
};

/* The bins reach so many root mean squares to each side. */
#define RESIDUALS_REACH 4.0

struct residual_row {
    uint64_t line; /* in the table */
    double predicted, actual;
};

struct residuals {
    uint64_t rows, clipped; /* all; and with a prediction brought back to the range seen */
    double unit;            /* root mean square of the residuals, as known beforehand */
    double least, greatest; /* of the residuals; may be infinite */
    uint64_t bins[RESIDUALS_BINS];
    uint64_t below, above;       /* beyond the bins */
    struct residual_row *sample; /* in the table's order; owned */
    size_t sampled, capacity;
    uint64_t chance; /* a row is kept when the hash of its line is at most that */
};

/* Of no rows yet: `rows` will come, whose root mean square is `unit`. */
void residuals_begin(struct residuals *residuals, uint64_t rows, double unit);
void residuals_free(struct residuals *residuals);

/* Without memory false. */
bool residuals_add(struct residuals *residuals, const struct residual_row *row);

/* Reads all rows that are left of the training table, by up to so many
 * threads. */
bool residuals_read(struct residuals *residuals, const struct predictor *model, struct table *table,
                    const struct columns *columns, struct progress *progress, unsigned threads,
                    struct error *error);

#endif
