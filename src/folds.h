/* Folds: all that is learnt of a set of rows, in parts, so that each part can be predicted by what
 * the others know, without reading a row again. A row's part follows from its values alone, so that
 * rows that differ in weight only are in one part.
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

/* ---- what terms are made from, shared by all folds that belong together */

struct term_maps {
    unsigned users;
    size_t features;
    struct place *places;             /* of the features, and behind them of the target */
    struct terms *kinds[TERMS_KINDS]; /* by enum terms_kind; NULL: too many features */
};

/* Where the columns of these rows lie; NULL without memory, or with more than FOLDS_FEATURES_MAX
 * features. */
struct term_maps *term_maps_new(const struct moments *moments);
/* `places`: features + 1 of them, copied. */
struct term_maps *term_maps_of(const struct place *places, size_t features);
/* One more user; each calls term_maps_free. NULL is fine for both. */
struct term_maps *term_maps_share(struct term_maps *maps);
void term_maps_free(struct term_maps *maps);
bool term_maps_equal(const struct term_maps *a, const struct term_maps *b);
struct place term_maps_target(const struct term_maps *maps);

/* ---- the sums */

struct folds {
    size_t features, parts; /* parts: FOLDS, or 1 where nothing will be chosen */
    struct moments *moments[FOLDS];
    struct term_maps *maps; /* NULL until there are sums of terms */
    struct term_sums *sums[TERMS_KINDS][FOLDS];
    int64_t term_rows;      /* in `sums` */
    double least, greatest; /* of their targets */
};

/* How many parts folds of so many features have where a model may be chosen. */
size_t folds_parts(size_t features, bool may_choose);

/* Nothing is summed yet. NULL without memory. */
struct folds *folds_new(size_t features, size_t parts);
/* Sums of terms begin, of no rows; `maps` gets one more user. */
bool folds_begin_terms(struct folds *folds, struct term_maps *maps);
void folds_end_terms(struct folds *folds); /* forgets them */
void folds_free(struct folds *folds);      /* NULL is fine */

/* As moments_reserve, moments_reserve_accepted and moments_add, on the row's part, and the like for
 * terms (term_sums.h). */
enum moments_result folds_reserve(struct folds *folds, const double *row, double weight);
enum moments_result folds_reserve_accepted(struct folds *folds, const double *row, double weight);
void folds_add(struct folds *folds, const double *row, double weight);
void folds_add_terms(struct folds *folds, const double *row, double weight);

/* into += from: the features' sums, and those of terms. After MOMENTS_NO_MEMORY `into` is no longer
 * of use. */
enum moments_result folds_merge(struct folds *into, const struct folds *from);
void folds_merge_terms(struct folds *into, struct folds *from);

int64_t folds_rows(const struct folds *folds);

/* ---- several folds as one, such as those of a train file and of events */

enum { FOLDS_SET_MAX = 2 };

/* All have as many features and parts, and the same maps. */
struct folds_set {
    size_t count;
    struct folds *of[FOLDS_SET_MAX];
};

int64_t folds_set_rows(const struct folds_set *set, size_t part);
/* What the rows of that part weigh together, rounded once; infinite beyond range. */
double folds_set_weight(const struct folds_set *set, size_t part);
/* Whether terms were made of all rows. */
bool folds_set_has_terms(const struct folds_set *set);

/* The sums of all rows, of part `part` alone, or of all but that; the caller's. NULL without
 * memory. */
struct moments *folds_set_moments(const struct folds_set *set);
struct moments *folds_set_part_moments(const struct folds_set *set, size_t part, bool but);
struct term_sums *folds_set_sums(const struct folds_set *set, enum terms_kind kind);
struct term_sums *folds_set_part_sums(const struct folds_set *set, enum terms_kind kind,
                                      size_t part, bool but);

#endif
