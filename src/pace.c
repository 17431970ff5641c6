#include "pace.h"

enum {
    EVENT_FIRST = 100, /* before anything is known: so that the first turn is none too long */
    EVENTS_TELLING = 8 /* fewer tell what a batch takes, rather than what its events do */
};

void pace_begin(struct pace *pace)
{
    *pace = (struct pace){.event = EVENT_FIRST, .seen = EVENT_FIRST};
}

int64_t pace_budget(const struct pace *pace)
{
    int64_t rest = (int64_t)pace->rest;
    return rest < PACE_US ? PACE_US : rest > PACE_MAX_US ? PACE_MAX_US : rest;
}

int64_t pace_of(const struct pace *pace, size_t events)
{
    return (int64_t)(pace->event * (double)events);
}

/* Up at once, so that no more turns are too long; down by and by. */
static void note(double *known, double seen)
{
    *known = seen > *known ? seen : *known + (seen - *known) / 4;
}

void pace_note(struct pace *pace, size_t events, int64_t learning, int64_t rest)
{
    double seen = events > 0 ? (double)learning / (double)events : pace->event;
    note(&pace->rest, (double)rest);
    if (events < EVENTS_TELLING && seen >= pace->event)
        return;
    /* by two turns: one is odd now and then, which writes a snapshot besides */
    note(&pace->event, seen < pace->seen ? seen : pace->seen);
    pace->seen = seen;
}
