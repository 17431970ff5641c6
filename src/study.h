/* Study: what a report tells of the rows beyond the model itself, while their sums are there. */
#ifndef TRENDLINE_STUDY_H
#define TRENDLINE_STUDY_H

#include "error.h"
#include "fit.h"
#include "folds.h"
#include "learning_curve.h"
#include "predictor.h"

#include <stdbool.h>

struct study {
    struct fit *linear; /* least squares of all rows; NULL: a coefficient is beyond the doubles */
    double *deviations; /* standard deviations of the features */
    struct learning_curve curve; /* of the model's kind */
};

/* False: ERROR_BUSY without memory. study_free in any case. */
bool study_rows(struct study *study, const struct folds_set *set, const struct predictor *model,
                struct error *error);
void study_free(struct study *study);

#endif
