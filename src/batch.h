/* Batch: the `trendline batch` command. */
#ifndef TRENDLINE_BATCH_H
#define TRENDLINE_BATCH_H

#include "error.h"

#include <stdbool.h>

/* Fits DIRECTORY/train.tsv (see table.h; the last column is the target), predicts the target for
 * each row of DIRECTORY/test.tsv, and writes the predictions to DIRECTORY/output.txt, one a line. A
 * short summary goes to standard error.
 *
 * The test table has the training features, by name if both tables have headers, else by position,
 * and not the target. Tables are streamed: memory does not grow with the rows.
 *
 * On failure output.txt stays as it is, and `error` has the line to print.
 *
 * It takes as many threads as there are cores for it. The outcome does not depend on how many. */
enum {
    BATCH_CHOOSE = 1,  /* by what predicts best (choice.h), not always by least squares; then the
                          training table is read twice */
    BATCH_REPORT = 2,  /* DIRECTORY/report.html too (report.h); the training table is read once
                          more, unless it is a pipe */
    BATCH_MISSING = 4, /* cells may be empty */
    BATCH_UNSEEN = 8   /* what the training table does not have is predicted as if it were the base
                          level, or the mean */
};
bool batch_run(const char *directory, unsigned options, struct error *error);

/* The same with up to so many threads, at least 1. */
bool batch_run_threads(const char *directory, unsigned options, unsigned threads,
                       struct error *error);

#endif
