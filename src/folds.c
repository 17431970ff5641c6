#include "folds.h"

#include "ridge.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

bool term_maps_init(struct term_maps *maps, const struct moments *moments)
{
    struct gram gram;
    struct place places[TERMS_MAX];
    size_t features = moments_features(moments), stride = features + 2;
    *maps = (struct term_maps){.target = {0}};
    if (features > FOLDS_FEATURES_MAX)
        return true;
    bool ok = gram_of_moments(&gram, moments);
    for (size_t j = 0; ok && j < features; j++)
        places[j] = place_of(gram.mean[j], sqrt(gram.covariance[j * stride]));
    if (ok)
        maps->target = place_of(gram.mean[features], sqrt(gram.covariance[features * stride]));
    gram_free(&gram);
    for (size_t kind = 0; ok && kind < TERMS_KINDS; kind++) {
        bool no_memory;
        maps->kinds[kind] = terms_new((enum terms_kind)kind, places, features, &no_memory);
        ok = !no_memory;
    }
    return ok;
}

void term_maps_free(struct term_maps *maps)
{
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        terms_free(maps->kinds[kind]);
    *maps = (struct term_maps){.target = {0}};
}

bool folds_init(struct folds *folds, size_t features, size_t parts)
{
    bool ok = true;
    *folds = (struct folds){
        .features = features, .parts = parts, .least = INFINITY, .greatest = -INFINITY};
    for (size_t k = 0; k < parts; k++)
        ok = (folds->moments[k] = moments_new(features)) && ok;
    return ok;
}

bool folds_begin_terms(struct folds *folds, const struct term_maps *maps)
{
    bool ok = true;
    folds->maps = maps;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; maps->kinds[kind] && k < folds->parts; k++) {
            folds->sums[kind][k] = term_sums_new(terms_count(maps->kinds[kind]));
            ok = folds->sums[kind][k] && ok;
        }
    return ok;
}

void folds_free(struct folds *folds)
{
    for (size_t k = 0; k < FOLDS; k++) {
        moments_free(folds->moments[k]);
        for (size_t kind = 0; kind < TERMS_KINDS; kind++)
            term_sums_free(folds->sums[kind][k]);
    }
    *folds = (struct folds){0};
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

enum moments_result folds_reserve(struct folds *folds, const double *row)
{
    return moments_reserve(folds->moments[part_of(folds, row)], row);
}

void folds_add(struct folds *folds, const double *row)
{
    moments_add(folds->moments[part_of(folds, row)], row);
}

void folds_add_terms(struct folds *folds, const double *row)
{
    const struct term_maps *maps = folds->maps;
    double values[TERMS_MAX], y = row[folds->features];
    size_t k = part_of(folds, row);
    int64_t target = term_sums_target(y, maps->target);
    folds->term_rows++;
    folds->least = y < folds->least ? y : folds->least;
    folds->greatest = y > folds->greatest ? y : folds->greatest;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        if (maps->kinds[kind]) {
            terms_values(maps->kinds[kind], row, values);
            term_sums_add(folds->sums[kind][k], values, target);
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

struct moments *folds_moments(const struct folds *folds, size_t but)
{
    struct moments *all = moments_new(folds->features);
    for (size_t k = 0; all && k < folds->parts; k++)
        if (k != but && moments_merge(all, folds->moments[k]) != MOMENTS_OK) {
            moments_free(all);
            all = NULL;
        }
    return all;
}

struct term_sums *folds_sums(const struct folds *folds, enum terms_kind kind, size_t but)
{
    struct term_sums *all = term_sums_new(term_sums_count(folds->sums[kind][0]));
    for (size_t k = 0; all && k < folds->parts; k++)
        if (k != but)
            term_sums_merge(all, folds->sums[kind][k]);
    return all;
}
