#include "choice.h"

#include "fit.h"
#include "ridge.h"

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

/* What a fold's turn needs: the others' rows to learn from, its own to be judged by. */
struct turn {
    struct gram train, test;
};

static void turn_free(struct turn *turn)
{
    gram_free(&turn->train);
    gram_free(&turn->test);
}

static bool turn_of_features(struct turn *turn, const struct folds *folds, size_t k)
{
    struct moments *others = folds_moments(folds, k);
    *turn = (struct turn){.train = {0}};
    bool ok = others && gram_of_moments(&turn->train, others) &&
              gram_of_moments(&turn->test, folds->moments[k]);
    moments_free(others);
    return ok;
}

static bool turn_of_terms(struct turn *turn, const struct folds *folds, enum terms_kind kind,
                          size_t count, size_t k)
{
    struct term_sums *others = folds_sums(folds, kind, k);
    term_sums_flush(folds->sums[kind][k]);
    *turn = (struct turn){.train = {0}};
    bool ok = others && gram_of_terms(&turn->train, others, count) &&
              gram_of_terms(&turn->test, folds->sums[kind][k], count);
    term_sums_free(others);
    return ok;
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

static int64_t fold_rows(const struct folds *folds, size_t k)
{
    return moments_rows(folds->moments[k]);
}

/* Over all rows. */
static double mean_error(const struct folds *folds, const double errors[static FOLDS])
{
    double sum = 0, rows = 0;
    for (size_t k = 0; k < FOLDS; k++) {
        sum += errors[k] * (double)fold_rows(folds, k);
        rows += (double)fold_rows(folds, k);
    }
    return sum / rows;
}

static void take_best_penalty(struct trial *trial, const struct folds *folds,
                              double errors[static FOLDS][PENALTIES])
{
    trial->error = INFINITY;
    for (size_t i = PENALTIES; i-- > 0;) {
        double at_penalty[FOLDS];
        for (size_t k = 0; k < FOLDS; k++)
            at_penalty[k] = errors[k][i];
        double error = mean_error(folds, at_penalty);
        if (error < trial->error) {
            trial->error = error;
            trial->penalty = penalty_of(i);
            memcpy(trial->errors, at_penalty, sizeof at_penalty);
        }
    }
}

static bool try_ridge(struct trial *trial, enum candidate candidate, const struct folds *folds,
                      const struct term_maps *maps, struct error *error)
{
    double errors[FOLDS][PENALTIES];
    enum terms_kind kind = TERMS_POLYNOMIAL;
    size_t count = folds->features;
    if (candidate != RIDGE)
        kind = candidate_terms(candidate, maps, &count);
    bool ok = true;
    for (size_t k = 0; ok && count > 0 && k < FOLDS; k++) {
        struct turn turn;
        ok = (candidate == RIDGE ? turn_of_features(&turn, folds, k)
                                 : turn_of_terms(&turn, folds, kind, count, k)) &&
             try_penalties(&turn, errors[k]);
        turn_free(&turn);
    }
    if (ok && count > 0)
        take_best_penalty(trial, folds, errors);
    trial->terms = isfinite(trial->error) ? count : 0;
    return ok || error_memory(error);
}

/* In the target's units, as the others' errors are. */
static bool try_least_squares(struct trial *trial, const struct folds *folds, struct error *error)
{
    for (size_t k = 0; k < FOLDS; k++) {
        size_t column;
        struct moments *others = folds_moments(folds, k);
        struct fit *fit = others ? fit_new(others, &column, error) : NULL;
        bool ok = fit || (others ? error->kind == ERROR_UNUSABLE : error_memory(error));
        trial->errors[k] = fit ? fit_error(fit, folds->moments[k]) : INFINITY;
        fit_free(fit);
        moments_free(others);
        if (!ok)
            return false;
    }
    trial->error = mean_error(folds, trial->errors);
    trial->terms = folds->features;
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

static bool is_enough(const struct folds *folds)
{
    int64_t rows = 0;
    if (folds->parts < FOLDS)
        return false;
    for (size_t k = 0; k < FOLDS; k++) {
        if (fold_rows(folds, k) == 0)
            return false;
        rows += fold_rows(folds, k);
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

bool choose(struct choice *choice, const struct folds *folds, const struct term_maps *maps,
            struct error *error)
{
    *choice = (struct choice){.candidate = LEAST_SQUARES};
    if (!is_enough(folds))
        return true;
    if (!try_least_squares(&choice->trials[LEAST_SQUARES], folds, error))
        return false;
    for (enum candidate c = RIDGE; c < CANDIDATES; c++) {
        if (!try_ridge(&choice->trials[c], c, folds, maps, error))
            return false;
        if (c != RIDGE)
            to_target_units(&choice->trials[c], maps->target);
    }
    decide(choice);
    return true;
}
