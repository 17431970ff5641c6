/* The part of a model's text that has its terms. Private to the model. */
#ifndef TRENDLINE_MODEL_TERMS_H
#define TRENDLINE_MODEL_TERMS_H

#include "json.h"
#include "model.h"

/* Appends what a model of terms predicts with, in place of intercept and coefficients by feature.
 */
void model_write_terms(const struct model *model, struct buffer *out);
bool model_parse_terms(struct model *model, const struct json *json, struct error *error);

#endif
