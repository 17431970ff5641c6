/* Ridge against least squares and by hand; the kind of model that is chosen, and what it predicts.
 */
#include "check.h"
#include "choice.h"
#include "predictor.h"
#include "ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 2, ROWS = 600 };

static double uniform(void)
{
    return (double)rand() / RAND_MAX;
}

/* About normal. */
static double noise(double deviation)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum * deviation;
}

typedef double function(double x, double z);

static double rows[ROWS][FEATURES + 1], weights[ROWS];

static void make_rows(function *truth, double deviation)
{
    srand(7);
    for (int i = 0; i < ROWS; i++) {
        rows[i][0] = 100 + 10 * uniform();
        rows[i][1] = 4 * uniform() - 2;
        rows[i][2] = truth(rows[i][0], rows[i][1]) + noise(deviation);
        weights[i] = 1;
    }
}

struct lesson {
    struct folds_set set;
    struct choice choice;
    struct predictor *predictor;
};

/* Rows `first`, first + step, … , so that the order can be another. */
static void learn(struct lesson *lesson, int count, int first, int step)
{
    struct error error;
    size_t column, feature;
    lesson->set = (struct folds_set){1, {folds_new(NULL, FEATURES, FOLDS)}, NULL};
    bool ok = lesson->set.of[0] != NULL;
    for (int i = 0, at = first; ok && i < count; i++, at = (at + step) % count) {
        ok = folds_reserve(lesson->set.of[0], rows[at], weights[at], &feature, &error);
        folds_add(lesson->set.of[0], rows[at], weights[at]);
    }
    struct term_maps *maps = folds_set_maps(&lesson->set);
    ok = ok && maps && folds_begin_terms(lesson->set.of[0], maps);
    term_maps_free(maps);
    for (int i = 0, at = first; ok && i < count; i++, at = (at + step) % count)
        folds_add_terms(lesson->set.of[0], rows[at], weights[at]);
    CHECK(ok && choose(&lesson->choice, &lesson->set, &error), "choosing");
    lesson->predictor = predictor_new(lesson->choice.candidate,
                                      lesson->choice.trials[lesson->choice.candidate].penalty,
                                      &lesson->set, &column, &error);
    CHECK(lesson->predictor, "%s", error.text);
}

static void forget(struct lesson *lesson)
{
    predictor_free(lesson->predictor);
    folds_free(lesson->set.of[0]);
}

static double plane(double x, double z)
{
    return 2 * x - 0.5 * z + 3;
}

static double parabola(double x, double z)
{
    return (x - 105) * (x - 105) + x * z;
}

static double wave(double x, double z)
{
    return sin(2 * x) + z / 10;
}

static double twist(double x, double z)
{
    return (x - 105) * (x - 105) * z;
}

static const struct {
    const char *name;
    function *truth;
    double noise;
    enum candidate wants;
    double error_max; /* of the chosen one, root mean square */
} cases[] = {{"a plane", plane, 0, LEAST_SQUARES, 1e-9},
             {"a noisy plane", plane, 1, LEAST_SQUARES, 1.1},
             {"a parabola", parabola, 0.5, QUADRATIC, 0.55},
             {"a twist", twist, 0.5, CUBIC, 0.55},
             {"a wave", wave, 0.05, FOURIER, 0.2}};

static void test_chosen(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lesson lesson = {.predictor = NULL};
        make_rows(cases[i].truth, cases[i].noise);
        learn(&lesson, ROWS, 0, 1);
        const struct trial *trial = &lesson.choice.trials[lesson.choice.candidate];
        CHECK(lesson.choice.candidate == cases[i].wants, "%s: %s", cases[i].name,
              candidate_name(lesson.choice.candidate));
        CHECK(sqrt(trial->error) <= cases[i].error_max, "%s: %g", cases[i].name,
              sqrt(trial->error));
        forget(&lesson);
    }
}

/* Whatever of the sums has still to be brought together, the errors are of all rows. */
static void test_same_again(void)
{
    struct lesson lesson = {.predictor = NULL};
    struct choice again;
    struct error error;
    make_rows(parabola, 0.5);
    learn(&lesson, ROWS, 0, 1);
    CHECK(choose(&again, &lesson.set, &error), "%s", error.text);
    for (size_t c = 0; c < CANDIDATES; c++)
        CHECK(again.trials[c].error == lesson.choice.trials[c].error, "%s",
              candidate_name((enum candidate)c));
    forget(&lesson);
}

/* The cross-validated error is what one would find on rows left out. */
static void test_error_is_honest(void)
{
    struct lesson lesson = {.predictor = NULL};
    make_rows(wave, 0.05);
    learn(&lesson, ROWS / 2, 0, 1);
    double squares = 0;
    for (int i = ROWS / 2; i < ROWS; i++) {
        bool clipped;
        double residual = rows[i][2] - predictor_predict(lesson.predictor, rows[i], &clipped);
        squares += residual * residual;
    }
    double found = sqrt(squares / (ROWS - ROWS / 2));
    double told = sqrt(lesson.choice.trials[lesson.choice.candidate].error);
    CHECK(found < 1.3 * told && told < 1.3 * found, "told %g, found %g", told, found);
    forget(&lesson);
}

/* Nothing depends on the order of the rows, to the last bit. */
static void test_order(void)
{
    struct lesson a = {.predictor = NULL}, b = {.predictor = NULL};
    make_rows(wave, 0.05);
    learn(&a, ROWS, 0, 1);
    learn(&b, ROWS, 17, 7);
    for (int i = 0; i < 50; i++) {
        bool clipped;
        double x[FEATURES] = {100 + 10 * uniform(), 4 * uniform() - 2};
        CHECK(predictor_predict(a.predictor, x, &clipped) ==
                  predictor_predict(b.predictor, x, &clipped),
              "row %d", i);
    }
    CHECK(a.predictor->fit->mse == b.predictor->fit->mse, "its error");
    forget(&a);
    forget(&b);
}

/* Far outside, the prediction stays near the targets seen. */
static void test_clipped(void)
{
    struct lesson lesson = {.predictor = NULL};
    make_rows(parabola, 0.5);
    learn(&lesson, ROWS, 0, 1);
    bool clipped;
    double far[FEATURES] = {1e6, 1e6}, near[FEATURES] = {105, 0};
    const struct reach *reach = lesson.set.of[0]->reach;
    double greatest = reach->greatest[reach->numbers];
    double range = greatest - reach->least[reach->numbers];
    double prediction = predictor_predict(lesson.predictor, far, &clipped);
    CHECK(clipped && prediction <= greatest + PREDICTOR_MARGIN * range, "%g", prediction);
    predictor_predict(lesson.predictor, near, &clipped);
    CHECK(!clipped, "in the middle");
    forget(&lesson);
}

static void test_few_rows(void)
{
    struct lesson lesson = {.predictor = NULL};
    make_rows(wave, 0);
    learn(&lesson, CHOICE_ROWS_MIN - 1, 0, 1);
    CHECK_INT(LEAST_SQUARES, lesson.choice.candidate);
    CHECK_INT(0, lesson.choice.trials[LEAST_SQUARES].terms);
    forget(&lesson);
}

static void test_constants(void)
{
    struct lesson lesson = {.predictor = NULL};
    for (int i = 0; i < ROWS; i++) {
        rows[i][0] = 5;
        rows[i][1] = i % 3;
        rows[i][2] = 7;
        weights[i] = 1;
    }
    learn(&lesson, ROWS, 0, 1);
    bool clipped;
    CHECK(predictor_predict(lesson.predictor, rows[0], &clipped) == 7, "a constant");
    forget(&lesson);
}

static void test_ridge(void)
{
    struct gram gram;
    struct ridge ridge;
    struct error error;
    size_t column;
    make_rows(plane, 1);
    struct moments *moments = moments_new(FEATURES);
    for (int i = 0; i < ROWS; i++) {
        moments_reserve(moments, rows[i], 1);
        moments_add(moments, rows[i], 1);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    CHECK(gram_of_moments(&gram, moments) && ridge_init(&ridge, FEATURES), "memory");
    CHECK(ridge_fit(&ridge, &gram, RIDGE_PENALTY_MIN), "a small penalty");
    for (int j = 0; j < FEATURES; j++)
        CHECK(fabs(ridge.weights[j] - fit->coefficients[j + 1].hi) < 1e-6, "weight %d", j);
    CHECK(fabs(ridge_error(&ridge, &gram) - fit->mse) < 1e-9, "mean squared error");
    CHECK(fabs(fit_error(fit, moments) - fit->mse) < 1e-12, "that of the fit on its own rows");
    CHECK(ridge_fit(&ridge, &gram, 1e12), "a large penalty");
    CHECK(fabs(ridge.weights[0]) < 1e-9 && fabs(ridge.intercept - gram.mean[FEATURES]) < 1e-6,
          "leaves the mean");
    ridge_free(&ridge);
    gram_free(&gram);
    fit_free(fit);
    moments_free(moments);
}

/* ------------------------------------------------------------------ weights */

static bool same_trial(const struct trial *a, const struct trial *b)
{
    bool same = a->terms == b->terms && a->penalty == b->penalty && a->error == b->error;
    return same && memcmp(a->errors, b->errors, sizeof a->errors) == 0;
}

static void check_same_lesson(const struct lesson *a, const struct lesson *b)
{
    CHECK_INT(a->choice.candidate, b->choice.candidate);
    for (size_t c = 0; c < CANDIDATES; c++)
        CHECK(same_trial(&a->choice.trials[c], &b->choice.trials[c]), "%s",
              candidate_name((enum candidate)c));
    CHECK_DOUBLE(a->predictor->fit->mse, b->predictor->fit->mse);
    CHECK_DOUBLE(a->predictor->fit->r2, b->predictor->fit->r2);
    CHECK_DOUBLE(a->predictor->fit->variance, b->predictor->fit->variance);
    for (int i = 0; i < 50; i++) {
        bool clipped;
        CHECK_DOUBLE(predictor_predict(a->predictor, rows[i], &clipped),
                     predictor_predict(b->predictor, rows[i], &clipped));
    }
}

/* Rows of weights from 1 to 3 are so many rows each, to the last bit of all that is chosen by. */
static void test_whole_weights(void)
{
    enum { DIFFERENT = ROWS / 3 };
    struct lesson weighted = {.predictor = NULL}, repeated = {.predictor = NULL};
    make_rows(wave, 0.05);
    for (int i = 0; i < DIFFERENT; i++)
        weights[i] = 1 + i % 3;
    learn(&weighted, DIFFERENT, 0, 1);
    int count = DIFFERENT;
    for (int i = 0; i < DIFFERENT; i++) {
        for (int n = 1; n < 1 + i % 3; n++)
            memcpy(rows[count++], rows[i], sizeof rows[i]);
        weights[i] = 1;
    }
    learn(&repeated, count, 5, 1);
    check_same_lesson(&weighted, &repeated);
    CHECK_INT(DIFFERENT, weighted.predictor->fit->rows);
    CHECK(weighted.predictor->fit->weight == count, "%g", weighted.predictor->fit->weight);
    forget(&weighted);
    forget(&repeated);
}

/* The same rows in two sets of folds, as those of a train file and of events are. */
static void learn_in_two(struct folds_set *set, struct term_maps *maps)
{
    *set = (struct folds_set){
        2, {folds_new(NULL, FEATURES, FOLDS), folds_new(NULL, FEATURES, FOLDS)}, NULL};
    CHECK(folds_begin_terms(set->of[0], maps) && folds_begin_terms(set->of[1], maps), "memory");
    for (int i = 0; i < ROWS; i++) {
        struct folds *folds = set->of[i % 7 == 0];
        CHECK(folds_reserve_accepted(folds, rows[i], weights[i]), "memory");
        folds_add(folds, rows[i], weights[i]);
        folds_add_terms(folds, rows[i], weights[i]);
    }
}

/* Nothing depends on the order of weighted rows either, nor on where they were learnt. */
static void test_weighted_order(void)
{
    struct lesson a = {.predictor = NULL}, b = {.predictor = NULL};
    struct folds_set two;
    struct choice choice;
    struct error error;
    make_rows(wave, 0.05);
    for (int i = 0; i < ROWS; i++)
        weights[i] = 0.1 + 2 * uniform();
    learn(&a, ROWS, 0, 1);
    learn(&b, ROWS, 17, 7);
    check_same_lesson(&a, &b);
    learn_in_two(&two, a.set.of[0]->maps);
    CHECK(choose(&choice, &two, &error), "choosing");
    for (size_t c = 0; c < CANDIDATES; c++)
        CHECK(same_trial(&a.choice.trials[c], &choice.trials[c]), "%s",
              candidate_name((enum candidate)c));
    forget(&a);
    forget(&b);
    for (size_t i = 0; i < two.count; i++)
        folds_free(two.of[i]);
}

/* Rows that hardly count neither mislead nor judge, however many they are. */
static void test_rows_that_hardly_count(void)
{
    static const struct {
        function *truth;
        enum candidate wants;
        double error_max;
    } kinds[] = {{plane, LEAST_SQUARES, 0.12}, {parabola, QUADRATIC, 0.12}};
    for (size_t n = 0; n < 2; n++) {
        struct lesson lesson = {.predictor = NULL};
        make_rows(kinds[n].truth, 0.1);
        for (int i = 0; i < ROWS; i++)
            if (i % 3 == 0) {
                weights[i] = 1e-6;
                rows[i][2] += 20 * uniform();
            }
        learn(&lesson, ROWS, 0, 1);
        const struct trial *trial = &lesson.choice.trials[lesson.choice.candidate];
        CHECK_INT(kinds[n].wants, lesson.choice.candidate);
        CHECK(sqrt(trial->error) <= kinds[n].error_max, "%g", sqrt(trial->error));
        CHECK(sqrt(lesson.predictor->fit->mse) <= kinds[n].error_max, "%g",
              sqrt(lesson.predictor->fit->mse));
        forget(&lesson);
    }
}

/* A ridge with next to no penalty is weighted least squares, as its figures are. */
static void test_weighted_ridge(void)
{
    struct gram gram;
    struct ridge ridge;
    struct error error;
    size_t column;
    double squares = 0, weight = 0;
    make_rows(plane, 1);
    struct moments *moments = moments_new(FEATURES);
    for (int i = 0; i < ROWS; i++) {
        weights[i] = 0.1 + uniform();
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], weights[i]));
        moments_add(moments, rows[i], weights[i]);
        weight += weights[i];
    }
    struct fit *fit = fit_new(moments, &column, &error);
    CHECK(gram_of_moments(&gram, moments) && ridge_init(&ridge, FEATURES), "memory");
    CHECK(ridge_fit(&ridge, &gram, RIDGE_PENALTY_MIN), "a small penalty");
    for (int i = 0; i < ROWS; i++) {
        double residual = rows[i][2] - fit_predict(fit->coefficients, rows[i], FEATURES);
        squares += weights[i] * residual * residual;
    }
    for (int j = 0; j < FEATURES; j++)
        CHECK(fabs(ridge.weights[j] - fit->coefficients[j + 1].hi) < 1e-6, "weight %d", j);
    CHECK(fabs(squares / weight - fit->mse) < 1e-12, "%.17g, not %.17g", fit->mse,
          squares / weight);
    CHECK(fabs(ridge_error(&ridge, &gram) - fit->mse) < 1e-9, "mean squared error");
    CHECK(fabs(fit_error(fit, moments) - fit->mse) < 1e-12, "that of the fit on its own rows");
    CHECK(fabs(gram.weight - weight) < 1e-9 && gram.weight == fit->weight, "%g", gram.weight);
    ridge_free(&ridge);
    gram_free(&gram);
    fit_free(fit);
    moments_free(moments);
}

/* What cannot be weighed together any more is no crash, and least squares. */
static void test_extreme_weights(void)
{
    static const double extremes[][2] = {{1e308, 1e308}, {5e-324, 5e-324}, {1e308, 5e-324}};
    for (size_t n = 0; n < 3; n++) {
        struct lesson lesson = {.predictor = NULL};
        make_rows(plane, 1);
        for (int i = 0; i < ROWS; i++)
            weights[i] = extremes[n][i % 2];
        learn(&lesson, ROWS, 0, 1);
        bool clipped;
        double wants = plane(rows[1][0], rows[1][1]);
        double prediction = predictor_predict(lesson.predictor, rows[1], &clipped);
        CHECK_INT(LEAST_SQUARES, lesson.choice.candidate);
        CHECK(fabs(prediction - wants) < 0.5, "%g, not %g", prediction, wants);
        forget(&lesson);
    }
}

int main(void)
{
    test_ridge();
    test_whole_weights();
    test_weighted_order();
    test_rows_that_hardly_count();
    test_weighted_ridge();
    test_extreme_weights();
    test_chosen();
    test_same_again();
    test_error_is_honest();
    test_order();
    test_clipped();
    test_few_rows();
    test_constants();
    return check_report("test_choice");
}
