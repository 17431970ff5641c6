/* A progress bar on standard error, if that is a terminal. */
#ifndef TRENDLINE_PROGRESS_H
#define TRENDLINE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label; /* not owned */
    uint64_t total;    /* of bytes or things; 0: not known, and no bar but a number */
    uint64_t step;     /* from one drawing to the next */
    uint64_t next;     /* draw when so much is done; UINT64_MAX: never */
    bool drawn;
};

/* For work through the file at `path`. There is no bar for what has no size, as a pipe. */
void progress_begin(struct progress *progress, const char *label, const char *path);

/* For so many things; 0: nobody knows how many. */
void progress_begin_count(struct progress *progress, const char *label, uint64_t total);

void progress_draw(struct progress *progress, uint64_t done);

/* So many bytes or things are done; cheap enough to be called for every row. */
static inline void progress_update(struct progress *progress, uint64_t done)
{
    if (done >= progress->next)
        progress_draw(progress, done);
}

void progress_end(struct progress *progress); /* leaves an empty line behind */

#endif
