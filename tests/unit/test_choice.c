/* Ridge against least squares and by hand; the kind of model that is chosen, and what it predicts.
 */
#include "check.h"
#include "choice.h"
#include "predictor.h"
#include "ridge.h"

#include <math.h>
#include <stdlib.h>

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

static double rows[ROWS][FEATURES + 1];

static void make_rows(function *truth, double deviation)
{
    srand(7);
    for (int i = 0; i < ROWS; i++) {
        rows[i][0] = 100 + 10 * uniform();
        rows[i][1] = 4 * uniform() - 2;
        rows[i][2] = truth(rows[i][0], rows[i][1]) + noise(deviation);
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
    size_t column;
    lesson->set = (struct folds_set){1, {folds_new(FEATURES, FOLDS)}};
    bool ok = lesson->set.of[0] != NULL;
    for (int i = 0, at = first; ok && i < count; i++, at = (at + step) % count) {
        ok = folds_reserve(lesson->set.of[0], rows[at]) == MOMENTS_OK;
        folds_add(lesson->set.of[0], rows[at]);
    }
    struct moments *all = folds_set_moments(&lesson->set);
    struct term_maps *maps = term_maps_new(all);
    ok = ok && maps && folds_begin_terms(lesson->set.of[0], maps);
    term_maps_free(maps);
    moments_free(all);
    for (int i = 0, at = first; ok && i < count; i++, at = (at + step) % count)
        folds_add_terms(lesson->set.of[0], rows[at]);
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
    double range = lesson.set.of[0]->greatest - lesson.set.of[0]->least;
    double prediction = predictor_predict(lesson.predictor, far, &clipped);
    CHECK(clipped && prediction <= lesson.set.of[0]->greatest + PREDICTOR_MARGIN * range, "%g",
          prediction);
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

int main(void)
{
    test_ridge();
    test_chosen();
    test_same_again();
    test_error_is_honest();
    test_order();
    test_clipped();
    test_few_rows();
    test_constants();
    return check_report("test_choice");
}
