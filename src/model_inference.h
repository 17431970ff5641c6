/* The part of a model's text that says how sure it is. Private to the model. */
#ifndef TRENDLINE_MODEL_INFERENCE_H
#define TRENDLINE_MODEL_INFERENCE_H

#include "json.h"
#include "model.h"

/* Appends `,"residual_deviation": …` and what follows, down to the inverse. */
void model_write_inference(const struct model *model, struct buffer *out);

/* Reads back what cannot be made again from the rest. False: it is not what was written. */
bool model_parse_inference(struct model *model, const struct json *json);

/* Appends `, "name": value` on a line of its own; null for what is no number, such as R² of a
 * constant target. */
void model_write_figure(struct buffer *out, const char *name, double value);

/* The counterpart: null is NaN. */
double model_parse_figure(const struct json *json, const char *name);

#endif
