/* Folds: all that is learnt of a set of rows, in parts, so that each part can be predicted by what
 * the others know, without reading a row again. A row's part follows from its values alone, so that
 * rows that differ in weight only are in one part.
 *
 * Sums of the columns that the features are encoded as (encoding.h) come first (moments.h). The
 * terms of models that are not linear are of the features that are numbers; they need to know where
 * those lie, so that their sums begin when that is known, and are of the rows added since. What is
 * missing lies at the centre there. */
#ifndef TRENDLINE_FOLDS_H
#define TRENDLINE_FOLDS_H

#include "encoding.h"
#include "error.h"
#include "moments.h"
#include "reach.h"
#include "term_sums.h"
#include "terms.h"

enum { FOLDS = 5, TERMS_KINDS = 2 };

/* Beyond so many features neither terms are made nor folds, which would take too long. */
enum { FOLDS_FEATURES_MAX = 256 };

/* Beyond so many numbers there is no metric, as it would take longer than all else. */
enum { METRIC_MAX = 40 };

/* ---- what terms are made from, shared by all folds that belong together */

struct term_maps {
    unsigned users;
    size_t features;
    struct place *places;             /* of the features, all numbers; behind them of the target */
    struct terms *kinds[TERMS_KINDS]; /* by enum terms_kind; NULL: too many features */
    double *metric; /* of distances; NULL: there is none, with more than METRIC_MAX features */
};

/* `places`: features + 1 of them, copied. NULL without memory, or with more than FOLDS_FEATURES_MAX
 * features. */
struct term_maps *term_maps_of(const struct place *places, size_t features);
/* One more user; each calls term_maps_free. NULL is fine for both. */
struct term_maps *term_maps_share(struct term_maps *maps);
void term_maps_free(struct term_maps *maps);
bool term_maps_equal(const struct term_maps *a, const struct term_maps *b);
/* The inverse of the lower triangle of Cholesky's factor of the columns' covariance, in the places'
 * units: numbers (numbers + 1) / 2 of them by rows, copied; NULL: no metric. False without memory.
 */
bool term_maps_set_metric(struct term_maps *maps, const double *metric);
/* The square of the distance of a row, as term_maps_row has it, from the centre; NaN: no metric. */
double term_maps_distance(const struct term_maps *maps, const double *numbers);
struct place term_maps_target(const struct term_maps *maps);
/* A row's numbers, as the maps' terms have them: in `room`, or the row itself. */
const double *term_maps_row(const struct term_maps *maps, const struct encoding *encoding,
                            const double *row, double room[static FOLDS_FEATURES_MAX]);

/* ---- the sums */

struct folds {
    size_t features, parts;    /* parts: FOLDS, or 1 where nothing will be chosen */
    struct encoding *encoding; /* of the rows so far; owned */
    struct moments *moments[FOLDS];
    struct term_maps *maps; /* NULL until there are sums of terms */
    struct term_sums *sums[TERMS_KINDS][FOLDS];
    int64_t term_rows;       /* in `sums` */
    struct reach *reach;     /* of all rows that were added; owned */
    double forget;           /* what a row leaves of those before it; 0: all */
    double unit;             /* what a row of weight 1 weighs in the sums: 1, or where there is
                                forgetting below FOLDS_UNIT_MOST, so that they are seldom scaled */
    double effective[FOLDS]; /* with it: rows, those before counting less, in that unit */
};

/* How many parts folds of so many features have where a model may be chosen. */
size_t folds_parts(size_t features, bool may_choose);

/* Nothing is summed yet. `kinds` as in encoding_new. NULL without memory. */
struct folds *folds_new(const enum cell_kind *kinds, size_t features, size_t parts);
/* The same with that encoding, which is taken over, also on failure; NULL is one without memory. */
struct folds *folds_of(struct encoding *encoding, size_t parts);
/* Sums of terms begin, of no rows; `maps` gets one more user. */
bool folds_begin_terms(struct folds *folds, struct term_maps *maps);
void folds_end_terms(struct folds *folds); /* forgets them */
void folds_free(struct folds *folds);      /* NULL is fine */

/* Forgetting by and by, for folds that have no rows yet; `factor` is above 0 and below 1. Then
 * folds_forget lets all rows so far weigh that times as much as those to come, nearly exactly: to
 * about 2^-MOMENTS_FADING_BITS, and in the sums of terms to a millionth. Of sets, rows are an
 * effective number: Σ λ^(rows added since), rounded.
 */
enum { FOLDS_UNIT_MOST = 2 };
void folds_begin_forgetting(struct folds *folds, double factor);
void folds_forget(struct folds *folds);

/* Makes room for a row (encoding.h) of that weight (moments.h), so that adding it cannot fail.
 * ERROR_UNUSABLE: it cannot be summed with the others; *feature is the one that the error is about,
 * or SIZE_MAX. */
bool folds_reserve(struct folds *folds, const double *row, double weight, size_t *feature,
                   struct error *error);
/* The same for a row that has been accepted before; false without memory. */
bool folds_reserve_accepted(struct folds *folds, const double *row, double weight);
void folds_add(struct folds *folds, const double *row, double weight);
void folds_add_terms(struct folds *folds, const double *row, double weight);
/* What that tells the reach of the row's distance (term_maps_distance). */
double folds_distance(const struct folds *folds, const double *row);

/* Forgets the levels, and that something was missing, where that is in none of the rows and not in
 * `other` (NULL: nothing is); rows have to be reserved anew. False without memory: nothing has
 * changed. */
bool folds_forget_unused(struct folds *folds, const struct encoding *other);
/* Takes a row that was added away again, as if it had never been, but that its columns stay, and
 * the reach. */
void folds_subtract(struct folds *folds, const double *row, double weight);
void folds_subtract_terms(struct folds *folds, const double *row, double weight);

/* into += from: the columns' sums, and those of terms. False without memory, and then `into` is no
 * longer of use. */
bool folds_merge(struct folds *into, const struct folds *from);
void folds_merge_terms(struct folds *into, struct folds *from);

/* Feature j becomes what feature from[j] was; there must be one part, as a row's follows from the
 * order. False without memory. */
bool folds_reorder(struct folds *folds, const size_t *from);

int64_t folds_rows(const struct folds *folds); /* that were added, forgotten or not */

/* ---- several folds as one, such as those of a train file and of events */

enum { FOLDS_SET_MAX = 2 };

/* All have the same features, as many parts, and the same maps. */
struct folds_set {
    size_t count;
    struct folds *of[FOLDS_SET_MAX];
    const struct encoding *encoding; /* the columns that sums are wanted of; NULL: those of the
                                        first one, which are then those of all */
};

/* The columns of all of them, with a base for each category as in encoding_set_bases. The caller's;
 * NULL without memory. */
struct encoding *folds_set_encoding(const struct folds_set *set, const struct encoding *like);

/* Where their numbers lie: maps for terms. NULL without memory, or with more than
 * FOLDS_FEATURES_MAX features. */
struct term_maps *folds_set_maps(const struct folds_set *set);

/* The caller's; NULL without memory. */
struct reach *folds_set_reach(const struct folds_set *set);

size_t folds_set_columns(const struct folds_set *set);
int64_t folds_set_rows(const struct folds_set *set, size_t part);
/* What the rows of that part weigh together, rounded once; infinite beyond range. */
double folds_set_weight(const struct folds_set *set, size_t part);
/* Whether terms were made of all rows. */
bool folds_set_has_terms(const struct folds_set *set);

/* Parts are told as a set of bits. */
enum { FOLDS_ALL = (1 << FOLDS) - 1 };
static inline unsigned folds_part(size_t part)
{
    return 1u << part;
}

/* The sums of all rows, or of those in some parts; the caller's. NULL without memory. */
struct moments *folds_set_moments(const struct folds_set *set);
struct moments *folds_set_some_moments(const struct folds_set *set, unsigned parts);
struct term_sums *folds_set_sums(const struct folds_set *set, enum terms_kind kind);
struct term_sums *folds_set_some_sums(const struct folds_set *set, enum terms_kind kind,
                                      unsigned parts);

#endif
