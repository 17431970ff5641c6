/* Memory that runs out on request: the program is linked with --wrap for these functions (see the
 * Makefile), so every allocation of our own modules comes by here. What libraries allocate for
 * themselves does not. */
#ifndef TRENDLINE_TESTS_FAILING_MEMORY_H
#define TRENDLINE_TESTS_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long memory_left = -1; /* allocations before the one that fails; -1: none fails */
static bool memory_failed;

static inline bool memory_fails(void)
{
    if (memory_left < 0)
        return false;
    if (memory_left > 0) {
        memory_left--;
        return false;
    }
    memory_left = -1; /* just this one */
    memory_failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return memory_fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    char *copy = memory_fails() ? NULL : __real_malloc(strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

/* The n-th allocation from now on fails, and only that. */
static inline void memory_fail_at(long n)
{
    memory_left = n;
    memory_failed = false;
}

/* What a test does for itself in between succeeds. */
static inline long memory_pause(void)
{
    long left = memory_left;
    memory_left = -1;
    return left;
}

static inline void memory_resume(long left)
{
    memory_left = left;
}

/* Ends it; whether one has failed. */
static inline bool memory_has_failed(void)
{
    memory_left = -1;
    return memory_failed;
}

#endif
