/* A directory of the test's own, and whole files in it. */
#ifndef TRENDLINE_TESTS_SCRATCH_H
#define TRENDLINE_TESTS_SCRATCH_H

#include "buffer.h"
#include "file.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_directory[64];

/* In memory where that can be had: the tests sync thousands of times. What the modules say on
 * standard error is expected, and dropped; a sanitizer's report goes past `stderr`. */
static inline void scratch_make(void)
{
    strcpy(scratch_directory,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/trendline-XXXXXX" : "/tmp/trendline-XXXXXX");
    if (!mkdtemp(scratch_directory) || chdir(scratch_directory) != 0)
        abort();
    stderr = fopen("/dev/null", "we");
}

static inline int scratch_remove_entry(const char *path, const struct stat *status, int type,
                                       struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

/* Removes everything in the directory. */
static inline void scratch_empty(void)
{
    nftw(scratch_directory, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (mkdir(scratch_directory, 0755) != 0 || chdir(scratch_directory) != 0)
        abort();
}

static inline void scratch_end(void)
{
    nftw(scratch_directory, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fclose(stderr);
}

static inline void put_file(const char *name, const void *data, size_t length)
{
    FILE *file = fopen(name, "we");
    if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
        abort();
}

static inline struct buffer get_file(const char *name)
{
    struct buffer content = {0};
    struct error error;
    if (!file_read(name, SIZE_MAX / 2, &content, &error))
        abort();
    return content;
}

static inline void put_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

static inline bool same_content(const char *name, const struct buffer *wanted)
{
    struct buffer content = get_file(name);
    bool same =
        content.length == wanted->length && memcmp(content.data, wanted->data, wanted->length) == 0;
    buffer_free(&content);
    return same;
}

#endif
