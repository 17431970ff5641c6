/* Lock: who may write to the volume, over all processes and containers that share it.
 *
 * Two flocks on files that are never renamed: `lock` itself, and `lock.turn`, which says who is
 * next. Who wants the lock takes the turn first and keeps it while waiting, so a busy writer, which
 * has to queue for the turn again, cannot starve the others. Taking never blocks: the caller comes
 * back on a timer. */
#ifndef TRENDLINE_LOCK_H
#define TRENDLINE_LOCK_H

#include "error.h"

#include <stdbool.h>

#define LOCK_NAME      "lock"
#define LOCK_TURN_NAME "lock.turn"

/* How long a request waits for the lock before it is told to come again; and for all together that
 * it may have to wait for. */
enum { LOCK_PATIENCE_MS = 1800, REQUEST_PATIENCE_MS = 2000 };
#define LOCK_BUSY_TEXT "another process holds the lock of the data directory; try again"

struct lock {
    int directory_fd, fd, turn_fd;
    bool held, has_turn;
};

bool lock_open(struct lock *lock, const char *directory, struct error *error);
void lock_close(struct lock *lock);

enum lock_result { LOCK_HELD, LOCK_WAIT, LOCK_ERROR };

/* LOCK_HELD at once when this lock holds it already. */
enum lock_result lock_try(struct lock *lock, struct error *error);
void lock_release(struct lock *lock); /* gives up the lock, and the turn if it was waiting */

#endif
