/* Reach: how far the rows that were learnt reach out, so that a prediction beyond them can be told.
 *
 * Of each number its least and its greatest value; and of the rows that have terms (folds.h) those
 * of the target, and, by the metric of the columns' places, the greatest distance from their
 * centre, which is what leverage measures (Hoaglin & Welsch 1978, "The hat matrix in regression and
 * ANOVA"), in a metric that stays the same while rows come. A row that is forgotten stays in it:
 * where there are such, window.h and recent.h tell what is left. */
#ifndef TRENDLINE_REACH_H
#define TRENDLINE_REACH_H

#include "encoding.h"

#include <stdbool.h>
#include <stddef.h>

struct reach {
    size_t numbers;           /* the features that are numbers, in order */
    bool known;               /* of all rows */
    double *least, *greatest; /* numbers of them, and the target; infinite the other way round
                                 without rows */
    double distance;          /* squared; below 0 without rows that it is known of */
};

/* Of no rows. NULL without memory, for both. */
struct reach *reach_new(size_t numbers);
struct reach *reach_copy(const struct reach *reach);
void reach_free(struct reach *reach); /* NULL is fine */

void reach_clear(struct reach *reach); /* of no rows again */
void reach_add(struct reach *reach, const struct encoding *encoding, const double *row);
void reach_add_terms(struct reach *reach, double target, double distance); /* NaN: nobody knows */
void reach_forget_terms(struct reach *reach);
void reach_merge(struct reach *into, const struct reach *from);

/* Is the row, which lies at that distance (NaN: nobody knows), beyond what is known? */
bool reach_exceeded(const struct reach *reach, const struct encoding *encoding, const double *row,
                    double distance);

#endif
