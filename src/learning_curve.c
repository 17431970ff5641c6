#include "learning_curve.h"

#include "turn.h"

#include <math.h>

struct candidate_wish {
    enum candidate candidate;
    double penalty;
};

/* The `count` parts after the judge, going round. */
static unsigned parts_after(size_t judge, size_t count)
{
    unsigned parts = 0;
    for (size_t i = 1; i <= count; i++)
        parts |= folds_part((judge + i) % FOLDS);
    return parts;
}

static double rows_of(const struct folds_set *set, unsigned parts)
{
    double rows = 0;
    for (size_t k = 0; k < FOLDS; k++)
        if (parts & folds_part(k))
            rows += (double)folds_set_rows(set, k);
    return rows;
}

static bool judge_mean(const struct folds_set *set, unsigned parts, size_t judge, double *squared,
                       struct error *error)
{
    struct moments *train = folds_set_some_moments(set, parts);
    struct moments *test = folds_set_some_moments(set, folds_part(judge));
    bool ok = train && test;
    if (ok) {
        double learnt, mean, variance, unused;
        gram_of_column(train, folds_set_columns(set), &learnt, &unused);
        gram_of_column(test, folds_set_columns(set), &mean, &variance);
        *squared = variance + (mean - learnt) * (mean - learnt);
    }
    moments_free(train);
    moments_free(test);
    return ok || error_memory(error);
}

static bool judge_ridge(const struct folds_set *set, struct candidate_wish wish, unsigned parts,
                        size_t judge, double *squared, struct error *error)
{
    struct turn turn;
    struct ridge ridge = {0};
    int unit = 0;
    bool ok;
    if (wish.candidate == RIDGE) {
        ok = turn_of_features(&turn, set, parts, judge);
    } else {
        const struct term_maps *maps = set->of[0]->maps;
        size_t count;
        enum terms_kind kind = candidate_terms(wish.candidate, maps, &count);
        ok = turn_of_terms(&turn, set, kind, count, parts, judge);
        unit = 2 * (term_maps_target(maps).exponent - TARGET_BITS);
    }
    ok = ok && ridge_init(&ridge, turn.train.count);
    if (ok)
        *squared = ridge_fit(&ridge, &turn.train, wish.penalty)
                       ? ldexp(ridge_error(&ridge, &turn.test), unit)
                       : INFINITY;
    ridge_free(&ridge);
    turn_free(&turn);
    return ok || error_memory(error);
}

/* Adds one judge's squared errors to the point's. */
static bool add_turn(struct curve_point *point, const struct folds_set *set,
                     struct candidate_wish wish, unsigned parts, size_t judge, struct error *error)
{
    double chosen, linear, mean = INFINITY, judged = folds_set_weight(set, judge);
    if (!judge_mean(set, parts, judge, &mean, error) ||
        !turn_least_squares(set, parts, judge, &linear, error))
        return false;
    chosen = linear;
    if (wish.candidate != LEAST_SQUARES && !judge_ridge(set, wish, parts, judge, &chosen, error))
        return false;
    point->rows += rows_of(set, parts);
    point->chosen += chosen * judged;
    point->linear += linear * judged;
    point->mean += mean * judged;
    return true;
}

static bool judge_all(struct curve_point *point, const struct folds_set *set,
                      struct candidate_wish wish, size_t parts, struct error *error)
{
    double weight = 0;
    for (size_t judge = 0; judge < FOLDS; judge++) {
        if (!add_turn(point, set, wish, parts_after(judge, parts), judge, error))
            return false;
        weight += folds_set_weight(set, judge);
    }
    point->rows /= FOLDS;
    point->chosen /= weight;
    point->linear /= weight;
    point->mean /= weight;
    return true;
}

bool learning_curve(struct learning_curve *curve, const struct folds_set *set,
                    enum candidate candidate, double penalty, struct error *error)
{
    *curve = (struct learning_curve){.points = 0};
    if (!choice_is_possible(set))
        return true;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        struct candidate_wish wish = {candidate, penalty * CURVE_POINTS / (double)(i + 1)};
        if (!judge_all(&curve->at[i], set, wish, i + 1, error))
            return false;
    }
    curve->points = CURVE_POINTS;
    return true;
}
