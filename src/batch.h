/* Batch: the `trendline batch` command. */
#ifndef TRENDLINE_BATCH_H
#define TRENDLINE_BATCH_H

#include "error.h"

#include <stdbool.h>

/* Fits DIRECTORY/train.tsv (see table.h; the last column is the target) by least squares, predicts
 * the target for each row of DIRECTORY/test.tsv, and writes the predictions to
 * DIRECTORY/output.txt, one a line. A short report goes to standard error.
 *
 * The test table has the training features, by name if both tables have headers, else by position,
 * and not the target. Tables are streamed: memory does not grow with the rows.
 *
 * On failure output.txt stays as it is, and `error` has the line to print. */
bool batch_run(const char *directory, struct error *error);

#endif
