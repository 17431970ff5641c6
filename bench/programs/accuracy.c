/* accuracy DATA [SPLITS]: what the models predict on rows that they have not seen. DATA is a table
 * with the target last; each line of SPLITS has the numbers, from 0, of the rows to be predicted
 * from all others. Without SPLITS ten folds are made, row by row in turn.
 *
 * Prints one line: the mean over the splits of the test RMSE of what is chosen, of least squares,
 * and how often each candidate was chosen. */
#include "choice.h"
#include "predictor.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FOLDS_MADE = 10 };

static void die(const char *why)
{
    fprintf(stderr, "accuracy: %s\n", why);
    exit(1);
}

struct data {
    size_t columns, rows;
    double *cells;
};

static void read_data(struct data *data, const char *path)
{
    struct error error;
    struct table *table = table_open(path, &error);
    if (!table)
        die(error.text);
    enum table_result result;
    data->columns = table_columns(table);
    double row[TABLE_COLUMNS_MAX];
    while ((result = table_next(table, row, &error)) == TABLE_ROW) {
        data->cells = realloc(data->cells, (data->rows + 1) * data->columns * sizeof *row);
        if (!data->cells)
            die("out of memory");
        memcpy(data->cells + data->rows++ * data->columns, row, data->columns * sizeof *row);
    }
    if (result == TABLE_ERROR)
        die(error.text);
    table_free(table);
}

struct outcome {
    double chosen, linear; /* RMSE */
    enum candidate candidate;
};

static double *row_at(const struct data *data, size_t row)
{
    return data->cells + row * data->columns;
}

static struct folds *learn(const struct data *data, const bool *is_test)
{
    struct folds *folds = folds_new(NULL, data->columns - 1, FOLDS);
    if (!folds)
        die("out of memory");
    for (size_t i = 0; i < data->rows; i++)
        if (!is_test[i]) {
            if (!folds_reserve_accepted(folds, row_at(data, i), 1))
                die("a row cannot be summed");
            folds_add(folds, row_at(data, i), 1);
        }
    struct term_maps *maps = folds_set_maps(&(struct folds_set){1, {folds}, NULL});
    if (!maps || !folds_begin_terms(folds, maps))
        die("out of memory");
    term_maps_free(maps);
    for (size_t i = 0; i < data->rows; i++)
        if (!is_test[i])
            folds_add_terms(folds, row_at(data, i), 1);
    return folds;
}

static double test_rmse(const struct data *data, const bool *is_test, enum candidate candidate,
                        double penalty, const struct folds_set *set)
{
    struct error error;
    size_t column, tests = 0;
    double squares = 0;
    struct predictor *predictor = predictor_new(candidate, penalty, set, &column, &error);
    if (!predictor)
        die(error.text);
    for (size_t i = 0; i < data->rows; i++)
        if (is_test[i]) {
            bool clipped;
            double *row = row_at(data, i);
            double residual = row[data->columns - 1] - predictor_predict(predictor, row, &clipped);
            squares += residual * residual;
            tests++;
        }
    predictor_free(predictor);
    return sqrt(squares / (double)tests);
}

static struct outcome measure(const struct data *data, const bool *is_test)
{
    struct folds_set set = {1, {learn(data, is_test)}, NULL};
    struct choice choice;
    struct error error;
    if (!choose(&choice, &set, &error))
        die(error.text);
    if (getenv("VERBOSE"))
        for (size_t c = 0; c < CANDIDATES; c++)
            fprintf(stderr, "%s: %zu terms, penalty %g, error %g\n",
                    candidate_name((enum candidate)c), choice.trials[c].terms,
                    choice.trials[c].penalty, sqrt(choice.trials[c].error));
    double penalty = choice.trials[choice.candidate].penalty;
    struct outcome outcome = {.candidate = choice.candidate,
                              .chosen = test_rmse(data, is_test, choice.candidate, penalty, &set),
                              .linear = test_rmse(data, is_test, LEAST_SQUARES, 0, &set)};
    folds_free(set.of[0]);
    return outcome;
}

static void read_split(char *line, bool *is_test, size_t rows)
{
    memset(is_test, 0, rows);
    for (char *end, *at = line; *at && *at != '\n'; at = end) {
        size_t row = strtoul(at, &end, 10);
        if (end == at || row >= rows)
            die("a split is not one");
        is_test[row] = true;
    }
}

int main(int argc, char **argv)
{
    struct data data = {0};
    struct outcome sum = {0};
    size_t splits = 0, chosen[CANDIDATES] = {0};
    if (argc < 2 || argc > 3)
        die("usage: accuracy DATA [SPLITS]");
    read_data(&data, argv[1]);
    bool *is_test = calloc(data.rows + 1, sizeof *is_test);
    FILE *file = argc > 2 ? fopen(argv[2], "r") : NULL;
    if (!is_test || (argc > 2 && !file))
        die("cannot open the splits");
    char *line = NULL;
    size_t size = 0;
    while (file ? getline(&line, &size, file) > 0 : splits < FOLDS_MADE) {
        if (file)
            read_split(line, is_test, data.rows);
        else
            for (size_t i = 0; i < data.rows; i++)
                is_test[i] = i % FOLDS_MADE == splits;
        struct outcome outcome = measure(&data, is_test);
        sum.chosen += outcome.chosen;
        sum.linear += outcome.linear;
        chosen[outcome.candidate]++;
        splits++;
    }
    printf("%.4f %.4f", sum.chosen / (double)splits, sum.linear / (double)splits);
    for (size_t c = 0; c < CANDIDATES; c++)
        if (chosen[c] > 0)
            printf(" %s:%zu", candidate_name((enum candidate)c), chosen[c]);
    printf("\n");
    return 0;
}
