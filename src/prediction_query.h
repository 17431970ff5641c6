/* The query of /predict: options, and the features of a single row. */
#ifndef TRENDLINE_PREDICTION_QUERY_H
#define TRENDLINE_PREDICTION_QUERY_H

#include "binding.h"
#include "error.h"
#include "model.h"
#include "prediction.h"

#include <stdbool.h>

/* Takes the options, and binds the rest to the features; `binding` NULL: there must be no rest. */
bool prediction_query(const char *query, const struct model *model, struct binding *binding,
                      struct prediction_options *options, struct error *error);

#endif
