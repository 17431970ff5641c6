#include "choice.h"

#include "turn.h"

#include <math.h>
#include <string.h>

enum {
    PENALTIES = 19,   /* RIDGE_PENALTY_MIN and each √10 times the one before */
    LINEAR_ERRORS = 2 /* standard errors that a model linear in the features may be behind */
};

static double penalty_of(size_t i)
{
    static const double halves[] = {1, 3.1622776601683795};
    double penalty = RIDGE_PENALTY_MIN * halves[i % 2];
    for (; i >= 2; i -= 2)
        penalty *= 10;
    return penalty;
}

const char *candidate_name(enum candidate candidate)
{
    static const char *const names[CANDIDATES] = {"linear", "ridge", "quadratic", "cubic",
                                                  "fourier"};
    return names[candidate];
}

enum candidate candidate_named(const char *name)
{
    enum candidate candidate = LEAST_SQUARES;
    while (candidate < CANDIDATES && strcmp(candidate_name(candidate), name) != 0)
        candidate++;
    return candidate;
}

enum terms_kind candidate_terms(enum candidate candidate, const struct term_maps *maps,
                                size_t *count)
{
    enum terms_kind kind = candidate == FOURIER ? TERMS_FOURIER : TERMS_POLYNOMIAL;
    const struct terms *terms = maps->kinds[kind];
    int degree = candidate == QUADRATIC ? 2 : 3;
    *count = 0;
    if (terms && candidate == FOURIER)
        *count = terms_count(terms);
    else if (terms && degree <= terms_degree(terms))
        *count = terms_up_to(terms, degree);
    return kind;
}

/* Those that learn while part k judges. */
static unsigned all_but(size_t k)
{
    return FOLDS_ALL & ~folds_part(k);
}

/* The errors of all penalties on one fold. */
static bool try_penalties(const struct turn *turn, double errors[static PENALTIES])
{
    struct ridge ridge;
    bool ok = ridge_init(&ridge, turn->train.count);
    for (size_t i = 0; ok && i < PENALTIES; i++)
        errors[i] = ridge_fit(&ridge, &turn->train, penalty_of(i))
                        ? ridge_error(&ridge, &turn->test)
                        : INFINITY;
    ridge_free(&ridge);
    return ok;
}

/* Over all rows, of which each fold's weigh so much. */
static double mean_error(const double weights[static FOLDS], const double errors[static FOLDS])
{
    double sum = 0, weight = 0;
    for (size_t k = 0; k < FOLDS; k++) {
        sum += errors[k] * weights[k];
        weight += weights[k];
    }
    return sum / weight;
}

static void take_weights(const struct folds_set *set, double weights[static FOLDS])
{
    for (size_t k = 0; k < FOLDS; k++)
        weights[k] = folds_set_weight(set, k);
}

static void take_best_penalty(struct trial *trial, const struct folds_set *set,
                              double errors[static FOLDS][PENALTIES])
{
    double weights[FOLDS];
    take_weights(set, weights);
    trial->error = INFINITY;
    for (size_t i = PENALTIES; i-- > 0;) {
        double at_penalty[FOLDS];
        for (size_t k = 0; k < FOLDS; k++)
            at_penalty[k] = errors[k][i];
        double error = mean_error(weights, at_penalty);
        if (error < trial->error) {
            trial->error = error;
            trial->penalty = penalty_of(i);
            memcpy(trial->errors, at_penalty, sizeof at_penalty);
        }
    }
}

static bool try_ridge(struct trial *trial, enum candidate candidate, const struct folds_set *set,
                      struct error *error)
{
    double errors[FOLDS][PENALTIES];
    enum terms_kind kind = TERMS_POLYNOMIAL;
    size_t count = folds_set_columns(set);
    if (candidate != RIDGE)
        kind = candidate_terms(candidate, set->of[0]->maps, &count);
    bool ok = true;
    for (size_t k = 0; ok && count > 0 && k < FOLDS; k++) {
        struct turn turn;
        ok = (candidate == RIDGE ? turn_of_features(&turn, set, all_but(k), k)
                                 : turn_of_terms(&turn, set, kind, count, all_but(k), k)) &&
             try_penalties(&turn, errors[k]);
        turn_free(&turn);
    }
    if (ok && count > 0)
        take_best_penalty(trial, set, errors);
    trial->terms = isfinite(trial->error) ? count : 0;
    return ok || error_memory(error);
}

/* In the target's units, as the others' errors are. */
static bool try_least_squares(struct trial *trial, const struct folds_set *set, struct error *error)
{
    for (size_t k = 0; k < FOLDS; k++)
        if (!turn_least_squares(set, all_but(k), k, &trial->errors[k], error))
            return false;
    double weights[FOLDS];
    take_weights(set, weights);
    trial->error = mean_error(weights, trial->errors);
    trial->terms = folds_set_columns(set);
    return true;
}

static double standard_error(const double a[static FOLDS], const double b[static FOLDS])
{
    double mean = 0, squares = 0;
    for (size_t k = 0; k < FOLDS; k++)
        mean += (a[k] - b[k]) / FOLDS;
    for (size_t k = 0; k < FOLDS; k++)
        squares += (a[k] - b[k] - mean) * (a[k] - b[k] - mean);
    return sqrt(squares / (FOLDS - 1) / FOLDS);
}

static void decide(struct choice *choice)
{
    const struct trial *best = &choice->trials[LEAST_SQUARES];
    for (size_t c = 0; c < CANDIDATES; c++)
        if (choice->trials[c].terms > 0 && choice->trials[c].error < best->error)
            best = &choice->trials[c];
    for (size_t c = 0; c < CANDIDATES; c++) {
        const struct trial *trial = &choice->trials[c];
        double most =
            (c <= RIDGE ? LINEAR_ERRORS : 1) * standard_error(trial->errors, best->errors);
        if (trial->terms > 0 && trial->error <= best->error + most) {
            choice->candidate = (enum candidate)c;
            return;
        }
    }
}

bool choice_is_possible(const struct folds_set *set)
{
    int64_t rows = 0;
    if (set->of[0]->parts < FOLDS)
        return false;
    for (size_t k = 0; k < FOLDS; k++) {
        if (folds_set_rows(set, k) == 0)
            return false;
        rows += folds_set_rows(set, k);
    }
    return rows >= CHOICE_ROWS_MIN;
}

/* The errors of terms are in units of the target's place. */
static void to_target_units(struct trial *trial, struct place target)
{
    trial->error = ldexp(trial->error, 2 * (target.exponent - TARGET_BITS));
    for (size_t k = 0; k < FOLDS; k++)
        trial->errors[k] = ldexp(trial->errors[k], 2 * (target.exponent - TARGET_BITS));
}

bool choose(struct choice *choice, const struct folds_set *set, struct error *error)
{
    *choice = (struct choice){.candidate = LEAST_SQUARES};
    if (!choice_is_possible(set))
        return true;
    if (!try_least_squares(&choice->trials[LEAST_SQUARES], set, error) ||
        !try_ridge(&choice->trials[RIDGE], RIDGE, set, error))
        return false;
    for (enum candidate c = QUADRATIC; c < CANDIDATES && folds_set_has_terms(set); c++) {
        if (!try_ridge(&choice->trials[c], c, set, error))
            return false;
        to_target_units(&choice->trials[c], term_maps_target(set->of[0]->maps));
    }
    decide(choice);
    return true;
}
