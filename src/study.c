#include "study.h"

#include "ridge.h"

#include <math.h>
#include <stdlib.h>

static bool study_columns(struct study *study, const struct moments *moments, struct error *error)
{
    size_t features = moments_features(moments), column;
    study->deviations = calloc(features + 1, sizeof *study->deviations);
    if (!study->deviations)
        return error_memory(error);
    for (size_t j = 0; j < features; j++) {
        double mean, variance;
        gram_of_column(moments, j, &mean, &variance);
        study->deviations[j] = sqrt(variance);
    }
    study->linear = fit_new(moments, &column, error);
    return study->linear || error->kind == ERROR_UNUSABLE;
}

bool study_rows(struct study *study, const struct folds_set *set, const struct predictor *model,
                struct error *error)
{
    *study = (struct study){.linear = NULL};
    struct moments *moments = folds_set_moments(set);
    bool ok = moments ? study_columns(study, moments, error) : error_memory(error);
    moments_free(moments);
    return ok && learning_curve(&study->curve, set, model->candidate, model->penalty, error);
}

void study_free(struct study *study)
{
    fit_free(study->linear);
    free(study->deviations);
    *study = (struct study){.linear = NULL};
}
