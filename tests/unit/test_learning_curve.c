/* The learning curve against its meaning: fits of the parts' rows, one by one. */
#include "check.h"
#include "learning_curve.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 300 };

static double rows[ROWS][2];

typedef double function(double x);

static double line(double x)
{
    return 2 * x - 3;
}

static double wave(double x)
{
    return sin(x);
}

static double parabola(double x)
{
    return x * x;
}

static void make_rows(function *truth)
{
    srand(11);
    for (int i = 0; i < ROWS; i++) {
        rows[i][0] = 8.0 * rand() / RAND_MAX;
        rows[i][1] = truth(rows[i][0]) + 0.3 * rand() / RAND_MAX;
    }
}

static struct folds *learn(int count)
{
    struct folds *folds = folds_new(NULL, 1, FOLDS);
    for (int i = 0; i < count; i++) {
        CHECK(folds_reserve_accepted(folds, rows[i], 1), "row %d", i);
        folds_add(folds, rows[i], 1);
    }
    struct term_maps *maps = folds_set_maps(&(struct folds_set){1, {folds}, NULL});
    CHECK(folds_begin_terms(folds, maps), "no memory");
    for (int i = 0; i < count; i++)
        folds_add_terms(folds, rows[i], 1);
    term_maps_free(maps);
    return folds;
}

/* At four parts it is what the choice was made by. */
static void test_end(function *truth, const char *name)
{
    struct learning_curve curve;
    struct choice choice;
    struct error error;
    make_rows(truth);
    struct folds *folds = learn(ROWS);
    struct folds_set set = {1, {folds}, NULL};
    CHECK(choose(&choice, &set, &error), "%s", error.text);
    for (enum candidate c = LEAST_SQUARES; c < CANDIDATES; c++) {
        const struct trial *trial = &choice.trials[c];
        CHECK(learning_curve(&curve, &set, c, trial->penalty, &error), "%s", error.text);
        CHECK_INT(CURVE_POINTS, curve.points);
        CHECK(fabs(curve.at[CURVE_POINTS - 1].chosen / trial->error - 1) < 1e-12,
              "%s, %s: %.17g, not %.17g", name, candidate_name(c),
              curve.at[CURVE_POINTS - 1].chosen, trial->error);
        CHECK_DOUBLE(choice.trials[LEAST_SQUARES].error, curve.at[CURVE_POINTS - 1].linear);
        CHECK_DOUBLE(ROWS * 4 / 5.0, curve.at[CURVE_POINTS - 1].rows);
        CHECK_DOUBLE(ROWS / 5.0, curve.at[0].rows);
    }
    folds_free(folds);
}

/* Which part a row is in: that which it is added to. */
static size_t part_of(const double *row)
{
    struct folds *folds = folds_new(NULL, 1, FOLDS);
    size_t part = 0;
    CHECK(folds_reserve_accepted(folds, row, 1), "no memory");
    folds_add(folds, row, 1);
    while (moments_rows(folds->moments[part]) == 0)
        part++;
    folds_free(folds);
    return part;
}

struct sums {
    double n, x, y, xx, xy;
};

/* The rows of `count` parts after the judge's. */
static struct sums sums_after(const size_t *parts, size_t judge, size_t count)
{
    struct sums sums = {0};
    for (int i = 0; i < ROWS; i++) {
        size_t after = (parts[i] + FOLDS - judge) % FOLDS;
        if (after < 1 || after > count)
            continue;
        double x = rows[i][0], y = rows[i][1];
        sums.n++, sums.x += x, sums.y += y, sums.xx += x * x, sums.xy += x * y;
    }
    return sums;
}

static void test_by_hand(void)
{
    struct learning_curve curve;
    struct error error;
    size_t parts[ROWS];
    make_rows(parabola);
    for (int i = 0; i < ROWS; i++)
        parts[i] = part_of(rows[i]);
    struct folds *folds = learn(ROWS);
    CHECK(learning_curve(&curve, &(struct folds_set){1, {folds}, NULL}, LEAST_SQUARES, 0, &error),
          "%s", error.text);
    for (size_t count = 1; count <= CURVE_POINTS; count++) {
        double linear = 0, mean = 0;
        for (int i = 0; i < ROWS; i++) {
            struct sums s = sums_after(parts, parts[i], count);
            double slope = (s.n * s.xy - s.x * s.y) / (s.n * s.xx - s.x * s.x);
            double residual = rows[i][1] - (s.y / s.n + slope * (rows[i][0] - s.x / s.n));
            linear += residual * residual / ROWS;
            mean += pow(rows[i][1] - s.y / s.n, 2) / ROWS;
        }
        const struct curve_point *point = &curve.at[count - 1];
        CHECK(fabs(point->linear / linear - 1) < 1e-9, "%zu parts: %g, not %g", count,
              point->linear, linear);
        CHECK(fabs(point->mean / mean - 1) < 1e-9, "%zu parts: %g, not %g", count, point->mean,
              mean);
        CHECK_DOUBLE(point->linear, point->chosen);
    }
    folds_free(folds);
}

static void test_too_few(void)
{
    struct learning_curve curve;
    struct error error;
    make_rows(line);
    struct folds *folds = learn(CHOICE_ROWS_MIN - 1);
    CHECK(learning_curve(&curve, &(struct folds_set){1, {folds}, NULL}, LEAST_SQUARES, 0, &error),
          "%s", error.text);
    CHECK_INT(0, curve.points);
    folds_free(folds);
}

int main(void)
{
    test_end(line, "a line");
    test_end(parabola, "a parabola");
    test_end(wave, "a wave");
    test_by_hand();
    test_too_few();
    return check_report("test_learning_curve");
}
