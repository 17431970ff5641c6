/* Spool: an answer that waits until it is whole. It consists of texts that grow side by side and
 * are read one after the other. Each is in memory while it is short; what is longer is in a file
 * without a name, in blocks, so that memory does not grow with the answer.
 *
 * All spools of a process share the file. Where there is none (the directory cannot be written) a
 * spool holds SPOOL_MEMORY_MAX bytes. */
#ifndef TRENDLINE_SPOOL_H
#define TRENDLINE_SPOOL_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPOOL_BLOCK = 64 << 10,
    SPOOL_MEMORY_MAX = 2 << 20,
    SPOOL_TEXTS = 6 /* of one spool, at most */
};

struct spool_file {
    int fd; /* -1: there is none */
    uint64_t keep_free;
    uint32_t blocks;      /* in the file */
    struct buffer unused; /* uint32_t: those that nobody has */
};

/* Makes the file in `directory`. Where it cannot be made there is none. `keep_free` bytes of the
 * volume are left alone. */
void spool_file_open(struct spool_file *file, const char *directory, uint64_t keep_free);
void spool_file_close(struct spool_file *file);

struct spool_text {
    struct buffer tail;   /* what is behind the blocks; to be appended to, see spool_settle */
    struct buffer blocks; /* uint32_t: where in the file they are */
};

struct spool {
    struct spool_file *file;
    struct spool_text texts[SPOOL_TEXTS];
    size_t text; /* spool_read: which one it is in, */
    uint64_t at; /* and how far */
};

/* An empty one. */
void spool_begin(struct spool *spool, struct spool_file *file);
void spool_free(struct spool *spool);

/* To be called now and then after something has been appended to the texts' tails: moves what is
 * long to the file. False: ERROR_FULL, ERROR_TOO_LARGE (there is no file), or no memory. */
bool spool_settle(struct spool *spool, struct error *error);

/* Of all texts together. */
uint64_t spool_length(const struct spool *spool);
/* The next `size` bytes, of all texts one after the other; so many there must be. */
bool spool_read(struct spool *spool, char *data, size_t size, struct error *error);

#endif
