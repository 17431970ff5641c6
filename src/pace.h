/* Pace: how much a turn of `action` may take on, so that it is soon over.
 *
 * A turn takes events, makes them durable, learns them, publishes the model. What an event will
 * take to learn is known from those before it; what the rest takes (the disk, the model) is there
 * however few events there are. So a turn takes events for PACE_US, or for as long as the rest
 * takes, if that is longer: at most half of the time goes to it. All times are in microseconds. */
#ifndef TRENDLINE_PACE_H
#define TRENDLINE_PACE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PACE_US = 10000,
    PACE_MAX_US = 30000 /* however long the rest takes */
};

struct pace {
    double event; /* what learning an event takes */
    double seen;  /* what it took last */
    double rest;  /* what a turn takes besides */
};

void pace_begin(struct pace *pace);

/* How long a turn may take and learn events. */
int64_t pace_budget(const struct pace *pace);
/* How long so many events will take to be learnt. */
int64_t pace_of(const struct pace *pace, size_t events);

/* What a turn has taken: `learning` for so many events, and `rest`. */
void pace_note(struct pace *pace, size_t events, int64_t learning, int64_t rest);

#endif
