/* Recovery: of the processes on one directory that know little of what is stored, one reads it, and
 * keeps on the disk what it makes of it; the others wait for that, and tell how far it is. And
 * while nothing is stored they wait for the start, which learns the train file.
 *
 * A flock on `lock.recovery`, which a killed process gives up, whose content is one sentence. It is
 * about work that need not be done twice, and about nothing else: `lock` (lock.h) is what guards
 * the data. */
#ifndef TRENDLINE_RECOVERY_H
#define TRENDLINE_RECOVERY_H

#include "error.h"

#include <stdbool.h>

#define RECOVERY_NAME "lock.recovery"

struct recovery {
    int fd;    /* -1: not open yet, or it cannot be: then everyone reads for itself */
    bool held; /* by this process */
};

#define RECOVERY_INIT                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Never blocks. False: another process is at it. */
bool recovery_take(struct recovery *recovery, const char *directory);
/* Both without effect unless it is held. */
void recovery_tell(const struct recovery *recovery, const char *sentence);
void recovery_release(struct recovery *recovery);
void recovery_close(struct recovery *recovery);

/* What the process that is at it has told last, as ERROR_BEHIND. Returns false. */
bool recovery_told(const struct recovery *recovery, struct error *error);

#endif
