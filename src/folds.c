#include "folds.h"

#include "ridge.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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

struct term_maps *term_maps_new(const struct moments *moments)
{
    struct gram gram;
    struct place places[FOLDS_FEATURES_MAX + 1];
    size_t features = moments_features(moments);
    if (features > FOLDS_FEATURES_MAX)
        return NULL;
    bool ok = gram_of_moments(&gram, moments);
    for (size_t j = 0; ok && j <= features; j++)
        places[j] = place_of(gram.mean[j], sqrt(gram.covariance[j * (features + 2)]));
    gram_free(&gram);
    return ok ? term_maps_of(places, features) : NULL;
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
    free(maps);
}

bool term_maps_equal(const struct term_maps *a, const struct term_maps *b)
{
    bool equal = a->features == b->features;
    for (size_t j = 0; equal && j <= a->features; j++)
        equal = a->places[j].centre == b->places[j].centre &&
                a->places[j].exponent == b->places[j].exponent;
    return equal;
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

struct folds *folds_new(size_t features, size_t parts)
{
    struct folds *folds = calloc(1, sizeof *folds);
    bool ok = folds != NULL;
    if (ok)
        *folds = (struct folds){
            .features = features, .parts = parts, .least = INFINITY, .greatest = -INFINITY};
    for (size_t k = 0; ok && k < parts; k++)
        ok = (folds->moments[k] = moments_new(features)) != NULL;
    if (ok)
        return folds;
    folds_free(folds);
    return NULL;
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
    folds->least = INFINITY;
    folds->greatest = -INFINITY;
}

void folds_free(struct folds *folds)
{
    if (!folds)
        return;
    for (size_t k = 0; k < FOLDS; k++)
        moments_free(folds->moments[k]);
    folds_end_terms(folds);
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

enum moments_result folds_reserve(struct folds *folds, const double *row, double weight)
{
    return moments_reserve(folds->moments[part_of(folds, row)], row, weight);
}

enum moments_result folds_reserve_accepted(struct folds *folds, const double *row, double weight)
{
    return moments_reserve_accepted(folds->moments[part_of(folds, row)], row, weight);
}

void folds_add(struct folds *folds, const double *row, double weight)
{
    moments_add(folds->moments[part_of(folds, row)], row, weight);
}

void folds_add_terms(struct folds *folds, const double *row, double weight)
{
    const struct term_maps *maps = folds->maps;
    double values[TERMS_MAX], y = row[folds->features];
    size_t k = part_of(folds, row);
    int64_t target = term_sums_target(y, term_maps_target(maps));
    folds->term_rows++;
    folds->least = y < folds->least ? y : folds->least;
    folds->greatest = y > folds->greatest ? y : folds->greatest;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        if (maps->kinds[kind]) {
            terms_values(maps->kinds[kind], row, values);
            term_sums_add(folds->sums[kind][k], values, target, weight);
        }
}

enum moments_result folds_merge(struct folds *into, const struct folds *from)
{
    enum moments_result result = MOMENTS_OK;
    for (size_t k = 0; result == MOMENTS_OK && k < into->parts; k++)
        result = moments_merge(into->moments[k], from->moments[k]);
    return result;
}

void folds_merge_terms(struct folds *into, struct folds *from)
{
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; k < into->parts && into->sums[kind][k]; k++)
            term_sums_merge(into->sums[kind][k], from->sums[kind][k]);
    into->least = fmin(into->least, from->least);
    into->greatest = fmax(into->greatest, from->greatest);
    into->term_rows += from->term_rows;
}

int64_t folds_rows(const struct folds *folds)
{
    int64_t rows = 0;
    for (size_t k = 0; k < folds->parts; k++)
        rows += moments_rows(folds->moments[k]);
    return rows;
}

/* ------------------------------------------------------------------ several as one */

int64_t folds_set_rows(const struct folds_set *set, size_t part)
{
    int64_t rows = 0;
    for (size_t i = 0; i < set->count; i++)
        rows += moments_rows(set->of[i]->moments[part]);
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

/* Is part k to be in a sum of part `part`, or of all but that? */
static bool is_in(size_t k, size_t part, bool but)
{
    return (k == part) != but;
}

struct moments *folds_set_part_moments(const struct folds_set *set, size_t part, bool but)
{
    struct moments *sum = moments_new(set->of[0]->features);
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; sum && k < set->of[i]->parts; k++)
            if (is_in(k, part, but) && moments_merge(sum, set->of[i]->moments[k]) != MOMENTS_OK) {
                moments_free(sum);
                sum = NULL;
            }
    return sum;
}

struct moments *folds_set_moments(const struct folds_set *set)
{
    return folds_set_part_moments(set, FOLDS, true);
}

struct term_sums *folds_set_part_sums(const struct folds_set *set, enum terms_kind kind,
                                      size_t part, bool but)
{
    struct term_sums *sum = term_sums_new(term_sums_count(set->of[0]->sums[kind][0]));
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; sum && k < set->of[i]->parts; k++)
            if (is_in(k, part, but))
                term_sums_merge(sum, set->of[i]->sums[kind][k]);
    return sum;
}

struct term_sums *folds_set_sums(const struct folds_set *set, enum terms_kind kind)
{
    return folds_set_part_sums(set, kind, FOLDS, true);
}
