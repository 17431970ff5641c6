#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the file */

void spool_file_open(struct spool_file *file, const char *directory, uint64_t keep_free)
{
    char path[PATH_MAX];
    *file = (struct spool_file){.fd = -1, .keep_free = keep_free};
    if ((size_t)snprintf(path, sizeof path, "%s/.answers.XXXXXX", directory) >= sizeof path)
        return;
    file->fd = mkostemp(path, O_CLOEXEC);
    if (file->fd >= 0)
        unlink(path);
}

void spool_file_close(struct spool_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    buffer_free(&file->unused);
    file->fd = -1;
}

/* For one block more. */
static bool check_space(const struct spool_file *file, struct error *error)
{
    struct statvfs space;
    if (fstatvfs(file->fd, &space) != 0)
        return error_errno(error, "cannot tell the free space of the data directory");
    return (uint64_t)space.f_bavail * space.f_frsize >= file->keep_free + SPOOL_BLOCK ||
           error_set(error, ERROR_FULL,
                     "the answer has to wait in the data directory, and would leave less than %llu "
                     "MB there (twice MIN_FREE): free some, or send fewer rows at a time",
                     (unsigned long long)(file->keep_free >> 20));
}

/* A block that nobody has. There is room in `unused` for all blocks, so that giving one back never
 * fails. */
static bool take_block(struct spool_file *file, uint32_t *block, struct error *error)
{
    if (file->unused.length > 0) {
        file->unused.length -= sizeof *block;
        memcpy(block, file->unused.data + file->unused.length, sizeof *block);
        return true;
    }
    if (!check_space(file, error))
        return false;
    if (!buffer_reserve(&file->unused, (file->blocks + 1) * sizeof *block)) {
        file->unused.failed = false;
        return error_memory(error);
    }
    *block = file->blocks++;
    return true;
}

/* The volume gets its room back when all blocks are unused. */
static void give_blocks(struct spool_file *file, const struct buffer *blocks)
{
    buffer_append(&file->unused, blocks->data, blocks->length);
    if (file->blocks == 0 || file->unused.length < file->blocks * sizeof(uint32_t) ||
        ftruncate(file->fd, 0) != 0)
        return;
    buffer_free(&file->unused);
    file->blocks = 0;
}

static off_t place_of(uint32_t block)
{
    return (off_t)block * SPOOL_BLOCK;
}

static bool write_block(const struct spool_file *file, uint32_t block, const char *data,
                        struct error *error)
{
    for (size_t done = 0; done < SPOOL_BLOCK;) {
        ssize_t wrote =
            pwrite(file->fd, data + done, SPOOL_BLOCK - done, place_of(block) + (off_t)done);
        if (wrote < 0 && errno != EINTR)
            return error_errno(error, "the answer has to wait in the data directory, and cannot be "
                                      "written there");
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

static bool read_block(const struct spool_file *file, uint32_t block, size_t from, char *data,
                       size_t size, struct error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t got =
            pread(file->fd, data + done, size - done, place_of(block) + (off_t)(from + done));
        if (got == 0)
            errno = EIO; /* somebody has cut the file */
        if (got == 0 || (got < 0 && errno != EINTR))
            return error_errno(error, "cannot read back what waited in the data directory");
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* ------------------------------------------------------------------ a spool */

void spool_begin(struct spool *spool, struct spool_file *file)
{
    *spool = (struct spool){.file = file};
}

void spool_free(struct spool *spool)
{
    for (size_t i = 0; i < SPOOL_TEXTS; i++) {
        struct spool_text *text = &spool->texts[i];
        if (text->blocks.length > 0)
            give_blocks(spool->file, &text->blocks);
        buffer_free(&text->tail);
        buffer_free(&text->blocks);
    }
}

/* Moves the first block of the tail to the file. */
static bool move_block(struct spool_file *file, struct spool_text *text, struct error *error)
{
    uint32_t block;
    if (!buffer_reserve(&text->blocks, sizeof block)) {
        text->blocks.failed = false; /* for spool_free to give back those there are */
        return error_memory(error);
    }
    if (!take_block(file, &block, error))
        return false;
    buffer_append(&text->blocks, &block, sizeof block);
    if (!write_block(file, block, text->tail.data, error))
        return false;
    text->tail.length -= SPOOL_BLOCK;
    memmove(text->tail.data, text->tail.data + SPOOL_BLOCK, text->tail.length);
    return true;
}

static bool check_memory(const struct spool *spool, struct error *error)
{
    return spool_length(spool) <= SPOOL_MEMORY_MAX ||
           error_set(error, ERROR_TOO_LARGE,
                     "the answer has more than %d MB, and cannot wait in the data directory, which "
                     "could not be written when the service started: send fewer rows at a time",
                     SPOOL_MEMORY_MAX >> 20);
}

bool spool_settle(struct spool *spool, struct error *error)
{
    bool is_long = false;
    for (size_t i = 0; i < SPOOL_TEXTS; i++) {
        if (spool->texts[i].tail.failed)
            return error_memory(error);
        is_long |= spool->texts[i].tail.length >= SPOOL_BLOCK;
    }
    if (is_long && spool->file->fd < 0)
        return check_memory(spool, error);
    for (size_t i = 0; is_long && i < SPOOL_TEXTS; i++)
        while (spool->texts[i].tail.length >= SPOOL_BLOCK)
            if (!move_block(spool->file, &spool->texts[i], error))
                return false;
    return true;
}

static uint64_t blocks_length(const struct spool_text *text)
{
    return text->blocks.length / sizeof(uint32_t) * SPOOL_BLOCK;
}

uint64_t spool_length(const struct spool *spool)
{
    uint64_t length = 0;
    for (size_t i = 0; i < SPOOL_TEXTS; i++)
        length += blocks_length(&spool->texts[i]) + spool->texts[i].tail.length;
    return length;
}

/* What can be had at once of the text from `at` on: how many bytes, up to `size`. */
static bool read_text(const struct spool *spool, const struct spool_text *text, char *data,
                      size_t *size, struct error *error)
{
    uint64_t blocks = blocks_length(text);
    if (spool->at >= blocks) {
        size_t from = (size_t)(spool->at - blocks), left = text->tail.length - from;
        *size = left < *size ? left : *size;
        memcpy(data, text->tail.data + from, *size);
        return true;
    }
    size_t from = spool->at % SPOOL_BLOCK, left = SPOOL_BLOCK - from;
    uint32_t block;
    memcpy(&block, text->blocks.data + spool->at / SPOOL_BLOCK * sizeof block, sizeof block);
    *size = left < *size ? left : *size;
    return read_block(spool->file, block, from, data, *size, error);
}

bool spool_read(struct spool *spool, char *data, size_t size, struct error *error)
{
    for (size_t done = 0; done < size;) {
        const struct spool_text *text = &spool->texts[spool->text];
        if (spool->at == blocks_length(text) + text->tail.length) {
            spool->text++;
            spool->at = 0;
            continue;
        }
        size_t part = size - done;
        if (!read_text(spool, text, data + done, &part, error))
            return false;
        spool->at += part;
        done += part;
    }
    return true;
}
