#include "turn.h"

#include "fit.h"

#include <math.h>

void turn_free(struct turn *turn)
{
    gram_free(&turn->train);
    gram_free(&turn->test);
}

bool turn_of_features(struct turn *turn, const struct folds_set *set, unsigned parts, size_t judge)
{
    struct moments *train = folds_set_some_moments(set, parts);
    struct moments *test = folds_set_some_moments(set, folds_part(judge));
    *turn = (struct turn){.train = {0}};
    bool ok =
        train && test && gram_of_moments(&turn->train, train) && gram_of_moments(&turn->test, test);
    moments_free(train);
    moments_free(test);
    return ok;
}

bool turn_of_terms(struct turn *turn, const struct folds_set *set, enum terms_kind kind,
                   size_t count, unsigned parts, size_t judge)
{
    struct term_sums *train = folds_set_some_sums(set, kind, parts);
    struct term_sums *test = folds_set_some_sums(set, kind, folds_part(judge));
    *turn = (struct turn){.train = {0}};
    bool ok = train && test && gram_of_terms(&turn->train, train, count) &&
              gram_of_terms(&turn->test, test, count);
    term_sums_free(train);
    term_sums_free(test);
    return ok;
}

bool turn_least_squares(const struct folds_set *set, unsigned parts, size_t judge, double *squared,
                        struct error *error)
{
    size_t column;
    struct moments *train = folds_set_some_moments(set, parts);
    struct moments *test = folds_set_some_moments(set, folds_part(judge));
    struct fit *fit = train && test ? fit_new(train, &column, error) : NULL;
    bool ok = fit || (train && test ? error->kind == ERROR_UNUSABLE : error_memory(error));
    *squared = fit ? fit_error(fit, test) : INFINITY;
    fit_free(fit);
    moments_free(train);
    moments_free(test);
    return ok;
}
