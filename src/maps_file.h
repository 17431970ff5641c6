/* terms.json: what terms are made from, for all processes on a directory. Private to the store. */
#ifndef TRENDLINE_MAPS_FILE_H
#define TRENDLINE_MAPS_FILE_H

#include "store_methods.h"

#define TERMS_NAME "terms.json"

bool maps_file_write(const char *path, const struct schema *schema, const struct term_maps *maps,
                     struct error *error);

/* load_maps of struct store_methods. What is damaged is said on stderr and written again as `known`
 * has it; where nothing is known *maps is NULL, as where there is no file. What was written before
 * there were checksums gets its own. */
bool maps_file_read(struct store *store, const char *path, const struct schema *schema,
                    struct known_maps known, struct term_maps **maps, struct error *error);

#endif
