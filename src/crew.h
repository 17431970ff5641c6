/* A crew: several threads that work on the rows of one table.
 *
 * Each takes the next block of lines for itself, works on it while the others work on theirs, and
 * hands its result in when all blocks before it have been: in the order of the table, whichever
 * thread is done first. So the outcome is that of a single thread, its error too. */
#ifndef TRENDLINE_CREW_H
#define TRENDLINE_CREW_H

#include "error.h"
#include "progress.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>

enum { CREW_MAX = 16 }; /* threads; reading the lines, which one does at a time, feeds no more */

struct crew_work {
    /* Works on the rows of a block (table_block_next), at the same time as other threads on others;
     * `own` is this thread's alone. */
    bool (*work)(void *own, struct table_block *block, struct error *error);
    /* Hands in what came of it, one thread at a time and in the table's order; NULL: nothing. */
    bool (*hand_in)(void *own, struct error *error);
};

/* Works on all rows that are left. There are up to `count` threads, at least 1 and at most
 * CREW_MAX, this one among them, and fewer if the system has no more; own[i] is what the i-th gets.
 * The first error in the table's order ends it: that of reading, work or hand_in. */
bool crew_run(const struct crew_work *work, void *own[], size_t count, struct table *table,
              struct progress *progress, struct error *error);

#endif
