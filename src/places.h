/* Where the columns of terms lie, as JSON: [[centre, exponent], …], the target's last. */
#ifndef TRENDLINE_PLACES_H
#define TRENDLINE_PLACES_H

#include "buffer.h"
#include "folds.h"
#include "json.h"

void places_write(const struct term_maps *maps, struct buffer *out);

/* NULL when it is not that for so many features, or without memory. `list` may be NULL. */
struct term_maps *places_parse(const struct json *list, size_t features);

#endif
