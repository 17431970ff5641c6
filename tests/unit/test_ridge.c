/* Ridge: by how many parameters it fits, and that it fits whatever forgetting has left. */
#include "check.h"
#include "choice.h"
#include "cholesky.h"
#include "folds.h"
#include "predictor.h"
#include "ridge.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ the trace of the hat matrix */

enum { ROWS = 60, COLUMNS = 5, CONSTANT = 2 };

static double rows[ROWS][COLUMNS + 1], weights[ROWS];

static void make_rows(bool weighted)
{
    srand48(24);
    for (int i = 0; i < ROWS; i++) {
        weights[i] = weighted ? 0.1 + drand48() : 1;
        for (int j = 0; j <= COLUMNS; j++)
            rows[i][j] = j == CONSTANT ? 7 : 100 * j + drand48() * (j + 1);
        rows[i][3] = rows[i][1] + 1e-3 * drand48(); /* nearly the same */
    }
}

static void make_gram(struct gram *gram)
{
    struct moments *moments = moments_new(COLUMNS);
    for (int i = 0; i < ROWS; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_add(moments, rows[i], weights[i]);
    }
    CHECK(gram_of_moments(gram, moments), "memory");
    moments_free(moments);
}

/* Row i's share: by how much its fitted value moves with its target, from two fits. A fit is linear
 * in the targets, so that any step will do. */
static double leverage(int i, double penalty)
{
    double fitted[2], before = rows[i][COLUMNS];
    for (int turn = 0; turn < 2; turn++) {
        struct gram gram;
        struct ridge ridge;
        rows[i][COLUMNS] = before + turn;
        make_gram(&gram);
        CHECK(ridge_init(&ridge, COLUMNS) && ridge_fit(&ridge, &gram, penalty), "a fit");
        fitted[turn] = ridge.intercept;
        for (int j = 0; j < COLUMNS; j++)
            fitted[turn] += ridge.weights[j] * rows[i][j];
        ridge_free(&ridge);
        gram_free(&gram);
    }
    rows[i][COLUMNS] = before;
    return fitted[1] - fitted[0];
}

static void test_parameters(bool weighted, double penalty)
{
    struct gram gram;
    struct ridge ridge;
    double trace = 0;
    make_rows(weighted);
    for (int i = 0; i < ROWS; i++)
        trace += leverage(i, penalty);
    make_gram(&gram);
    CHECK(ridge_init(&ridge, COLUMNS) && ridge_fit(&ridge, &gram, penalty), "a fit");
    CHECK_INT(COLUMNS, ridge_columns(&ridge)); /* the intercept, but not the constant */
    CHECK(fabs(ridge_parameters(&ridge) - trace) < 1e-6, "penalty %g: %.12g, not %.12g", penalty,
          ridge_parameters(&ridge), trace);
    ridge_free(&ridge);
    gram_free(&gram);
}

/* Features of another magnitude have weights of another one, also where no square is a double. */
static void test_magnitudes(int feature, int target)
{
    struct gram gram, scaled;
    struct ridge ridge, other;
    make_rows(true);
    make_gram(&gram);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j <= COLUMNS; j++)
            rows[i][j] = ldexp(rows[i][j], j < COLUMNS ? feature : target);
    make_gram(&scaled);
    CHECK(ridge_init(&ridge, COLUMNS) && ridge_fit(&ridge, &gram, 1e-3), "a fit");
    CHECK(ridge_init(&other, COLUMNS) && ridge_fit(&other, &scaled, 1e-3), "2^%d, 2^%d", feature,
          target);
    for (int j = 0; j < COLUMNS; j++) {
        double wanted = ldexp(ridge.weights[j], target - feature);
        CHECK(fabs(other.weights[j] - wanted) <= 1e-12 * fabs(wanted), "%g, not %g",
              other.weights[j], wanted);
    }
    CHECK(fabs(ridge_parameters(&ridge) - ridge_parameters(&other)) < 1e-9, "parameters");
    double error = ldexp(ridge_error(&ridge, &gram), 2 * target);
    CHECK(error == ridge_error(&other, &scaled) ||
              fabs(ridge_error(&other, &scaled) - error) < 1e-9 * error,
          "2^%d: error %g, not %g", target, ridge_error(&other, &scaled), error);
    ridge_free(&ridge);
    ridge_free(&other);
    gram_free(&gram);
    gram_free(&scaled);
}

static void test_inverse_diagonal(void)
{
    enum { MOST = 37 };
    for (size_t n = 1; n <= MOST; n++) {
        double factor[MOST * MOST], diagonal[MOST], x[MOST];
        for (size_t j = 0; j < n; j++)
            for (size_t k = j; k < n; k++)
                factor[j * n + k] = j == k ? 40 : sin((double)(7 * j + 3 * k));
        CHECK(cholesky_factorise(factor, n), "positive definite");
        CHECK(cholesky_inverse_diagonal(factor, n, diagonal), "memory");
        for (size_t j = 0; j < n; j++) {
            memset(x, 0, sizeof x);
            x[j] = 1;
            cholesky_substitute(factor, n, x);
            CHECK(fabs(x[j] - diagonal[j]) < 1e-16, "%zu: %zu: %.17g", n, j, diagonal[j]);
        }
    }
}

/* ------------------------------------------------------------------ forgetting */

enum { EVENTS = 2600, CHANGE = 700, FEATURES = 2 };

static double events[EVENTS][FEATURES + 2];

/* The second input goes constant, as a sensor's does that was taken away. */
static void make_events(void)
{
    srand48(3);
    for (int i = 0; i < EVENTS; i++) {
        double x = 10 * drand48(), y = i < CHANGE ? 6 * drand48() - 3 : 1;
        const double event[] = {x, y, sin(2 * x) * cos(y) + 1e-6 * drand48(), 1};
        memcpy(events[i], event, sizeof event);
    }
}

static struct folds *new_folds(double forget, struct term_maps *maps)
{
    struct folds *folds = folds_new(NULL, FEATURES, FOLDS);
    folds_begin_forgetting(folds, forget);
    CHECK(!maps || folds_begin_terms(folds, maps), "memory");
    return folds;
}

static void learn(struct folds *folds, const double *event)
{
    CHECK(folds_reserve_accepted(folds, event, 1), "memory");
    folds_forget(folds);
    folds_add(folds, event, 1);
    if (folds->maps)
        folds_add_terms(folds, event, 1);
}

/* Terms lie where the events before the change do. */
static struct folds *folds_before_change(double forget)
{
    struct folds *first = new_folds(forget, NULL);
    for (int i = 0; i < CHANGE; i++)
        learn(first, events[i]);
    struct term_maps *maps = folds_set_maps(&(struct folds_set){1, {first}, NULL});
    struct folds *folds = new_folds(forget, maps);
    for (int i = 0; i < CHANGE; i++)
        learn(folds, events[i]);
    term_maps_free(maps);
    folds_free(first);
    return folds;
}

static void check_fits(const struct folds *folds, int count, double forget)
{
    struct folds_set set = {1, {(struct folds *)folds}, NULL};
    for (enum candidate candidate = QUADRATIC; candidate < CANDIDATES; candidate++)
        for (double penalty = RIDGE_PENALTY_MIN; penalty < 1; penalty *= 100) {
            struct error error = {0};
            size_t column;
            bool clipped;
            struct predictor *predictor = predictor_new(candidate, penalty, &set, &column, &error);
            if (!CHECK(predictor, "%s, penalty %g, %g: %d events: %s", candidate_name(candidate),
                       penalty, forget, count, error.text))
                continue;
            const double *last = events[count - 1];
            double prediction = predictor_predict(predictor, last, &clipped);
            if (candidate == FOURIER && penalty < 1e-5)
                CHECK(fabs(prediction - last[FEATURES]) < 0.3, "%g: %d events: %g, not %g", forget,
                      count, prediction, last[FEATURES]);
            CHECK(predictor->fit->parameters >= 1 &&
                      predictor->fit->parameters <= (double)predictor->fit->rank,
                  "%g of %zu", predictor->fit->parameters, predictor->fit->rank);
            predictor_free(predictor);
        }
}

static void test_forgotten(double forget)
{
    struct folds *folds = folds_before_change(forget);
    for (int i = CHANGE; i < EVENTS; i++) {
        learn(folds, events[i]);
        if (i % 97 == 0)
            check_fits(folds, i + 1, forget);
    }
    folds_free(folds);
}

/* What forgetting leaves of the sums agrees with weights that were never rounded, also about terms
 * whose mean is many deviations away from 0. */
static void test_covariances(double forget)
{
    static double means[TERMS_MAX], squares[TERMS_MAX];
    double values[TERMS_MAX], weight = 0, age = 1;
    struct folds *folds = folds_before_change(forget);
    for (int i = CHANGE; i < 2 * CHANGE; i++)
        learn(folds, events[i]);
    struct folds_set set = {1, {folds}, NULL};
    struct term_sums *sums = folds_set_sums(&set, TERMS_FOURIER);
    const struct terms *terms = folds->maps->kinds[TERMS_FOURIER];
    size_t count = terms_count(terms);
    memset(means, 0, sizeof means);
    memset(squares, 0, sizeof squares);
    for (int i = 2 * CHANGE; i-- > 0; age *= forget) { /* the latest first: West 1979 */
        terms_values(terms, events[i], values);
        weight += age;
        for (size_t j = 0; j < count; j++) {
            double off = values[j] - means[j];
            means[j] += off * age / weight;
            squares[j] += age * off * (values[j] - means[j]);
        }
    }
    for (size_t j = 0; j < count; j++) {
        double wanted = squares[j] / weight, got = term_sums_covariance(sums, j, j);
        CHECK(fabs(got - wanted) < 1e-5 * wanted, "%g: term %zu: %.9g, not %.9g", forget, j, got,
              wanted);
    }
    term_sums_free(sums);
    folds_free(folds);
}

int main(void)
{
    test_inverse_diagonal();
    for (double penalty = RIDGE_PENALTY_MIN; penalty < 100; penalty *= 31) {
        test_parameters(false, penalty);
        test_parameters(true, penalty);
    }
    test_magnitudes(3, -5);
    test_magnitudes(1000, 0);
    test_magnitudes(0, 1000);
    test_magnitudes(900, 1000);
    test_magnitudes(-900, -800);
    make_events();
    test_covariances(0.995);
    test_forgotten(0.5);
    test_forgotten(0.9);
    test_forgotten(0.98);
    test_forgotten(0.995);
    return check_report("ridge");
}
