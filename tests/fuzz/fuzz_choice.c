/* Choice: the input is rows of doubles (see fuzz.h), the last column the target, however wild. */
#include "choice.h"
#include "fuzz.h"
#include "predictor.h"

struct lesson {
    struct folds_set set;
    struct choice choice;
    struct predictor *predictor; /* NULL: least squares has no answer either */
};

static void learn(struct lesson *lesson, const struct rows *rows, bool backwards)
{
    struct error error = {0};
    size_t column = 0;
    lesson->set = (struct folds_set){1, {folds_new(NULL, rows->columns - 1, FOLDS)}, NULL};
    WANT(lesson->set.of[0]);
    for (size_t i = 0; i < rows->count; i++) {
        size_t at = backwards ? rows->count - 1 - i : i;
        WANT(folds_reserve_accepted(lesson->set.of[0], rows->values[at], rows->weights[at]));
        folds_add(lesson->set.of[0], rows->values[at], rows->weights[at]);
    }
    struct term_maps *maps = folds_set_maps(&lesson->set);
    WANT(maps && folds_begin_terms(lesson->set.of[0], maps));
    term_maps_free(maps);
    for (size_t i = 0; i < rows->count; i++) {
        size_t at = backwards ? rows->count - 1 - i : i;
        folds_add_terms(lesson->set.of[0], rows->values[at], rows->weights[at]);
    }
    WANT(choose(&lesson->choice, &lesson->set, &error));
    lesson->predictor = predictor_new(lesson->choice.candidate,
                                      lesson->choice.trials[lesson->choice.candidate].penalty,
                                      &lesson->set, &column, &error);
    WANT(lesson->predictor || is_told(&error));
}

static void forget(struct lesson *lesson)
{
    predictor_free(lesson->predictor);
    folds_free(lesson->set.of[0]);
}

static void check_predictions(const struct lesson *a, const struct lesson *b,
                              const struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        bool clipped;
        double prediction = predictor_predict(a->predictor, rows->values[i], &clipped);
        WANT(!isnan(prediction));
        WANT(same_double(prediction, predictor_predict(b->predictor, rows->values[i], &clipped)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows rows;
    struct lesson forwards = {.predictor = NULL}, backwards = {.predictor = NULL};
    rows_take(&rows, data, size);
    if (rows.count == 0)
        return 0;
    learn(&forwards, &rows, false);
    learn(&backwards, &rows, true);
    WANT(forwards.choice.candidate == backwards.choice.candidate);
    WANT(!forwards.predictor == !backwards.predictor);
    if (forwards.predictor)
        check_predictions(&forwards, &backwards, &rows);
    forget(&forwards);
    forget(&backwards);
    return 0;
}
