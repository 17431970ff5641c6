/* Report: the page of `trendline batch --report`, how good a model is in pictures.
 *
 * One HTML file that needs no network: the styles, the scripts and Chart.js stand in it, put there
 * when Trendline was built (report_page.S), and the figures as one JSON object in an element of its
 * own, so that no name of a feature can become markup. */
#ifndef TRENDLINE_REPORT_H
#define TRENDLINE_REPORT_H

#include "buffer.h"
#include "choice.h"
#include "columns.h"
#include "error.h"
#include "predictor.h"
#include "residuals.h"
#include "study.h"

#include <stdbool.h>
#include <stdint.h>

/* What there is to tell; nothing is owned. */
struct report {
    const char *train_name, *test_name;
    const struct columns *columns; /* of the training table */
    bool has_header;
    bool may_choose; /* else least squares was asked for */
    const struct choice *choice;
    const struct predictor *model;
    const struct study *study;
    const struct residuals *residuals; /* NULL: the training table cannot be read again */
    uint64_t predictions, clipped;     /* of the test table */
};

/* Appends the figures as a JSON object; null for what does not exist. */
void report_write_json(const struct report *report, struct buffer *out);

/* Replaces the file at `path` by the page. */
bool report_write(const struct report *report, const char *path, struct error *error);

#endif
