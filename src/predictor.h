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
    struct encoding *encoding; /* of rows; each category has its base */
    struct fit *fit;           /* by column, with figures; of terms only the figures hold */
    struct reach *reach;       /* of the rows learnt */
    struct term_maps *maps;    /* one of its users; NULL where nobody knows where columns lie */
    size_t count;              /* of terms; 0: it is linear in the columns */
    enum terms_kind kind;
    double *weights;  /* count: target units by term unit */
    double intercept; /* in target units */
    double penalty;
    double least, greatest; /* what is predicted at least and at most, by terms */
};

/* Of that candidate, with that penalty; there must be rows, and sums of its terms. NULL with
 * `error` set as in fit_new: *column is the one that it speaks of, SIZE_MAX where that is none. The
 * set must have an encoding with bases, or all be plain. */
struct predictor *predictor_new(enum candidate candidate, double penalty,
                                const struct folds_set *set, size_t *column, struct error *error);
/* A row's columns: in `room`, or the row itself. */
const double *predictor_columns(const struct predictor *predictor, const double *row,
                                double room[static ENCODING_ROOM]);
void predictor_free(struct predictor *predictor);

/* The prediction for a row (encoding.h); what it does not know of it is the base level, or the mean
 * of a number that is missing. Infinite when it is beyond the doubles. *clipped: the model
 * itself says something beyond the targets seen, which is brought back to the margin. */
double predictor_predict(const struct predictor *predictor, const double *row, bool *clipped);

/* Does the row lie beyond the rows learnt (reach.h)? Of fewer rows than this everything would. */
enum { PREDICTOR_ROWS_MIN = 30 };
bool predictor_extrapolates(const struct predictor *predictor, const double *row);

#endif
