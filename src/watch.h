/* Watch: notices when a file that others replace by rename has become another one.
 *
 * The file last seen is held open, so that its inode number cannot be given to a new file:
 * comparing device and inode is then exact, for the price of one stat (0.3 µs). */
#ifndef TRENDLINE_WATCH_H
#define TRENDLINE_WATCH_H

#include "error.h"

#include <sys/stat.h>

struct watch {
    int fd; /* -1: no file has been seen */
    dev_t device;
    ino_t inode;
};

#define WATCH_INIT                                                                                 \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

enum watch_result {
    WATCH_SAME,
    WATCH_CHANGED, /* `fd` is the new file, opened for reading from its beginning */
    WATCH_ABSENT,  /* there is no file now */
    WATCH_ERROR    /* `error` says why; the watch is as it was */
};

enum watch_result watch_look(struct watch *watch, const char *path, struct error *error);
void watch_close(struct watch *watch);

#endif
