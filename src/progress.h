/* A progress bar on standard error, if that is a terminal. */
#ifndef TRENDLINE_PROGRESS_H
#define TRENDLINE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label; /* not owned */
    uint64_t total;    /* bytes */
    uint64_t step;     /* bytes from one drawing to the next */
    uint64_t next;     /* draw when so many bytes are done; UINT64_MAX: never */
    bool drawn;
};

/* For work through the file at `path`. There is no bar for what has no size, as a pipe. */
void progress_begin(struct progress *progress, const char *label, const char *path);

void progress_draw(struct progress *progress, uint64_t done);

/* So many bytes of the file are done; cheap enough to be called for every row. */
static inline void progress_update(struct progress *progress, uint64_t done)
{
    if (done >= progress->next)
        progress_draw(progress, done);
}

void progress_end(struct progress *progress); /* leaves an empty line behind */

#endif
