#include "batch.h"

#include "choice.h"
#include "cores.h"
#include "crew.h"
#include "file.h"
#include "folds.h"
#include "number.h"
#include "predictor.h"
#include "progress.h"
#include "table.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TRAIN_NAME  "train.tsv"
#define TEST_NAME   "test.tsv"
#define OUTPUT_NAME "output.txt"

/* A table being read, and where it is. */
struct input {
    char path[PATH_MAX];
    struct table *table;
    struct progress progress;
};

struct batch {
    const char *directory;
    struct input train, test;
    char output_path[PATH_MAX];
    unsigned threads;
    size_t features;
    size_t place[TABLE_COLUMNS_MAX]; /* of the test table's columns among the features */
    bool may_choose;
    struct choice choice;
    struct predictor *model;
    uint64_t clipped;
    struct timespec begun;
};

static bool set_path(char path[static PATH_MAX], const char *directory, const char *name,
                     struct error *error)
{
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX)
        return true;
    return error_set(error, ERROR_UNUSABLE, "the path is too long: %.100s…", directory);
}

static bool input_open(struct input *input, const char *directory, const char *name,
                       struct error *error)
{
    if (!set_path(input->path, directory, name, error))
        return false;
    input->table = table_open(input->path, error);
    if (!input->table)
        return false;
    progress_begin(&input->progress, name, input->path);
    return true;
}

static void input_close(struct input *input)
{
    progress_end(&input->progress);
    table_free(input->table);
}

static bool test_error(struct error *error, const char *problem, const char *name)
{
    return error_set(error, ERROR_UNUSABLE, TEST_NAME ":1: column %s %s", name, problem);
}

/* The training column of that name, or table_columns(train). */
static size_t find_column(const struct table *train, const char *name)
{
    size_t column = 0;
    while (column < table_columns(train) && strcmp(table_column_name(train, column), name) != 0)
        column++;
    return column;
}

static bool match_by_name(struct batch *batch, struct error *error)
{
    const struct table *train = batch->train.table, *test = batch->test.table;
    bool present[TABLE_COLUMNS_MAX] = {false};
    for (size_t i = 0; i < table_columns(test); i++) {
        const char *name = table_column_name(test, i);
        size_t column = find_column(train, name);
        if (column == batch->features)
            return test_error(error, "is the target in " TRAIN_NAME, name);
        if (column > batch->features)
            return test_error(error, "is not in " TRAIN_NAME, name);
        batch->place[i] = column;
        present[column] = true;
    }
    for (size_t column = 0; column < batch->features; column++)
        if (!present[column])
            return test_error(error, "is missing", table_column_name(train, column));
    return true;
}

static bool match_by_position(struct batch *batch, struct error *error)
{
    size_t columns = table_columns(batch->test.table);
    if (columns != batch->features)
        return error_set(error, ERROR_UNUSABLE,
                         TEST_NAME ":1: %zu column%s where " TRAIN_NAME " has %zu feature%s",
                         columns, columns == 1 ? "" : "s", batch->features,
                         batch->features == 1 ? "" : "s");
    for (size_t i = 0; i < columns; i++)
        batch->place[i] = i;
    return true;
}

static bool match_columns(struct batch *batch, struct error *error)
{
    size_t columns = table_columns(batch->train.table);
    if (columns < 2)
        return error_set(error, ERROR_UNUSABLE,
                         TRAIN_NAME ":1: one column is not enough: features, then the target");
    batch->features = columns - 1;
    if (table_has_header(batch->train.table) && table_has_header(batch->test.table))
        return match_by_name(batch, error);
    return match_by_position(batch, error);
}

/* One thread's share of the learning. */
struct learner {
    const struct table *table;
    struct folds *folds;
};

static bool reserve_row(struct learner *learner, const double *row, uint64_t line,
                        struct error *error)
{
    switch (folds_reserve(learner->folds, row, 1)) {
    case MOMENTS_OK:
        return true;
    case MOMENTS_NO_MEMORY:
        return error_memory(error);
    case MOMENTS_TOO_WIDE:
        break;
    }
    return error_set(error, ERROR_UNUSABLE,
                     TRAIN_NAME ":%llu: the values of so many columns span too wide a range to be "
                                "summed exactly",
                     (unsigned long long)line);
}

static bool add_block(void *own, struct table_block *block, struct error *error)
{
    struct learner *learner = own;
    double row[TABLE_COLUMNS_MAX];
    enum table_result result;
    while ((result = table_block_next(learner->table, block, row, error)) == TABLE_ROW) {
        if (!reserve_row(learner, row, block->line, error))
            return false;
        folds_add(learner->folds, row, 1);
    }
    return result == TABLE_END;
}

static bool add_block_terms(void *own, struct table_block *block, struct error *error)
{
    struct learner *learner = own;
    double row[TABLE_COLUMNS_MAX];
    enum table_result result;
    while ((result = table_block_next(learner->table, block, row, error)) == TABLE_ROW)
        folds_add_terms(learner->folds, row, 1);
    return result == TABLE_END;
}

/* However many there are, they take no more memory than one may, so that a small container will do;
 * and with more than one no row is too wide for all together that was not for its own. */
static size_t count_learners(const struct batch *batch)
{
    size_t room = MOMENTS_MAX_BYTES / moments_bytes_max(batch->features, false);
    return room < 1 ? 1 : room < batch->threads ? room : batch->threads;
}

/* Has all rows that are left worked on, by `count` learners. */
static bool read_rows(struct batch *batch, const struct crew_work *work, struct learner *learners,
                      size_t count, struct error *error)
{
    void *own[CREW_MAX];
    for (size_t i = 0; i < count; i++) {
        learners[i].table = batch->train.table;
        own[i] = &learners[i];
    }
    bool ok = crew_run(work, own, count, batch->train.table, &batch->train.progress, error);
    progress_end(&batch->train.progress);
    return ok;
}

/* The sums are exact, so it does not matter which rows are in which part. */
static bool merge(struct learner *learners, size_t count, struct error *error)
{
    for (size_t i = 1; i < count; i++)
        if (folds_merge(learners[0].folds, learners[i].folds) != MOMENTS_OK)
            return error_memory(error);
    return true;
}

/* The sums of all rows' features, in the first learner. */
static bool learn_features(struct batch *batch, struct learner *learners, size_t count,
                           struct error *error)
{
    static const struct crew_work work = {.work = add_block};
    size_t parts = folds_parts(batch->features, batch->may_choose);
    for (size_t i = 0; i < count; i++)
        if (!(learners[i].folds = folds_new(batch->features, parts)))
            return error_memory(error);
    return read_rows(batch, &work, learners, count, error) && merge(learners, count, error);
}

/* A pipe cannot be read twice. */
static bool reopen(struct batch *batch, bool *again, struct error *error)
{
    struct stat status;
    *again = stat(batch->train.path, &status) == 0 && S_ISREG(status.st_mode);
    if (!*again)
        return true;
    input_close(&batch->train);
    return input_open(&batch->train, batch->directory, TRAIN_NAME, error);
}

static bool begin_terms(struct learner *learners, size_t count, struct error *error)
{
    struct folds_set set = {1, {learners[0].folds}};
    struct moments *all = folds_set_moments(&set);
    struct term_maps *maps = all ? term_maps_new(all) : NULL;
    bool ok = maps != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = folds_begin_terms(learners[i].folds, maps);
    term_maps_free(maps);
    moments_free(all);
    return ok || error_memory(error);
}

/* The sums of the terms, which need to know where the columns lie: a second reading. */
static bool learn_terms(struct batch *batch, struct learner *learners, size_t count,
                        struct error *error)
{
    static const struct crew_work work = {.work = add_block_terms};
    bool again;
    if (!reopen(batch, &again, error))
        return false;
    if (!again)
        return true;
    int64_t rows = folds_rows(learners[0].folds);
    if (!begin_terms(learners, count, error) || !read_rows(batch, &work, learners, count, error))
        return false;
    for (size_t i = 1; i < count; i++)
        folds_merge_terms(learners[0].folds, learners[i].folds);
    return learners[0].folds->term_rows == rows ||
           error_set(error, ERROR_UNUSABLE, TRAIN_NAME ": was changed while it was read");
}

/* Puts the name of the file, and of the column if it is about one, before what fit_new said. */
static void name_fit_error(const struct batch *batch, size_t column, struct error *error)
{
    struct error cause = *error;
    if (cause.kind != ERROR_UNUSABLE)
        return;
    const char *what = column ? "column " : "the intercept";
    const char *name = column ? table_column_name(batch->train.table, column - 1) : "";
    error_set(error, cause.kind, TRAIN_NAME ": %s%s: %.200s", what, name, cause.text);
}

static bool fit(struct batch *batch, const struct folds_set *set, struct error *error)
{
    size_t column = 0;
    if (!choose(&batch->choice, set, error))
        return false;
    enum candidate chosen = batch->choice.candidate;
    batch->model = predictor_new(chosen, batch->choice.trials[chosen].penalty, set, &column, error);
    if (!batch->model)
        name_fit_error(batch, column, error);
    return batch->model != NULL;
}

static bool fit_rows(struct batch *batch, struct learner *learners, size_t count,
                     struct error *error)
{
    struct folds *folds = learners[0].folds;
    if (folds_rows(folds) == 0)
        return error_set(error, ERROR_UNUSABLE, TRAIN_NAME ": no rows to learn from");
    bool may_choose = folds->parts == FOLDS && folds_rows(folds) >= CHOICE_ROWS_MIN;
    return (!may_choose || learn_terms(batch, learners, count, error)) &&
           fit(batch, &(struct folds_set){1, {folds}}, error);
}

static bool learn(struct batch *batch, struct error *error)
{
    struct learner learners[CREW_MAX] = {0};
    size_t count = count_learners(batch);
    bool ok =
        learn_features(batch, learners, count, error) && fit_rows(batch, learners, count, error);
    for (size_t i = 0; i < count; i++)
        folds_free(learners[i].folds);
    return ok;
}

/* One thread's share of the predicting. */
struct worker {
    const struct batch *batch;
    struct file_writer *output; /* of all */
    struct buffer text;         /* the predictions of a block */
    uint64_t rows, clipped;     /* how many it has made so far, and brought back into the range */
};

static bool predict_row(struct worker *worker, const double *row, uint64_t line,
                        struct error *error)
{
    const struct batch *batch = worker->batch;
    double x[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < batch->features; i++)
        x[batch->place[i]] = row[i];
    bool clipped;
    double prediction = predictor_predict(batch->model, x, &clipped);
    worker->clipped += clipped;
    if (!isfinite(prediction))
        return error_set(error, ERROR_UNUSABLE,
                         TEST_NAME ":%llu: the prediction is out of the range of doubles",
                         (unsigned long long)line);
    char *text = buffer_reserve(&worker->text, NUMBER_TEXT_MAX + 1);
    if (!text)
        return error_memory(error);
    size_t length = number_format(prediction, text);
    text[length] = '\n';
    worker->text.length += length + 1;
    worker->rows++;
    return true;
}

static bool predict_block(void *own, struct table_block *block, struct error *error)
{
    struct worker *worker = own;
    double row[TABLE_COLUMNS_MAX];
    enum table_result result;
    buffer_clear(&worker->text);
    while ((result = table_block_next(worker->batch->test.table, block, row, error)) == TABLE_ROW)
        if (!predict_row(worker, row, block->line, error))
            return false;
    return result == TABLE_END;
}

static bool write_predictions(void *own, struct error *error)
{
    const struct worker *worker = own;
    return file_write(worker->output, worker->text.data, worker->text.length, error);
}

static bool predict_rows(struct batch *batch, struct file_writer *output, uint64_t *rows,
                         struct error *error)
{
    static const struct crew_work work = {.work = predict_block, .hand_in = write_predictions};
    struct worker workers[CREW_MAX];
    void *own[CREW_MAX];
    for (size_t i = 0; i < batch->threads; i++) {
        workers[i] = (struct worker){.batch = batch, .output = output};
        own[i] = &workers[i];
    }
    bool predicted =
        crew_run(&work, own, batch->threads, batch->test.table, &batch->test.progress, error);
    *rows = 0;
    for (size_t i = 0; i < batch->threads; i++) {
        *rows += workers[i].rows;
        batch->clipped += workers[i].clipped;
        buffer_free(&workers[i].text);
    }
    return predicted;
}

static bool predict(struct batch *batch, uint64_t *rows, struct error *error)
{
    struct file_writer output;
    if (!file_begin(&output, batch->output_path, error))
        return false;
    bool predicted = predict_rows(batch, &output, rows, error);
    progress_end(&batch->test.progress);
    if (predicted)
        return file_commit(&output, true, error);
    file_abort(&output);
    return false;
}

static double seconds_since(const struct timespec *begun)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) * 1e-9;
}

static void report_aliased(const struct batch *batch)
{
    const char *before = "aliased, with coefficient 0: ";
    if (batch->model->fit->rank == batch->features + 1)
        return;
    for (size_t i = 0; i < batch->features; i++) {
        if (batch->model->fit->aliased[i]) {
            fprintf(stderr, "%s%s", before, table_column_name(batch->train.table, i));
            before = ", ";
        }
    }
    fputc('\n', stderr);
}

/* A figure need not exist: R² of a constant target, an error whose square is no double. */
static void format_figure(double value, char text[static NUMBER_TEXT_MAX])
{
    if (isfinite(value))
        number_format(value, text);
    else
        strcpy(text, "undefined");
}

/* What each candidate's predictions would be off by, root mean square, on rows not learnt from. */
static void report_choice(const struct batch *batch)
{
    if (batch->choice.trials[LEAST_SQUARES].terms == 0)
        return;
    fprintf(stderr, "model: %s", candidate_name(batch->choice.candidate));
    for (size_t c = 0; c < CANDIDATES; c++)
        if (batch->choice.trials[c].terms > 0)
            fprintf(stderr, "%s %s %.4g",
                    c ? "," : "; cross-validated error:", candidate_name((enum candidate)c),
                    sqrt(batch->choice.trials[c].error));
    fputc('\n', stderr);
}

static void report(const struct batch *batch, uint64_t predictions)
{
    const struct fit *fit = batch->model->fit;
    char mse[NUMBER_TEXT_MAX], r2[NUMBER_TEXT_MAX];
    format_figure(fit->mse, mse);
    format_figure(fit->r2, r2);
    fprintf(stderr,
            TRAIN_NAME ": %lld rows, %zu features, rank %zu, mean squared error %s, R² %s\n",
            (long long)fit->rows, fit->features, fit->rank, mse, r2);
    report_aliased(batch);
    report_choice(batch);
    fprintf(stderr, TEST_NAME ": %llu predictions in " OUTPUT_NAME ", %.2f seconds in all\n",
            (unsigned long long)predictions, seconds_since(&batch->begun));
    if (batch->clipped > 0)
        fprintf(stderr,
                TEST_NAME ": %llu of them would be far beyond the targets seen, and were brought "
                          "back\n",
                (unsigned long long)batch->clipped);
}

static bool run(struct batch *batch, struct error *error)
{
    const char *directory = batch->directory;
    uint64_t predictions;
    bool done = set_path(batch->output_path, directory, OUTPUT_NAME, error) &&
                input_open(&batch->train, directory, TRAIN_NAME, error) &&
                input_open(&batch->test, directory, TEST_NAME, error) &&
                match_columns(batch, error) && learn(batch, error) &&
                predict(batch, &predictions, error);
    if (done)
        report(batch, predictions);
    return done;
}

bool batch_run_threads(const char *directory, bool may_choose, unsigned threads,
                       struct error *error)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return error_memory(error);
    batch->directory = directory;
    batch->may_choose = may_choose;
    batch->threads = threads < CREW_MAX ? threads : CREW_MAX;
    clock_gettime(CLOCK_MONOTONIC, &batch->begun);
    bool done = run(batch, error);
    input_close(&batch->train);
    input_close(&batch->test);
    predictor_free(batch->model);
    free(batch);
    return done;
}

bool batch_run(const char *directory, bool may_choose, struct error *error)
{
    return batch_run_threads(directory, may_choose, cores_allowed(), error);
}
