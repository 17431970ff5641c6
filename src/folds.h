/* Folds: all that is learnt of a set of rows, in parts, so that each part can be predicted by what
 * the others know, without reading a row again. A row's part follows from its values alone.
 *
 * Sums of the features themselves come first (moments.h). The terms of models that are not linear
 * need to know where the columns lie, so that their sums begin when that is known; they are of the
 * rows added since. */
#ifndef TRENDLINE_FOLDS_H
#define TRENDLINE_FOLDS_H

#include "moments.h"
#include "term_sums.h"
#include "terms.h"

enum { FOLDS = 5, TERMS_KINDS = 2 };

/* Beyond so many features neither terms are made nor folds, which would take too long. */
enum { FOLDS_FEATURES_MAX = 256 };

/* What terms are made from, shared by all folds that will be merged; by enum terms_kind. */
struct term_maps {
    struct place target;
    struct terms *kinds[TERMS_KINDS]; /* NULL: too many features */
};

/* False without memory; term_maps_free in any case. `moments`: rows that tell where the columns
 * lie. */
bool term_maps_init(struct term_maps *maps, const struct moments *moments);
void term_maps_free(struct term_maps *maps);

struct folds {
    size_t features, parts; /* parts: FOLDS, or 1 where nothing will be chosen */
    struct moments *moments[FOLDS];
    const struct term_maps *maps; /* not owned; NULL until there are sums of terms */
    struct term_sums *sums[TERMS_KINDS][FOLDS];
    int64_t term_rows;      /* in `sums` */
    double least, greatest; /* of their targets */
};

/* Nothing is summed yet. False without memory; folds_free in any case. */
bool folds_init(struct folds *folds, size_t features, size_t parts);
bool folds_begin_terms(struct folds *folds, const struct term_maps *maps); /* `maps` must stay */
void folds_free(struct folds *folds);

/* As moments_reserve and moments_add, on the row's part. */
enum moments_result folds_reserve(struct folds *folds, const double *row);
void folds_add(struct folds *folds, const double *row);
void folds_add_terms(struct folds *folds, const double *row);

/* into += from: the features' sums, and those of terms. After MOMENTS_NO_MEMORY `into` is no longer
 * of use. */
enum moments_result folds_merge(struct folds *into, const struct folds *from);
void folds_merge_terms(struct folds *into, struct folds *from);

int64_t folds_rows(const struct folds *folds);

/* The sums of all rows, or of all but those of fold `but` (FOLDS: of all); the caller's. NULL
 * without memory. */
struct moments *folds_moments(const struct folds *folds, size_t but);
struct term_sums *folds_sums(const struct folds *folds, enum terms_kind kind, size_t but);

#endif
