#include "predictor.h"

#include "ridge.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* The figures that it shares with least squares; the others hold for that alone. False without
 * memory. */
static bool set_figures(struct fit *fit, const struct ridge *ridge, double mse, double variance)
{
    double share = mse / variance;
    fit->mse = mse;
    fit->r2 = variance > 0 ? 1 - share : NAN;
    fit->rank = ridge_columns(ridge);
    fit->parameters = ridge_parameters(ridge);
    fit->variance = variance;
    fit->condition = NAN;
    free(fit->inverse);
    fit->inverse = NULL;
    return !isnan(fit->parameters);
}

static bool solve(struct ridge *ridge, const struct gram *gram, double penalty, struct error *error)
{
    return ridge_fit(ridge, gram, penalty) ||
           error_set(error, ERROR_UNUSABLE,
                     "a coefficient of the penalised fit is beyond the range of double precision");
}

static bool take_ridge(struct fit *fit, const struct ridge *ridge, const struct gram *gram)
{
    fit->rows = gram->rows;
    fit->weight = gram->weight;
    fit->coefficients[0].hi = ridge->intercept;
    for (size_t j = 0; j < fit->features; j++)
        fit->coefficients[j + 1].hi = ridge->weights[j];
    for (size_t j = 0; j <= fit->features; j++)
        fit->means[j] = gram->mean[j];
    return set_figures(fit, ridge, ridge_error(ridge, gram), gram_variance(gram, fit->features));
}

/* Ridge on the features themselves: coefficients like those of least squares. */
static bool fit_ridge(struct predictor *predictor, const struct moments *moments, double penalty,
                      struct error *error)
{
    struct gram gram;
    struct ridge ridge = {0};
    bool ok = gram_of_moments(&gram, moments) && ridge_init(&ridge, gram.count);
    ok = (ok || error_memory(error)) && solve(&ridge, &gram, penalty, error) &&
         (take_ridge(predictor->fit, &ridge, &gram) || error_memory(error));
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

/* A tenth of their range beyond the targets seen, as far as there are doubles. */
static void set_range(struct predictor *predictor)
{
    const struct reach *reach = predictor->reach;
    double least = reach->least[reach->numbers], greatest = reach->greatest[reach->numbers];
    double margin = PREDICTOR_MARGIN * greatest - PREDICTOR_MARGIN * least;
    predictor->least = fmax(least - margin, -DBL_MAX);
    predictor->greatest = fmin(greatest + margin, DBL_MAX);
}

/* Of the columns and the target: the same for every kind of model. */
static bool set_means(struct fit *fit, const struct folds_set *set, struct error *error)
{
    double variance;
    struct moments *moments = folds_set_moments(set);
    for (size_t j = 0; moments && j <= fit->features; j++)
        gram_of_column(moments, j, &fit->means[j], &variance);
    moments_free(moments);
    return moments || error_memory(error);
}

/* In the target's units what was fitted in those of its place. */
static bool take_terms(struct predictor *predictor, const struct ridge *ridge,
                       const struct gram *gram)
{
    int unit = term_maps_target(predictor->maps).exponent - TARGET_BITS;
    predictor->fit->rows = gram->rows;
    predictor->fit->weight = gram->weight;
    return take_weights(predictor, ridge) &&
           set_figures(predictor->fit, ridge, ldexp(ridge_error(ridge, gram), 2 * unit),
                       ldexp(gram_variance(gram, gram->count), 2 * unit));
}

static bool solve_terms(struct predictor *predictor, struct term_sums *sums, struct error *error)
{
    struct gram gram = {0};
    struct ridge ridge = {0};
    bool ok = sums && gram_of_terms(&gram, sums, predictor->count) &&
              ridge_init(&ridge, predictor->count);
    ok = (ok || error_memory(error)) && solve(&ridge, &gram, predictor->penalty, error) &&
         (take_terms(predictor, &ridge, &gram) || error_memory(error));
    gram_free(&gram);
    ridge_free(&ridge);
    return ok;
}

static bool fit_terms(struct predictor *predictor, const struct folds_set *set, struct error *error)
{
    if (!folds_set_has_terms(set))
        return error_set(error, ERROR_UNUSABLE, "not all rows have terms: POST /build anew");
    predictor->kind = candidate_terms(predictor->candidate, predictor->maps, &predictor->count);
    struct term_sums *sums = folds_set_sums(set, predictor->kind);
    bool ok = solve_terms(predictor, sums, error) && set_means(predictor->fit, set, error);
    set_range(predictor);
    term_sums_free(sums);
    return ok;
}

static bool fit_columns(struct predictor *predictor, const struct folds_set *set, size_t *column,
                        struct error *error)
{
    struct moments *moments = folds_set_moments(set);
    bool ok = moments || error_memory(error);
    if (ok && predictor->candidate == RIDGE)
        ok = (predictor->fit = fit_alloc(moments_features(moments), error)) &&
             fit_ridge(predictor, moments, predictor->penalty, error);
    else if (ok)
        ok = (predictor->fit = fit_new(moments, column, error)) != NULL;
    moments_free(moments);
    return ok;
}

static bool fit_kind(struct predictor *predictor, const struct folds_set *set, size_t *column,
                     struct error *error)
{
    *column = SIZE_MAX;
    if (predictor->candidate <= RIDGE)
        return fit_columns(predictor, set, column, error);
    predictor->fit = fit_alloc(folds_set_columns(set), error);
    return predictor->fit && fit_terms(predictor, set, error);
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
