/* Preparing a data directory for the service: before it starts, or, as far as that takes long,
 * beside it. */
#ifndef TRENDLINE_PREPARE_H
#define TRENDLINE_PREPARE_H

#include "config.h"
#include "error.h"

#include <stdbool.h>

/* Recovers the journal, learns a new train file, and sees to it that model.json is there and up to
 * date if a model was ever built. A read-only volume is fine as long as it has a model: a warning
 * on stderr. False: the service must not start, or goes on with the model that is there; the text
 * is the line to print. */
bool prepare_run(const struct config *config, struct error *error);

#endif
