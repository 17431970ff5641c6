/* Model: all that a prediction needs, and how well it does. As a file it is JSON that people can
 * read. */
#ifndef TRENDLINE_MODEL_H
#define TRENDLINE_MODEL_H

#include "buffer.h"
#include "error.h"
#include "folds.h"
#include "live.h"
#include "predictor.h"
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NAME "model.json"

enum { MODEL_TIME_MAX = 32, MODEL_BYTES_MAX = 16 << 20 };

struct model {
    int64_t version;              /* counts builds, from 1 */
    char created[MODEL_TIME_MAX]; /* when that build was, UTC */
    int64_t events;               /* number of the last event learnt */
    struct schema *schema;
    struct predictor *predictor;
    struct fit *fit;          /* the predictor's */
    double tried[CANDIDATES]; /* the cross-validated error of each kind that was tried when it was
                                 built, root mean square; NaN: it was not */
    struct live live;         /* of the events up to `events` */
    unsigned users;           /* besides the first */
};

/* The model of all rows that predicts best, where there is a choice (choice.h), without version,
 * time and events. NULL with `error` set: ERROR_UNUSABLE when a coefficient is no double. */
struct model *model_choose(const struct schema *schema, const struct folds_set *rows,
                           struct error *error);
/* Of the same kind as `like`, which must be of these features. */
struct model *model_like(const struct model *like, const struct schema *schema,
                         const struct folds_set *rows, struct error *error);
/* Another user of the model, which nobody may change from then on. */
struct model *model_share(struct model *model);
void model_free(struct model *model); /* the last user's frees it; NULL is fine */

/* The prediction for a row in the schema's order; *clipped as in predictor.h. ERROR_UNUSABLE when
 * it is beyond the doubles. */
bool model_predict(const struct model *model, const double *row, double *prediction, bool *clipped,
                   struct error *error);

/* Are the means known? In a model that was written before there were any they are not. */
bool model_has_means(const struct model *model);

/* Was it written before penalised fits had effective parameters? Then its text tells figures that
 * do not hold, which model_write leaves out. */
bool model_is_outdated(const struct model *model);

/* By how much each feature of the row moves the prediction away from the baseline, which is
 * returned: all of them together make the prediction less that. Where the model is linear in the
 * columns the baseline is the mean of the targets learnt. A model of terms has the prediction for
 * the middle of all columns, from which the features go to the row together (Friedman 2004, "Paths
 * and consistency in additive cost sharing": the path of Aumann and Shapley), step by step. Wants
 * means. */
double model_contributions(const struct model *model, const double *row, double *contributions);

/* What the half width of an interval that holds a new target with probability `level` depends on:
 * NaN when there is none. Least squares has the exact one (inference.h). Other kinds, and more than
 * FIT_INVERSE_MAX columns, have Student's t, with rows - 1 degrees of freedom, times the
 * cross-validated error, the same everywhere. */
double model_interval_scale(const struct model *model, double level);
double model_interval(const struct model *model, const double *row, double scale);

/* Appends the covariance of the coefficients as one JSON object; there must be an inverse. */
void model_write_covariance(const struct model *model, struct buffer *out);

/* Appends the JSON text that model_parse reads back, to the last bit. */
void model_write(const struct model *model, struct buffer *out);

/* NULL with ERROR_DAMAGED when the text is not what model_write wrote: it carries a checksum. */
struct model *model_parse(const char *text, size_t length, struct error *error);

/* The present time as `created` has it. */
void model_time(char text[static MODEL_TIME_MAX]);

#endif
