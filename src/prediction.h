/* Prediction: what a model says of one row, and how that is told. */
#ifndef TRENDLINE_PREDICTION_H
#define TRENDLINE_PREDICTION_H

#include "buffer.h"
#include "error.h"
#include "model.h"

#include <stdbool.h>

/* What is wanted besides the prediction. */
struct prediction_options {
    double level;   /* _interval: how much of the time a new target is in it; 0: none is wanted */
    double scale;   /* of the intervals, see model_interval_scale */
    bool explained; /* _explain: each feature's share is wanted */
};

/* What a user should know of a prediction. */
enum prediction_flag {
    PREDICTION_UNSEEN,        /* something of the row was never learnt */
    PREDICTION_EXTRAPOLATING, /* it lies beyond the rows learnt */
    PREDICTION_CLIPPED,       /* it was far beyond the targets learnt, and brought back */
    PREDICTION_FLAGS
};

/* As they are called in answers. */
extern const char *const prediction_flag_names[PREDICTION_FLAGS];

struct prediction {
    double value;
    double half; /* of the interval's width; 0 where none is wanted */
    bool flags[PREDICTION_FLAGS];
};

/* For a row in the schema's order. ERROR_UNUSABLE when something is beyond the doubles. */
bool prediction_make(const struct model *model, const struct prediction_options *options,
                     const double *row, struct prediction *prediction, struct error *error);

/* By how much each feature moves the prediction away from what it begins with, as members of a JSON
 * object behind others. */
bool prediction_explain(const struct model *model, const double *row, struct buffer *out,
                        struct error *error);

/* {"prediction": 1, …}, with `explanation` in it. */
void prediction_write(const struct prediction *prediction, const struct prediction_options *options,
                      const struct buffer *explanation, struct buffer *out);
/* [0.5, 1.5] */
void prediction_write_interval(const struct prediction *prediction, struct buffer *out);

#endif
