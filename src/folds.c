#include "folds.h"

#include "ridge.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Of a column's variance: what the metric adds to it. */
#define METRIC_RIDGE 1e-6

/* ------------------------------------------------------------------ maps */

struct term_maps *term_maps_of(const struct place *places, size_t features)
{
    if (features > FOLDS_FEATURES_MAX)
        return NULL;
    struct term_maps *maps = calloc(1, sizeof *maps);
    if (!maps)
        return NULL;
    maps->users = 1;
    maps->features = features;
    maps->places = malloc((features + 1) * sizeof *maps->places);
    bool ok = maps->places != NULL;
    if (ok)
        memcpy(maps->places, places, (features + 1) * sizeof *maps->places);
    for (size_t kind = 0; ok && kind < TERMS_KINDS; kind++) {
        bool no_memory;
        maps->kinds[kind] = terms_new((enum terms_kind)kind, places, features, &no_memory);
        ok = !no_memory;
    }
    if (ok)
        return maps;
    term_maps_free(maps);
    return NULL;
}

struct term_maps *term_maps_share(struct term_maps *maps)
{
    if (maps)
        maps->users++;
    return maps;
}

void term_maps_free(struct term_maps *maps)
{
    if (!maps || --maps->users > 0)
        return;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        terms_free(maps->kinds[kind]);
    free(maps->places);
    free(maps->metric);
    free(maps);
}

bool term_maps_set_metric(struct term_maps *maps, const double *metric)
{
    size_t count = maps->features * (maps->features + 1) / 2;
    free(maps->metric);
    maps->metric = metric ? malloc((count + 1) * sizeof *maps->metric) : NULL;
    if (maps->metric)
        memcpy(maps->metric, metric, count * sizeof *metric);
    return maps->metric || !metric;
}

double term_maps_distance(const struct term_maps *maps, const double *numbers)
{
    double t[METRIC_MAX], sum = 0;
    const double *entry = maps->metric;
    if (!entry)
        return NAN;
    for (size_t i = 0; i < maps->features; i++) {
        double along = 0;
        t[i] = ldexp(numbers[i] - maps->places[i].centre, -maps->places[i].exponent);
        for (size_t j = 0; j <= i; j++)
            along += *entry++ * t[j];
        sum += along * along;
    }
    return sum;
}

bool term_maps_equal(const struct term_maps *a, const struct term_maps *b)
{
    bool equal = a->features == b->features;
    for (size_t j = 0; equal && j <= a->features; j++)
        equal = a->places[j].centre == b->places[j].centre &&
                a->places[j].exponent == b->places[j].exponent;
    return equal;
}

const double *term_maps_row(const struct term_maps *maps, const struct encoding *encoding,
                            const double *row, double room[static FOLDS_FEATURES_MAX])
{
    size_t used = 0;
    if (encoding->is_plain && encoding_is_complete(encoding, row))
        return row;
    for (size_t j = 0; j < encoding->features; j++)
        if (encoding->of[j].kind == CELL_NUMBER) {
            room[used] = isnan(row[j]) ? maps->places[used].centre : row[j];
            used++;
        }
    return room;
}

struct place term_maps_target(const struct term_maps *maps)
{
    return maps->places[maps->features];
}

/* ------------------------------------------------------------------ sums */

size_t folds_parts(size_t features, bool may_choose)
{
    return may_choose && features <= FOLDS_FEATURES_MAX ? FOLDS : 1;
}

struct folds *folds_of(struct encoding *encoding, size_t parts)
{
    struct folds *folds = encoding ? calloc(1, sizeof *folds) : NULL;
    if (!folds) {
        encoding_free(encoding);
        return NULL;
    }
    *folds = (struct folds){
        .features = encoding->features, .parts = parts, .encoding = encoding, .unit = 1};
    bool ok = true;
    for (size_t k = 0; ok && k < parts; k++)
        ok = (folds->moments[k] = moments_new(encoding->columns)) != NULL;
    folds->reach = reach_new(encoding_numbers(encoding));
    if (ok && folds->reach)
        return folds;
    folds_free(folds);
    return NULL;
}

struct folds *folds_new(const enum cell_kind *kinds, size_t features, size_t parts)
{
    return folds_of(encoding_new(kinds, features), parts);
}

bool folds_begin_terms(struct folds *folds, struct term_maps *maps)
{
    bool ok = true;
    folds->maps = term_maps_share(maps);
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; maps->kinds[kind] && k < folds->parts; k++) {
            folds->sums[kind][k] = term_sums_new(terms_count(maps->kinds[kind]));
            ok = folds->sums[kind][k] && ok;
        }
    return ok;
}

void folds_end_terms(struct folds *folds)
{
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; k < FOLDS; k++) {
            term_sums_free(folds->sums[kind][k]);
            folds->sums[kind][k] = NULL;
        }
    term_maps_free(folds->maps);
    folds->maps = NULL;
    folds->term_rows = 0;
    if (folds->reach)
        reach_forget_terms(folds->reach);
}

void folds_free(struct folds *folds)
{
    if (!folds)
        return;
    for (size_t k = 0; k < FOLDS; k++)
        moments_free(folds->moments[k]);
    folds_end_terms(folds);
    encoding_free(folds->encoding);
    reach_free(folds->reach);
    free(folds);
}

/* The part of a row of features and target. */
static size_t part_of(const struct folds *folds, const double *row)
{
    XXH64_hash_t hash = 0;
    if (folds->parts == 1)
        return 0;
    for (size_t i = 0; i <= folds->features; i++) {
        double value = row[i] + 0.0; /* -0 is 0 */
        hash = XXH3_64bits_withSeed(&value, sizeof value, hash);
    }
    return hash % folds->parts;
}

/* The columns become those of `encoding`, which is taken over, also on failure; NULL is one without
 * memory. Column j was map[j]. */
static bool arrange(struct folds *folds, struct encoding *encoding, const size_t *map)
{
    struct moments *arranged[FOLDS] = {0};
    bool ok = encoding != NULL;
    for (size_t k = 0; ok && k < folds->parts; k++)
        ok = (arranged[k] = moments_arrange(folds->moments[k], map, encoding->columns)) != NULL;
    for (size_t k = 0; k < folds->parts; k++) {
        moments_free(ok ? folds->moments[k] : arranged[k]);
        folds->moments[k] = ok ? arranged[k] : folds->moments[k];
    }
    encoding_free(ok ? folds->encoding : encoding);
    folds->encoding = ok ? encoding : folds->encoding;
    return ok;
}

/* The same where the features stay. */
static bool recode(struct folds *folds, struct encoding *encoding)
{
    size_t map[ENCODING_ROOM];
    if (encoding)
        encoding_map(folds->encoding, encoding, map);
    return arrange(folds, encoding, map);
}

static enum encoding_result extend(struct folds *folds, const double *row, bool limited,
                                   size_t *feature)
{
    if (encoding_knows(folds->encoding, row))
        return ENCODING_OK;
    struct encoding *encoding = encoding_copy(folds->encoding);
    enum encoding_result result =
        encoding ? encoding_extend(encoding, row, limited, feature) : ENCODING_NO_MEMORY;
    if (result == ENCODING_OK)
        return recode(folds, encoding) ? ENCODING_OK : ENCODING_NO_MEMORY;
    encoding_free(encoding);
    return result;
}

static const double *columns_of(const struct folds *folds, const double *row,
                                double room[static ENCODING_ROOM])
{
    return encoding_row(folds->encoding, row, NULL, room);
}

/* ------------------------------------------------------------------ forgetting */

void folds_begin_forgetting(struct folds *folds, double factor)
{
    folds->forget = factor;
    for (size_t k = 0; k < folds->parts; k++)
        moments_begin_fading(folds->moments[k]);
}

static void scale(struct folds *folds, double factor)
{
    for (size_t k = 0; k < folds->parts; k++) {
        moments_scale(folds->moments[k], factor);
        folds->effective[k] *= factor;
        for (size_t kind = 0; kind < TERMS_KINDS; kind++)
            if (folds->sums[kind][k])
                term_sums_scale(folds->sums[kind][k], factor, term_sums_rows(folds->sums[kind][k]));
    }
}

/* Instead of letting those before weigh less, those to come weigh more, for a while. */
void folds_forget(struct folds *folds)
{
    folds->unit /= folds->forget;
    if (folds->unit < FOLDS_UNIT_MOST)
        return;
    scale(folds, 1 / folds->unit);
    folds->unit = 1;
}

typedef enum moments_result reserve_step(struct moments *moments, const double *row, double weight);

static enum moments_result reserve_row(struct folds *folds, const double *row, double weight,
                                       reserve_step *reserve)
{
    double room[ENCODING_ROOM];
    return reserve(folds->moments[part_of(folds, row)], columns_of(folds, row, room), weight);
}

/* ------------------------------------------------------------------ rows */

bool folds_reserve(struct folds *folds, const double *row, double weight, size_t *feature,
                   struct error *error)
{
    enum encoding_result extended = extend(folds, row, true, feature);
    if (extended == ENCODING_LEVELS)
        return error_set(error, ERROR_UNUSABLE,
                         "has more than %d different values: is it a number, or an id?",
                         ENCODING_LEVELS_MAX);
    if (extended == ENCODING_COLUMNS)
        return error_set(error, ERROR_UNUSABLE,
                         "has a new value: all features together have too many, at most %d",
                         ENCODING_COLUMNS_MAX);
    *feature = SIZE_MAX;
    if (extended == ENCODING_NO_MEMORY)
        return error_memory(error);
    switch (reserve_row(folds, row, weight, moments_reserve)) {
    case MOMENTS_OK:
        return true;
    case MOMENTS_NO_MEMORY:
        return error_memory(error);
    case MOMENTS_TOO_WIDE:
        break;
    }
    return error_set(error, ERROR_UNUSABLE,
                     "the values span too wide a range to be summed exactly over so many features");
}

bool folds_reserve_accepted(struct folds *folds, const double *row, double weight)
{
    size_t feature;
    return extend(folds, row, false, &feature) == ENCODING_OK &&
           reserve_row(folds, row, weight, moments_reserve_accepted) == MOMENTS_OK;
}

/* Only the column of a level, or of what is missing, can be unused. */
static bool is_unused(const struct folds *folds, size_t j, const struct encoding *other)
{
    for (size_t k = 0; k < folds->parts; k++)
        if (moments_has_positive(folds->moments[k], j))
            return false;
    struct encoding_column column = encoding_column(folds->encoding, j);
    return (column.is_missing || column.level > 0) &&
           !(other && encoding_has_column(other, column));
}

bool folds_forget_unused(struct folds *folds, const struct encoding *other)
{
    bool unused[ENCODING_ROOM], any = false;
    for (size_t j = 0; j < folds->encoding->columns; j++)
        any |= unused[j] = is_unused(folds, j, other);
    return !any || recode(folds, encoding_without(folds->encoding, unused));
}

void folds_add(struct folds *folds, const double *row, double weight)
{
    double room[ENCODING_ROOM];
    reach_add(folds->reach, folds->encoding, row);
    size_t k = part_of(folds, row);
    const double *columns = columns_of(folds, row, room);
    if (folds->forget > 0)
        moments_add_times(folds->moments[k], columns, weight, folds->unit);
    else
        moments_add(folds->moments[k], columns, weight);
    folds->effective[k] += folds->unit;
}

/* Adds the row's terms, or takes them away, which is not done where there is forgetting. */
static void step_terms(struct folds *folds, const double *row, double weight, bool adds)
{
    const struct term_maps *maps = folds->maps;
    double values[TERMS_MAX], room[FOLDS_FEATURES_MAX];
    const double *numbers = term_maps_row(maps, folds->encoding, row, room);
    size_t k = part_of(folds, row);
    int64_t target = term_sums_target(row[folds->features], term_maps_target(maps));
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        if (maps->kinds[kind]) {
            terms_values(maps->kinds[kind], numbers, values);
            if (adds)
                term_sums_add(folds->sums[kind][k], values, target, weight, folds->unit);
            else
                term_sums_remove(folds->sums[kind][k], values, target, weight);
        }
}

void folds_add_terms(struct folds *folds, const double *row, double weight)
{
    step_terms(folds, row, weight, true);
    folds->term_rows++;
    reach_add_terms(folds->reach, row[folds->features], folds_distance(folds, row));
}

double folds_distance(const struct folds *folds, const double *row)
{
    double room[FOLDS_FEATURES_MAX];
    if (!folds->maps || !folds->maps->metric)
        return NAN;
    return term_maps_distance(folds->maps, term_maps_row(folds->maps, folds->encoding, row, room));
}

void folds_subtract(struct folds *folds, const double *row, double weight)
{
    double room[ENCODING_ROOM];
    moments_subtract(folds->moments[part_of(folds, row)], columns_of(folds, row, room), weight);
}

void folds_subtract_terms(struct folds *folds, const double *row, double weight)
{
    step_terms(folds, row, weight, false);
    folds->term_rows--;
}

/* A copy of part k with those columns. */
static struct moments *part_as(const struct folds *folds, size_t k, const struct encoding *encoding)
{
    size_t map[ENCODING_ROOM];
    encoding_map(folds->encoding, encoding, map);
    return moments_arrange(folds->moments[k], map, encoding->columns);
}

/* sum += part k, with the columns of `encoding`. */
static bool add_part(struct moments *sum, const struct folds *folds, size_t k,
                     const struct encoding *encoding)
{
    if (encoding_equal(folds->encoding, encoding))
        return moments_merge(sum, folds->moments[k]) == MOMENTS_OK;
    struct moments *part = part_as(folds, k, encoding);
    bool ok = part && moments_merge(sum, part) == MOMENTS_OK;
    moments_free(part);
    return ok;
}

bool folds_merge(struct folds *into, const struct folds *from)
{
    bool ok = encoding_equal(into->encoding, from->encoding) ||
              recode(into, encoding_union(into->encoding, from->encoding));
    for (size_t k = 0; ok && k < into->parts; k++)
        ok = add_part(into->moments[k], from, k, into->encoding);
    reach_merge(into->reach, from->reach);
    return ok;
}

void folds_merge_terms(struct folds *into, struct folds *from)
{
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; k < into->parts && into->sums[kind][k]; k++)
            term_sums_merge(into->sums[kind][k], from->sums[kind][k]);
    into->term_rows += from->term_rows;
    reach_merge(into->reach, from->reach);
}

int64_t folds_rows(const struct folds *folds)
{
    int64_t rows = 0;
    for (size_t k = 0; k < folds->parts; k++)
        rows += moments_rows(folds->moments[k]);
    return rows;
}

/* Which of the numbers feature j is. */
static size_t number_at(const struct encoding *encoding, size_t j)
{
    size_t i = 0;
    while (j-- > 0)
        i += encoding->of[j].kind == CELL_NUMBER;
    return i;
}

static bool reorder_reach(struct folds *folds, const size_t *from)
{
    struct reach *reach = reach_copy(folds->reach);
    if (!reach)
        return false;
    for (size_t j = 0, i = 0; j < folds->features; j++) {
        if (folds->encoding->of[from[j]].kind != CELL_NUMBER)
            continue;
        size_t old = number_at(folds->encoding, from[j]);
        reach->least[i] = folds->reach->least[old];
        reach->greatest[i] = folds->reach->greatest[old];
        i++;
    }
    reach_free(folds->reach); /* the target is where it was */
    folds->reach = reach;
    return true;
}

bool folds_reorder(struct folds *folds, const size_t *from)
{
    size_t map[ENCODING_ROOM];
    return reorder_reach(folds, from) &&
           arrange(folds, encoding_reorder(folds->encoding, from, map), map);
}

/* ------------------------------------------------------------------ several as one */

/* Of some parts; effectively, where there is forgetting. */
static int64_t some_rows(const struct folds *folds, unsigned parts)
{
    int64_t rows = 0;
    double effective = 0;
    for (size_t k = 0; k < folds->parts; k++)
        if (parts & folds_part(k)) {
            rows += moments_rows(folds->moments[k]);
            effective += folds->effective[k];
        }
    return folds->forget > 0 ? llround(effective / folds->unit) : rows;
}

int64_t folds_set_rows(const struct folds_set *set, size_t part)
{
    int64_t rows = 0;
    for (size_t i = 0; i < set->count; i++)
        rows += some_rows(set->of[i], folds_part(part));
    return rows;
}

enum { WEIGHT_PRECISION = 2200 }; /* bits: as many as sums of doubles span */

double folds_set_weight(const struct folds_set *set, size_t part)
{
    mpz_t digits;
    mpfr_t sum, weight;
    mpz_init(digits);
    mpfr_inits2(WEIGHT_PRECISION, sum, weight, NULL);
    mpfr_set_zero(sum, 1);
    for (size_t i = 0; i < set->count; i++) {
        long exponent = moments_sum(set->of[i]->moments[part], 0, 0, digits);
        mpfr_set_z_2exp(weight, digits, exponent, MPFR_RNDN);
        mpfr_div_d(weight, weight, set->of[i]->unit, MPFR_RNDN);
        mpfr_add(sum, sum, weight, MPFR_RNDN);
    }
    double rounded = mpfr_get_d(sum, MPFR_RNDN);
    mpfr_clears(sum, weight, NULL);
    mpz_clear(digits);
    return rounded;
}

bool folds_set_has_terms(const struct folds_set *set)
{
    bool all = set->count > 0;
    for (size_t i = 0; i < set->count; i++)
        all = all && set->of[i]->maps && term_maps_equal(set->of[i]->maps, set->of[0]->maps) &&
              set->of[i]->term_rows == folds_rows(set->of[i]);
    return all;
}

struct encoding *folds_set_encoding(const struct folds_set *set, const struct encoding *like)
{
    struct encoding *all = encoding_copy(set->of[0]->encoding);
    for (size_t i = 1; all && i < set->count; i++) {
        struct encoding *more = encoding_union(all, set->of[i]->encoding);
        encoding_free(all);
        all = more;
    }
    if (all)
        encoding_set_bases(all, like);
    return all;
}

static const struct encoding *encoding_of(const struct folds_set *set)
{
    return set->encoding ? set->encoding : set->of[0]->encoding;
}

size_t folds_set_columns(const struct folds_set *set)
{
    return encoding_of(set)->columns;
}

/* sum += those parts. */
static bool add_parts(struct moments *sum, const struct folds *folds, unsigned parts,
                      const struct encoding *encoding)
{
    bool ok = true;
    for (size_t k = 0; ok && k < folds->parts; k++)
        ok = !(parts & folds_part(k)) || add_part(sum, folds, k, encoding);
    return ok;
}

/* The same where there is forgetting: a row of weight 1 that comes now weighs that. */
static bool add_remembered(struct moments *sum, const struct folds *folds, unsigned parts,
                           const struct encoding *encoding)
{
    struct moments *own = moments_new(encoding->columns);
    bool ok = own && add_parts(own, folds, parts, encoding);
    if (ok) {
        moments_scale(own, 1 / folds->unit);
        moments_set_rows(own, some_rows(folds, parts));
        ok = moments_merge(sum, own) == MOMENTS_OK;
    }
    moments_free(own);
    return ok;
}

struct moments *folds_set_some_moments(const struct folds_set *set, unsigned parts)
{
    const struct encoding *encoding = encoding_of(set);
    struct moments *sum = moments_new(encoding->columns);
    bool ok = sum != NULL;
    for (size_t i = 0; ok && i < set->count; i++)
        ok =
            (set->of[i]->forget > 0 ? add_remembered : add_parts)(sum, set->of[i], parts, encoding);
    if (ok)
        return sum;
    moments_free(sum);
    return NULL;
}

struct moments *folds_set_moments(const struct folds_set *set)
{
    return folds_set_some_moments(set, FOLDS_ALL);
}

static bool add_sums(struct term_sums *sum, const struct folds *folds, enum terms_kind kind,
                     unsigned parts)
{
    for (size_t k = 0; k < folds->parts; k++)
        if (parts & folds_part(k))
            term_sums_merge(sum, folds->sums[kind][k]);
    return true;
}

static bool add_remembered_sums(struct term_sums *sum, const struct folds *folds,
                                enum terms_kind kind, unsigned parts)
{
    struct term_sums *own = term_sums_new(term_sums_count(sum));
    bool ok = own && add_sums(own, folds, kind, parts);
    if (ok) {
        term_sums_scale(own, 1 / folds->unit, some_rows(folds, parts));
        term_sums_merge(sum, own);
    }
    term_sums_free(own);
    return ok;
}

struct term_sums *folds_set_some_sums(const struct folds_set *set, enum terms_kind kind,
                                      unsigned parts)
{
    struct term_sums *sum = term_sums_new(term_sums_count(set->of[0]->sums[kind][0]));
    for (size_t i = 0; sum && i < set->count; i++)
        if (!(set->of[i]->forget > 0 ? add_remembered_sums : add_sums)(sum, set->of[i], kind,
                                                                       parts)) {
            term_sums_free(sum);
            sum = NULL;
        }
    return sum;
}

struct term_sums *folds_set_sums(const struct folds_set *set, enum terms_kind kind)
{
    return folds_set_some_sums(set, kind, FOLDS_ALL);
}

/* The column of number i's values. */
static size_t column_of_number(const struct encoding *encoding, size_t i)
{
    size_t feature = encoding_number(encoding, i), j = 0;
    while (encoding_column(encoding, j).feature != feature)
        j++;
    return j;
}

struct reach *folds_set_reach(const struct folds_set *set)
{
    struct reach *reach = reach_copy(set->of[0]->reach);
    for (size_t i = 1; reach && i < set->count; i++)
        reach_merge(reach, set->of[i]->reach);
    return reach;
}

/* Covariance of numbers i ≤ j in their places' units; a little more on the diagonal, so that
 * columns that depend on each other have a metric too. */
static double scaled_covariance(const struct gram *gram, const size_t *columns,
                                const struct place *places, size_t i, size_t j)
{
    size_t a = columns[i], b = columns[j];
    double covariance = gram->covariance[a * (gram->count + 1) + b];
    int unit = gram->exponent[a] - places[i].exponent + gram->exponent[b] - places[j].exponent;
    double scaled = ldexp(covariance, unit);
    return i == j ? scaled * (1 + METRIC_RIDGE) + METRIC_RIDGE : scaled;
}

/* L of L Lᵀ = A, by rows, in place of A's lower triangle; then its inverse. Cholesky; Golub & Van
 * Loan, Matrix Computations, 4th ed., 4.2. */
static void factor(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double *row = a + i * (i + 1) / 2, *other = a + j * (j + 1) / 2, sum = row[j];
            for (size_t k = 0; k < j; k++)
                sum -= row[k] * other[k];
            row[j] = i == j ? sqrt(fmax(sum, METRIC_RIDGE)) : sum / other[j];
        }
}

static void invert(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * (i + 1) / 2, diagonal = row[i];
        for (size_t j = 0; j < i; j++) {
            double sum = 0;
            for (size_t k = j; k < i; k++)
                sum += row[k] * a[k * (k + 1) / 2 + j];
            row[j] = -sum / diagonal;
        }
        row[i] = 1 / diagonal;
    }
}

static bool set_metric(struct term_maps *maps, const struct gram *gram, const size_t *columns)
{
    double metric[METRIC_MAX * (METRIC_MAX + 1) / 2], *entry = metric;
    size_t n = maps->features;
    if (n > METRIC_MAX)
        return true;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            *entry++ = scaled_covariance(gram, columns, maps->places, j, i);
    factor(metric, n);
    invert(metric, n);
    for (size_t i = 0; i < n * (n + 1) / 2; i++)
        if (!isfinite(metric[i]))
            return true;
    return term_maps_set_metric(maps, metric);
}

struct term_maps *folds_set_maps(const struct folds_set *set)
{
    struct gram gram = {0};
    struct place places[FOLDS_FEATURES_MAX + 1];
    size_t columns[FOLDS_FEATURES_MAX + 1];
    struct encoding *encoding = folds_set_encoding(set, NULL);
    size_t numbers = encoding ? encoding_numbers(encoding) : 0;
    struct folds_set all = *set;
    all.encoding = encoding;
    struct moments *moments = encoding ? folds_set_moments(&all) : NULL;
    bool ok = moments && numbers <= FOLDS_FEATURES_MAX && gram_of_moments(&gram, moments);
    for (size_t i = 0; ok && i <= numbers; i++) {
        columns[i] = i < numbers ? column_of_number(encoding, i) : gram.count;
        size_t j = columns[i];
        double deviation = sqrt(gram.covariance[j * (gram.count + 2)]);
        places[i] = place_of(gram.mean[j], ldexp(deviation, gram.exponent[j]));
    }
    struct term_maps *maps = ok ? term_maps_of(places, numbers) : NULL;
    if (maps && !set_metric(maps, &gram, columns)) {
        term_maps_free(maps);
        maps = NULL;
    }
    gram_free(&gram);
    moments_free(moments);
    encoding_free(encoding);
    return maps;
}
