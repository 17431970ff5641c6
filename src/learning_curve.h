/* Learning curve: how far off predictions are on rows not learnt from, after how many were.
 *
 * One, two, three and four of the five parts of the rows are learnt from, and another judges: from
 * the parts' sums, exactly, and five times over, so that each part judges once at each size. At
 * four parts this is the cross-validated error by which a model is chosen (choice.h). */
#ifndef TRENDLINE_LEARNING_CURVE_H
#define TRENDLINE_LEARNING_CURVE_H

#include "choice.h"
#include "error.h"
#include "folds.h"

#include <stdbool.h>
#include <stddef.h>

enum { CURVE_POINTS = FOLDS - 1 };

/* Mean squared errors over all rows, in the target's units; infinite where there is no fit. */
struct curve_point {
    double rows;   /* learnt from, in the mean */
    double chosen; /* of the candidate */
    double linear; /* of least squares */
    double mean;   /* of always predicting the mean of what was learnt from */
};

struct learning_curve {
    size_t points; /* CURVE_POINTS; 0: there are too few rows (choice_is_possible) */
    struct curve_point at[CURVE_POINTS];
};

/* Of a candidate with the penalty that was chosen for it; with fewer rows it weighs the more, as
 * its sum over the rows stays the same. False: ERROR_BUSY without memory. */
bool learning_curve(struct learning_curve *curve, const struct folds_set *set,
                    enum candidate candidate, double penalty, struct error *error);

#endif
