/* Columns: which of a training table's are the features, which is the target, and which says how
 * much a row weighs.
 *
 * A column called `_weight` is the weight, as in an event; of the others the last is the target and
 * all before it are features. */
#ifndef TRENDLINE_COLUMNS_H
#define TRENDLINE_COLUMNS_H

#include "error.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct columns {
    size_t features;                /* at least 1 */
    size_t weight;                  /* the weight's column; SIZE_MAX: there is none */
    char *names[TABLE_COLUMNS_MAX]; /* of the features, then the target's; the table's */
    const char *file;               /* for errors; whoever calls columns_find keeps it */
};

/* Tells target and weight to the table, too: they are numbers and never missing. `file` is what
 * errors call the table. */
bool columns_find(struct columns *columns, struct table *table, const char *file,
                  struct error *error);

/* The table's column of that feature. */
size_t columns_of_feature(const struct columns *columns, size_t feature);

/* Makes a row of the cells as table_next gives them, in place: features, target, weight, which is 1
 * where there is no such column. It needs room for one more than the table has columns. False: the
 * weight is not above 0. */
bool columns_arrange(const struct columns *columns, double *row, uint64_t line,
                     struct error *error);

/* Whether that is how a table says what its rows weigh. */
bool columns_is_weight(const char *name);

#endif
