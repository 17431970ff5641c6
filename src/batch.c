#include "batch.h"

#include "choice.h"
#include "columns.h"
#include "cores.h"
#include "crew.h"
#include "file.h"
#include "folds.h"
#include "levels.h"
#include "number.h"
#include "predictor.h"
#include "progress.h"
#include "report.h"
#include "residuals.h"
#include "study.h"
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
#define REPORT_NAME "report.html"

/* A table being read, and where it is. */
struct input {
    char path[PATH_MAX];
    struct table *table;
    struct progress progress;
};

struct batch {
    const char *directory;
    struct input train, test;
    char output_path[PATH_MAX], report_path[PATH_MAX];
    unsigned threads;
    struct columns columns; /* of the training table */
    enum cell_kind *kinds;  /* of the features; owned */
    unsigned options;
    /* of the test table's columns among the features; behind the target's what is passed over */
    size_t place[TABLE_COLUMNS_MAX], test_columns;
    struct choice choice;
    struct predictor *model;
    struct study study;
    struct residuals residuals;
    bool has_residuals;
    uint64_t predictions, clipped, unseen;
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

/* The feature of that name; beyond them all the target, and beyond that no column is. */
static size_t find_feature(const struct columns *columns, const char *name)
{
    size_t j = 0;
    while (j <= columns->features && strcmp(columns->names[j], name) != 0)
        j++;
    return j;
}

static bool match_by_name(struct batch *batch, struct error *error)
{
    const struct columns *train = &batch->columns;
    const struct table *test = batch->test.table;
    bool present[TABLE_COLUMNS_MAX] = {false};
    for (size_t i = 0; i < table_columns(test); i++) {
        const char *name = table_column_name(test, i);
        size_t j = columns_is_weight(name) ? train->features + 1 : find_feature(train, name);
        if (j == train->features)
            return test_error(error, "is the target in " TRAIN_NAME, name);
        if (j > train->features && !columns_is_weight(name))
            return test_error(error, "is not in " TRAIN_NAME, name);
        batch->place[i] = j;
        present[j] = true;
    }
    for (size_t j = 0; j < train->features; j++)
        if (!present[j])
            return test_error(error, "is missing", train->names[j]);
    return true;
}

static bool match_by_position(struct batch *batch, struct error *error)
{
    size_t columns = table_columns(batch->test.table);
    if (columns != batch->columns.features)
        return error_set(error, ERROR_UNUSABLE,
                         TEST_NAME ":1: %zu column%s where " TRAIN_NAME " has %zu feature%s",
                         columns, columns == 1 ? "" : "s", batch->columns.features,
                         batch->columns.features == 1 ? "" : "s");
    for (size_t i = 0; i < columns; i++)
        batch->place[i] = i;
    return true;
}

/* Tells the training table what its columns are, as far as that is known. */
static void set_columns(const struct batch *batch, struct table *table)
{
    if (batch->options & BATCH_MISSING)
        table_allow_missing(table);
    for (size_t i = 0; i < batch->columns.features; i++)
        if (batch->kinds[i] == CELL_CATEGORY)
            table_set_category(table, columns_of_feature(&batch->columns, i));
}

/* The kinds of the features, by the first row. */
static bool find_kinds(struct batch *batch, struct error *error)
{
    struct table *table = batch->train.table;
    batch->kinds = calloc(batch->columns.features, sizeof *batch->kinds);
    if (!batch->kinds)
        return error_memory(error);
    set_columns(batch, table);
    if (!table_guess_categories(table, error))
        return false;
    for (size_t i = 0; i < batch->columns.features; i++)
        batch->kinds[i] = table_is_category(table, columns_of_feature(&batch->columns, i))
                              ? CELL_CATEGORY
                              : CELL_NUMBER;
    return true;
}

/* The test table's columns are what those of the training table are. */
static void set_test_columns(struct batch *batch)
{
    struct table *table = batch->test.table;
    table_forget_texts(table);
    if (batch->options & BATCH_MISSING)
        table_allow_missing(table);
    for (size_t i = 0; i < table_columns(table); i++)
        if (batch->place[i] < batch->columns.features &&
            batch->kinds[batch->place[i]] == CELL_CATEGORY)
            table_set_category(table, i);
}

static bool match_columns(struct batch *batch, struct error *error)
{
    if (!columns_find(&batch->columns, batch->train.table, TRAIN_NAME, error))
        return false;
    bool by_name = table_has_header(batch->train.table) && table_has_header(batch->test.table);
    if (!(by_name ? match_by_name(batch, error) : match_by_position(batch, error)) ||
        !find_kinds(batch, error))
        return false;
    batch->test_columns = table_columns(batch->test.table);
    set_test_columns(batch);
    return true;
}

/* One thread's share of the learning. */
struct learner {
    const struct table *table;
    const struct columns *columns;
    struct folds *folds;
};

static bool reserve_row(struct learner *learner, const double *row, uint64_t line,
                        struct error *error)
{
    struct error why;
    size_t feature;
    if (folds_reserve(learner->folds, row, row[learner->columns->features + 1], &feature, &why))
        return true;
    if (feature == SIZE_MAX)
        return error_set(error, why.kind, TRAIN_NAME ":%llu: %s", (unsigned long long)line,
                         why.text);
    return error_set(error, why.kind, TRAIN_NAME ":%llu: column %.100s %.300s",
                     (unsigned long long)line, learner->columns->names[feature], why.text);
}

/* A row as the sums take it: with its weight. */
static enum table_result next_row(const struct learner *learner, struct table_block *block,
                                  double *row, struct error *error)
{
    enum table_result result = table_block_next(learner->table, block, row, error);
    if (result == TABLE_ROW && !columns_arrange(learner->columns, row, block->line, error))
        return TABLE_ERROR;
    return result;
}

static bool add_block(void *own, struct table_block *block, struct error *error)
{
    struct learner *learner = own;
    size_t weight = learner->columns->features + 1;
    double row[TABLE_COLUMNS_MAX + 1];
    enum table_result result;
    while ((result = next_row(learner, block, row, error)) == TABLE_ROW) {
        if (!reserve_row(learner, row, block->line, error))
            return false;
        folds_add(learner->folds, row, row[weight]);
    }
    return result == TABLE_END;
}

static bool add_block_terms(void *own, struct table_block *block, struct error *error)
{
    struct learner *learner = own;
    size_t weight = learner->columns->features + 1;
    double row[TABLE_COLUMNS_MAX + 1];
    enum table_result result;
    while ((result = next_row(learner, block, row, error)) == TABLE_ROW)
        folds_add_terms(learner->folds, row, row[weight]);
    return result == TABLE_END;
}

/* Can rows bring columns? */
static bool has_levels(const struct batch *batch)
{
    bool any = batch->options & BATCH_MISSING;
    for (size_t i = 0; i < batch->columns.features; i++)
        any |= batch->kinds[i] == CELL_CATEGORY;
    return any;
}

/* However many there are, they take no more memory than one may, so that a small container will do;
 * and with more than one no row is too wide for all together that was not for its own. Only one
 * where rows bring columns: which row has one too many depends on all rows before it. */
static size_t count_learners(const struct batch *batch)
{
    if (has_levels(batch))
        return 1;
    bool weighted = batch->columns.weight != SIZE_MAX;
    size_t room = MOMENTS_MAX_BYTES / moments_bytes_max(batch->columns.features, weighted);
    return room < 1 ? 1 : room < batch->threads ? room : batch->threads;
}

/* Has all rows that are left worked on, by `count` learners. */
static bool read_rows(struct batch *batch, const struct crew_work *work, struct learner *learners,
                      size_t count, struct error *error)
{
    void *own[CREW_MAX];
    for (size_t i = 0; i < count; i++) {
        learners[i].table = batch->train.table;
        learners[i].columns = &batch->columns;
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
        if (!folds_merge(learners[0].folds, learners[i].folds))
            return error_memory(error);
    return true;
}

/* The sums of all rows' features, in the first learner. */
static bool learn_features(struct batch *batch, struct learner *learners, size_t count,
                           struct error *error)
{
    static const struct crew_work work = {.work = add_block};
    size_t parts =
        folds_parts(batch->columns.features, batch->options & (BATCH_CHOOSE | BATCH_REPORT));
    for (size_t i = 0; i < count; i++)
        if (!(learners[i].folds = folds_new(batch->kinds, batch->columns.features, parts)))
            return error_memory(error);
    return read_rows(batch, &work, learners, count, error) && merge(learners, count, error);
}

static bool changed_error(struct error *error)
{
    return error_set(error, ERROR_UNUSABLE, TRAIN_NAME ": was changed while it was read");
}

/* A pipe cannot be read twice. */
static bool reopen(struct batch *batch, bool *again, struct error *error)
{
    struct stat status;
    *again = stat(batch->train.path, &status) == 0 && S_ISREG(status.st_mode);
    if (!*again)
        return true;
    input_close(&batch->train);
    if (!input_open(&batch->train, batch->directory, TRAIN_NAME, error))
        return false;
    size_t features = batch->columns.features;
    if (!columns_find(&batch->columns, batch->train.table, TRAIN_NAME, error))
        return false;
    if (batch->columns.features != features)
        return changed_error(error);
    set_columns(batch, batch->train.table);
    return true;
}

static bool begin_terms(struct learner *learners, size_t count, struct error *error)
{
    struct folds_set set = {1, {learners[0].folds}, NULL};
    struct term_maps *maps = folds_set_maps(&set);
    bool ok = maps != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = folds_begin_terms(learners[i].folds, maps);
    term_maps_free(maps);
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
    return learners[0].folds->term_rows == rows || changed_error(error);
}

/* Puts the name of the file, and of the column if it is about one, before what was said. */
static void name_fit_error(const struct batch *batch, const struct encoding *encoding,
                           size_t column, struct error *error)
{
    struct error cause;
    if (column != SIZE_MAX)
        column_name_error(batch->columns.names, encoding, column, error);
    cause = *error;
    if (cause.kind == ERROR_UNUSABLE)
        error_set(error, cause.kind, TRAIN_NAME ": %.400s", cause.text);
}

static bool fit_columns(struct batch *batch, const struct folds_set *set, struct error *error)
{
    size_t column;
    if (batch->options & BATCH_CHOOSE && !choose(&batch->choice, set, error))
        return false;
    enum candidate chosen = batch->choice.candidate;
    batch->model = predictor_new(chosen, batch->choice.trials[chosen].penalty, set, &column, error);
    if (!batch->model)
        name_fit_error(batch, set->encoding, column, error);
    return batch->model && (!(batch->options & BATCH_REPORT) ||
                            study_rows(&batch->study, set, batch->model, error));
}

static bool fit(struct batch *batch, struct folds *folds, struct error *error)
{
    struct folds_set set = {1, {folds}, NULL};
    struct encoding *encoding = folds_set_encoding(&set, NULL);
    set.encoding = encoding;
    bool ok = encoding ? fit_columns(batch, &set, error) : error_memory(error);
    encoding_free(encoding);
    return ok;
}

static bool fit_rows(struct batch *batch, struct learner *learners, size_t count,
                     struct error *error)
{
    struct folds *folds = learners[0].folds;
    if (folds_rows(folds) == 0)
        return error_set(error, ERROR_UNUSABLE, TRAIN_NAME ": no rows to learn from");
    bool wants_terms = batch->options & BATCH_CHOOSE && folds->parts == FOLDS &&
                       folds_rows(folds) >= CHOICE_ROWS_MIN &&
                       encoding_numbers(folds->encoding) > 0;
    return (!wants_terms || learn_terms(batch, learners, count, error)) && fit(batch, folds, error);
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

/* How the model does on the rows that it was made from, for the report. */
static bool review(struct batch *batch, struct error *error)
{
    uint64_t rows = (uint64_t)batch->model->fit->rows;
    if (!(batch->options & BATCH_REPORT))
        return true;
    if (!reopen(batch, &batch->has_residuals, error))
        return false;
    if (!batch->has_residuals)
        return true;
    residuals_begin(&batch->residuals, rows, sqrt(batch->model->fit->mse));
    bool ok = residuals_read(&batch->residuals, batch->model, batch->train.table, &batch->columns,
                             &batch->train.progress, batch->threads, error);
    progress_end(&batch->train.progress);
    return ok && (batch->residuals.rows == rows || changed_error(error));
}

/* One thread's share of the predicting. */
struct worker {
    const struct batch *batch;
    struct file_writer *output; /* of all */
    struct buffer text;         /* the predictions of a block */
    /* how many it has made so far, brought back into the range, and made of something unseen */
    uint64_t rows, clipped, unseen;
};

static bool check_known(struct worker *worker, const double *x, uint64_t line, struct error *error)
{
    const struct batch *batch = worker->batch;
    if (encoding_knows(batch->model->encoding, x))
        return true;
    worker->unseen++;
    if (batch->options & BATCH_UNSEEN)
        return true;
    size_t j = 0;
    while (encoding_knows_cell(batch->model->encoding, x, j))
        j++;
    return error_set(error, ERROR_UNUSABLE,
                     TEST_NAME ":%llu: column %s: %s in " TRAIN_NAME
                               "; UNSEEN=base predicts nevertheless",
                     (unsigned long long)line, batch->columns.names[j],
                     isnan(x[j]) ? "the cell is empty, which none is" : "this level is not");
}

static bool predict_row(struct worker *worker, const double *row, uint64_t line,
                        struct error *error)
{
    const struct batch *batch = worker->batch;
    double x[TABLE_COLUMNS_MAX + 2];
    x[batch->columns.features] = 0; /* where the target would be */
    for (size_t i = 0; i < batch->test_columns; i++)
        x[batch->place[i]] = row[i];
    bool clipped;
    if (!check_known(worker, x, line, error))
        return false;
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

static bool predict_rows(struct batch *batch, struct file_writer *output, struct error *error)
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
    for (size_t i = 0; i < batch->threads; i++) {
        batch->predictions += workers[i].rows;
        batch->clipped += workers[i].clipped;
        batch->unseen += workers[i].unseen;
        buffer_free(&workers[i].text);
    }
    return predicted;
}

static bool write_report(const struct batch *batch, struct error *error)
{
    struct report report = {.train_name = TRAIN_NAME,
                            .test_name = TEST_NAME,
                            .columns = &batch->columns,
                            .has_header = table_has_header(batch->train.table),
                            .may_choose = batch->options & BATCH_CHOOSE,
                            .choice = &batch->choice,
                            .model = batch->model,
                            .study = &batch->study,
                            .residuals = batch->has_residuals ? &batch->residuals : NULL,
                            .predictions = batch->predictions,
                            .clipped = batch->clipped};
    return !(batch->options & BATCH_REPORT) || report_write(&report, batch->report_path, error);
}

/* The report comes first, so that the output is as it was when that fails. */
static bool predict(struct batch *batch, struct error *error)
{
    struct file_writer output;
    if (!file_begin(&output, batch->output_path, error))
        return false;
    bool predicted = predict_rows(batch, &output, error);
    progress_end(&batch->test.progress);
    if (predicted && write_report(batch, error))
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

static void summarise_aliased(const struct batch *batch)
{
    const char *before = "aliased, with coefficient 0: ";
    const struct fit *fit = batch->model->fit;
    struct buffer names = {0};
    for (size_t i = 0; i < fit->features; i++)
        if (fit->aliased[i]) {
            buffer_puts(&names, before);
            column_name(batch->columns.names, batch->model->encoding, i, &names);
            before = ", ";
        }
    if (names.length > 0)
        fprintf(stderr, "%.*s\n", (int)names.length, names.data);
    buffer_free(&names);
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
static void summarise_choice(const struct batch *batch)
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

static void summarise(const struct batch *batch)
{
    const struct fit *fit = batch->model->fit;
    char mse[NUMBER_TEXT_MAX], r2[NUMBER_TEXT_MAX];
    format_figure(fit->mse, mse);
    format_figure(fit->r2, r2);
    fprintf(stderr,
            TRAIN_NAME ": %lld rows%s, %zu features, rank %zu, mean squared error %s, R² %s\n",
            (long long)fit->rows, batch->columns.weight == SIZE_MAX ? "" : " weighted by _weight",
            batch->columns.features, fit->rank, mse, r2);
    summarise_aliased(batch);
    summarise_choice(batch);
    fprintf(stderr, TEST_NAME ": %llu predictions in " OUTPUT_NAME ", %.2f seconds in all\n",
            (unsigned long long)batch->predictions, seconds_since(&batch->begun));
    if (batch->clipped > 0)
        fprintf(stderr,
                TEST_NAME ": %llu of them would be far beyond the targets seen, and were brought "
                          "back\n",
                (unsigned long long)batch->clipped);
    if (batch->unseen > 0)
        fprintf(stderr,
                TEST_NAME ": %llu of them are of rows with something that " TRAIN_NAME
                          " does not have\n",
                (unsigned long long)batch->unseen);
    if (batch->options & BATCH_REPORT)
        fputs(REPORT_NAME ": how good that is, in pictures, for a browser\n", stderr);
}

static bool run(struct batch *batch, struct error *error)
{
    const char *directory = batch->directory;
    bool done = set_path(batch->output_path, directory, OUTPUT_NAME, error) &&
                set_path(batch->report_path, directory, REPORT_NAME, error) &&
                input_open(&batch->train, directory, TRAIN_NAME, error) &&
                input_open(&batch->test, directory, TEST_NAME, error) &&
                match_columns(batch, error) && learn(batch, error) && review(batch, error) &&
                predict(batch, error);
    if (done)
        summarise(batch);
    return done;
}

bool batch_run_threads(const char *directory, unsigned options, unsigned threads,
                       struct error *error)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return error_memory(error);
    batch->directory = directory;
    batch->options = options;
    batch->threads = threads < CREW_MAX ? threads : CREW_MAX;
    clock_gettime(CLOCK_MONOTONIC, &batch->begun);
    bool done = run(batch, error);
    input_close(&batch->train);
    input_close(&batch->test);
    predictor_free(batch->model);
    free(batch->kinds);
    study_free(&batch->study);
    residuals_free(&batch->residuals);
    free(batch);
    return done;
}

bool batch_run(const char *directory, unsigned options, struct error *error)
{
    return batch_run_threads(directory, options, cores_allowed(), error);
}
