/* Choice: which kind of model predicts best, by cross-validation over folds.
 *
 * Each candidate is fitted to the rows of four folds and judged by the fifth, five times over, from
 * the sums alone. Rows count by their weights, when they are learnt from as when they judge. The
 * penalty of a ridge is the one with the least mean squared error. The simplest
 * candidate whose error is within one standard error of the best one's wins (Breiman, Friedman,
 * Olshen & Stone 1984, Classification and Regression Trees, 3.4.3), where the standard error is
 * that of the difference, fold by fold, which outliers in a fold hardly touch. As five folds make a
 * small sample, models that are linear in the features, which people can read, win within two. */
#ifndef TRENDLINE_CHOICE_H
#define TRENDLINE_CHOICE_H

#include "error.h"
#include "folds.h"

/* From the simplest on. */
enum candidate { LEAST_SQUARES, RIDGE, QUADRATIC, CUBIC, FOURIER, CANDIDATES };

struct trial {
    size_t terms;         /* 0: it was not tried, for want of rows or room */
    double penalty;       /* relative to the variance of standardised terms; 0: none */
    double errors[FOLDS]; /* mean squared error on each fold, by weight, of what the others know */
    double error;         /* over all rows */
};

struct choice {
    enum candidate candidate;
    struct trial trials[CANDIDATES];
};

/* The name in model.json: "linear", "ridge", "quadratic", "cubic", "fourier". */
const char *candidate_name(enum candidate candidate);

/* With fewer than CHOICE_ROWS_MIN rows, an empty part, or only one, least squares wins untried.
 * Terms are tried where all rows have theirs. False:
 * ERROR_BUSY without memory. */
enum { CHOICE_ROWS_MIN = 30 };
bool choose(struct choice *choice, const struct folds_set *set, struct error *error);
/* Whether there are rows enough, and in all parts. */
bool choice_is_possible(const struct folds_set *set);

/* Which terms a candidate has: the first `count` of a kind. Not for those of features alone. */
enum terms_kind candidate_terms(enum candidate candidate, const struct term_maps *maps,
                                size_t *count);

/* Back from the name; CANDIDATES: there is none. */
enum candidate candidate_named(const char *name);

#endif
