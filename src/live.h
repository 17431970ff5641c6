/* Live quality: how well events were predicted before they were learnt (progressive validation;
 * Blum, Kalai & Langford 1999, "Beating the hold-out"), beside what predicting the mean would have
 * done; and whether that has become worse. It is history: an event that is forgotten stays in it,
 * and it depends on the order of arrival. */
#ifndef TRENDLINE_LIVE_H
#define TRENDLINE_LIVE_H

#include "buffer.h"
#include "json.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LIVE_BLOCKS = 5,  /* the window is the last one, not yet full, and those before it */
    LIVE_BLOCK = 200, /* events in one */
};

struct live_sums {
    int64_t events;
    double absolute, squares;                   /* of the errors */
    double baseline_absolute, baseline_squares; /* of those of the mean */
};

struct live {
    struct live_sums total;
    struct live_sums blocks[LIVE_BLOCKS]; /* of the window, a ring */
    int64_t block;                        /* the one being filled */
    double mean, spread; /* of the absolute errors: their mean, Σ (error - mean)² */
    double excess;       /* Page's statistic, see live.c */
};

/* An event that was predicted, where `mean` was known to be the mean of the targets. */
void live_add(struct live *live, double target, double prediction, double mean);

struct live_sums live_window(const struct live *live);

/* Are the errors significantly worse than they have been? */
bool live_drifts(const struct live *live);

/* Appends one JSON object, and reads it back; false: it is not what was written. Of its members the
 * one called `state` is enough to be read back: live_write_state appends no more. */
void live_write(const struct live *live, struct buffer *out);
void live_write_state(const struct live *live, struct buffer *out);
bool live_parse(struct live *live, const struct json *json);

#endif
