/* What terms are made from (folds.h) as the text that all processes share, with the features that
 * it is for: JSON with a checksum (seal.h). */
#ifndef TRENDLINE_MAPS_TEXT_H
#define TRENDLINE_MAPS_TEXT_H

#include "buffer.h"
#include "error.h"
#include "folds.h"
#include "schema.h"

#include <stdbool.h>
#include <stddef.h>

void maps_write(const struct schema *schema, const struct term_maps *maps, struct buffer *out);

/* Back from the text, also from one of before there were checksums: both are the caller's. False,
 * and both are NULL: ERROR_DAMAGED, it is not what was written; ERROR_BUSY without memory. */
bool maps_parse(const char *text, size_t length, struct schema **schema, struct term_maps **maps,
                struct error *error);

#endif
