/* Turn: some parts of a set of rows are learnt from, and another one judges what came of it. All of
 * it from sums (folds.h), so that any parts can be put together and no row is read again. */
#ifndef TRENDLINE_TURN_H
#define TRENDLINE_TURN_H

#include "error.h"
#include "folds.h"
#include "ridge.h"

#include <stdbool.h>
#include <stddef.h>

struct turn {
    struct gram train, test; /* of the parts that are learnt from, and of the judge's rows */
};

/* `parts` as in folds.h, `judge` one that is not among them; all must have rows. By the features
 * themselves, or the first `count` terms of a kind. Without memory false; turn_free in any case. */
bool turn_of_features(struct turn *turn, const struct folds_set *set, unsigned parts, size_t judge);
bool turn_of_terms(struct turn *turn, const struct folds_set *set, enum terms_kind kind,
                   size_t count, unsigned parts, size_t judge);
void turn_free(struct turn *turn);

/* Mean squared error of least squares in such a turn: infinite when it is beyond the doubles, or a
 * coefficient is. False: ERROR_BUSY without memory. */
bool turn_least_squares(const struct folds_set *set, unsigned parts, size_t judge, double *squared,
                        struct error *error);

#endif
