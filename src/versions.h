/* Versions: the models of a data directory as built, in models/000007.json and so on. */
#ifndef TRENDLINE_VERSIONS_H
#define TRENDLINE_VERSIONS_H

#include "error.h"
#include "model.h"

#include <stdbool.h>
#include <stdint.h>

/* `directory` is the data directory; models/ in it is made when it is missing. */

/* The newest one's number; 0: there is none. */
bool versions_last(const char *directory, int64_t *version, struct error *error);

/* Durable after true. */
bool versions_write(const char *directory, const struct model *model, struct error *error);
/* NULL with ERROR_DAMAGED that names the file. */
struct model *versions_read(const char *directory, int64_t version, struct error *error);

/* Removes those before `oldest`, some VERSIONS_PRUNE_MAX at most: who finds hundreds of thousands
 * need not wait for all of them. What cannot be removed stays. */
enum { VERSIONS_PRUNE_MAX = 10000 };
void versions_prune(const char *directory, int64_t oldest);

#endif
