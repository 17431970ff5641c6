/* Files that are replaced whole: written beside their place, then renamed over it. And how files of
 * a directory that others may write to are opened. */
#ifndef TRENDLINE_FILE_H
#define TRENDLINE_FILE_H

#include "buffer.h"
#include "error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A file being written. Readers see the old content until file_commit, and all of the new after it.
 * The temporary file is locked (flock) while it is written: what a killed process has left behind
 * is taken over, and a second writer of the same file gets ERROR_BUSY. */
struct file_writer {
    int fd;
    char path[PATH_MAX];      /* where it will stand */
    char temporary[PATH_MAX]; /* ".NAME.tmp" in the same directory, until then */
    struct buffer pending;
};

/* After true, end with file_commit or file_abort. */
bool file_begin(struct file_writer *writer, const char *path, struct error *error);
bool file_write(struct file_writer *writer, const void *data, size_t length, struct error *error);

/* `durable`: fsync the file before the rename and its directory after it, so that a power cut
 * leaves the old or the new content. On failure the temporary file is removed and the old content
 * stands, except that when syncing the directory was what failed the new one does. */
bool file_commit(struct file_writer *writer, bool durable, struct error *error);
void file_abort(struct file_writer *writer); /* removes the temporary file */

/* begin, write, commit. */
bool file_replace(const char *path, const void *data, size_t length, bool durable,
                  struct error *error);

/* Opens the file `name` of the directory (AT_FDCWD: the working one) with these flags of open(2),
 * and O_CLOEXEC. Never waits, as a FIFO would make one; what is no regular file is refused by name.
 * -1 with `error` set: a missing file is ERROR_ABSENT. Mode 0644 where O_CREAT makes it. */
int file_open_regular(int directory, const char *name, int flags, struct error *error);

/* The whole content of `path` appended to `content`. A missing file is ERROR_ABSENT, one of more
 * than `limit` bytes ERROR_TOO_LARGE. */
bool file_read(const char *path, size_t limit, struct buffer *content, struct error *error);

#endif
