#include "predictor.h"

#include "ridge.h"

#include <math.h>
#include <stdlib.h>

/* The figures that it shares with least squares; the others hold for that alone. */
static void set_figures(struct fit *fit, double mse, double variance)
{
    double share = mse / variance;
    fit->mse = mse;
    fit->r2 = variance > 0 ? 1 - share : NAN;
    fit->rank = fit->features + 1;
    fit->variance = variance;
    fit->condition = NAN;
    free(fit->inverse);
    fit->inverse = NULL;
}

/* Ridge on the features themselves: coefficients like those of least squares. */
static bool fit_ridge(struct predictor *predictor, const struct moments *moments, double penalty,
                      struct error *error)
{
    struct gram gram;
    struct ridge ridge = {0};
    size_t features = moments_features(moments);
    predictor->fit = fit_alloc(features, error);
    bool ok = gram_of_moments(&gram, moments) && ridge_init(&ridge, features);
    if (predictor->fit && ok && ridge_fit(&ridge, &gram, penalty)) {
        struct fit *fit = predictor->fit;
        fit->rows = gram.rows;
        fit->weight = gram.weight;
        fit->coefficients[0].hi = ridge.intercept;
        for (size_t j = 0; j < features; j++)
            fit->coefficients[j + 1].hi = ridge.weights[j];
        for (size_t j = 0; j <= features; j++)
            fit->means[j] = gram.mean[j];
        set_figures(fit, ridge_error(&ridge, &gram),
                    gram.covariance[(features + 1) * (features + 1) - 1]);
    } else if (ok) {
        ok = false;
        if (predictor->fit)
            error_set(error, ERROR_UNUSABLE, "the penalty does not determine the ridge");
    } else {
        error_memory(error);
    }
    gram_free(&gram);
    ridge_free(&ridge);
    return ok;
}

static bool take_weights(struct predictor *predictor, const struct ridge *ridge)
{
    predictor->weights = malloc(ridge->count * sizeof *predictor->weights);
    if (!predictor->weights)
        return false;
    for (size_t i = 0; i < ridge->count; i++)
        predictor->weights[i] = ridge->weights[i];
    predictor->intercept = ridge->intercept;
    return true;
}

/* A tenth of their range beyond the targets seen. */
static void set_range(struct predictor *predictor, const struct folds_set *set)
{
    double least = INFINITY, greatest = -INFINITY;
    for (size_t i = 0; i < set->count; i++) {
        least = fmin(least, set->of[i]->least);
        greatest = fmax(greatest, set->of[i]->greatest);
    }
    predictor->least = least - PREDICTOR_MARGIN * (greatest - least);
    predictor->greatest = greatest + PREDICTOR_MARGIN * (greatest - least);
}

static bool fit_terms(struct predictor *predictor, const struct folds_set *set, double penalty,
                      struct error *error)
{
    struct term_maps *maps = set->of[0]->maps;
    if (!folds_set_has_terms(set))
        return error_set(error, ERROR_UNUSABLE, "not all rows have terms: POST /build anew");
    struct gram gram = {0};
    struct ridge ridge = {0};
    predictor->kind = candidate_terms(predictor->candidate, maps, &predictor->count);
    predictor->fit = fit_alloc(folds_set_columns(set), error);
    if (!predictor->fit)
        return false;
    struct term_sums *sums = folds_set_sums(set, predictor->kind);
    bool ok = sums && gram_of_terms(&gram, sums, predictor->count) &&
              ridge_init(&ridge, predictor->count) && ridge_fit(&ridge, &gram, penalty) &&
              take_weights(predictor, &ridge);
    if (ok) {
        size_t last = (gram.count + 1) * (gram.count + 1) - 1;
        struct place target = term_maps_target(maps);
        int unit = target.exponent - TARGET_BITS;
        predictor->fit->rows = gram.rows;
        predictor->fit->weight = gram.weight;
        predictor->fit->means[predictor->fit->features] =
            target.centre + ldexp(gram.mean[gram.count], unit);
        set_figures(predictor->fit, ldexp(ridge_error(&ridge, &gram), 2 * unit),
                    ldexp(gram.covariance[last], 2 * unit));
        set_range(predictor, set);
    }
    term_sums_free(sums);
    gram_free(&gram);
    ridge_free(&ridge);
    return ok || error_memory(error);
}

static bool fit_kind(struct predictor *predictor, const struct folds_set *set, size_t *column,
                     struct error *error)
{
    if (predictor->candidate > RIDGE)
        return fit_terms(predictor, set, predictor->penalty, error);
    struct moments *moments = folds_set_moments(set);
    bool ok = moments || error_memory(error);
    if (ok && predictor->candidate == RIDGE)
        ok = fit_ridge(predictor, moments, predictor->penalty, error);
    else if (ok)
        ok = (predictor->fit = fit_new(moments, column, error)) != NULL;
    moments_free(moments);
    return ok;
}

struct predictor *predictor_new(enum candidate candidate, double penalty,
                                const struct folds_set *set, size_t *column, struct error *error)
{
    struct predictor *predictor = calloc(1, sizeof *predictor);
    if (!predictor) {
        error_memory(error);
        return NULL;
    }
    predictor->candidate = candidate;
    predictor->penalty = penalty;
    predictor->encoding = encoding_copy(set->encoding ? set->encoding : set->of[0]->encoding);
    predictor->reach = folds_set_reach(set);
    predictor->maps = term_maps_share(set->of[0]->maps);
    if (!predictor->encoding || !predictor->reach)
        error_memory(error);
    else if (fit_kind(predictor, set, column, error))
        return predictor;
    predictor_free(predictor);
    return NULL;
}

void predictor_free(struct predictor *predictor)
{
    if (!predictor)
        return;
    encoding_free(predictor->encoding);
    reach_free(predictor->reach);
    fit_free(predictor->fit);
    term_maps_free(predictor->maps);
    free(predictor->weights);
    free(predictor);
}

static double predict_by_terms(const struct predictor *predictor, const double *row)
{
    double values[TERMS_MAX], room[FOLDS_FEATURES_MAX], sum = predictor->intercept;
    const struct term_maps *maps = predictor->maps;
    const double *numbers = term_maps_row(maps, predictor->encoding, row, room);
    terms_values(maps->kinds[predictor->kind], numbers, values);
    for (size_t i = 0; i < predictor->count; i++)
        sum += predictor->weights[i] * values[i];
    struct place target = term_maps_target(maps);
    return target.centre + ldexp(sum, target.exponent - TARGET_BITS);
}

const double *predictor_columns(const struct predictor *predictor, const double *row,
                                double room[static ENCODING_ROOM])
{
    return encoding_row(predictor->encoding, row, predictor->fit->means, room);
}

double predictor_predict(const struct predictor *predictor, const double *row, bool *clipped)
{
    double room[ENCODING_ROOM];
    *clipped = false;
    if (predictor->count == 0)
        return fit_predict(predictor->fit->coefficients, predictor_columns(predictor, row, room),
                           predictor->fit->features);
    double prediction = predict_by_terms(predictor, row);
    double within = fmin(fmax(prediction, predictor->least), predictor->greatest);
    *clipped = within != prediction;
    return within;
}

bool predictor_extrapolates(const struct predictor *predictor, const double *row)
{
    double room[FOLDS_FEATURES_MAX], distance = NAN;
    const struct term_maps *maps = predictor->maps;
    if (maps)
        distance = term_maps_distance(maps, term_maps_row(maps, predictor->encoding, row, room));
    return predictor->fit->rows >= PREDICTOR_ROWS_MIN &&
           reach_exceeded(predictor->reach, predictor->encoding, row, distance);
}
