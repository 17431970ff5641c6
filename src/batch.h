/* Batch: the `trendline batch` command. */
#ifndef TRENDLINE_BATCH_H
#define TRENDLINE_BATCH_H

#include "error.h"

#include <stdbool.h>

/* Fits DIRECTORY/train.tsv (see table.h; the last column is the target), predicts the target for
 * each row of DIRECTORY/test.tsv, and writes the predictions to DIRECTORY/output.txt, one a line. A
 * short report goes to standard error. By least squares, or where it may choose by what predicts
 * best (choice.h); then the training table is read twice.
 *
 * The test table has the training features, by name if both tables have headers, else by position,
 * and not the target. Tables are streamed: memory does not grow with the rows.
 *
 * On failure output.txt stays as it is, and `error` has the line to print.
 *
 * It takes as many threads as there are cores for it. The outcome does not depend on how many. */
bool batch_run(const char *directory, bool may_choose, struct error *error);

/* The same with up to so many threads, at least 1. */
bool batch_run_threads(const char *directory, bool may_choose, unsigned threads,
                       struct error *error);

#endif
