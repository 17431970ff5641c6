/* Predictor: the model of the chosen kind, fitted to all rows. */
#ifndef TRENDLINE_PREDICTOR_H
#define TRENDLINE_PREDICTOR_H

#include "choice.h"
#include "error.h"
#include "fit.h"
#include "folds.h"

#include <stdbool.h>

/* How far beyond the targets seen a model that is not linear may predict, of their range. */
#define PREDICTOR_MARGIN 0.1

struct predictor {
    enum candidate candidate;
    struct fit *fit;        /* by feature, with figures; of terms only the figures hold */
    struct term_maps *maps; /* one of its users; NULL without terms */
    size_t count;           /* of terms; 0: it is linear in the features */
    enum terms_kind kind;
    double *weights;  /* count: target units by term unit */
    double intercept; /* in target units */
    double penalty;
    double least, greatest; /* what is predicted at least and at most, by terms */
};

/* Of that candidate, with that penalty; there must be rows, and sums of its terms. NULL as in
 * fit_new. */
struct predictor *predictor_new(enum candidate candidate, double penalty,
                                const struct folds_set *set, size_t *column, struct error *error);
void predictor_free(struct predictor *predictor);

/* The prediction for a row of features; infinite when it is beyond the doubles. *clipped: the model
 * itself says something beyond the targets seen, which is brought back to the margin. */
double predictor_predict(const struct predictor *predictor, const double *row, bool *clipped);

#endif
