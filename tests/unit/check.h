/* A unit test is a program: its main runs checks and ends in `return check_report("name");`.
 * Every failed check says where, and what was wanted and got. */
#ifndef TRENDLINE_TESTS_CHECK_H
#define TRENDLINE_TESTS_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline bool check_count(bool ok)
{
    if (ok)
        check_passed++;
    else
        check_failed++;
    return ok;
}

/* True when the condition holds; `about` is a printf format and its arguments, for the failure's
 * line. */
#define CHECK(condition, ...)                                                                      \
    (check_count(condition) ? true                                                                 \
                            : (printf("%s:%d: not true: %s: ", __FILE__, __LINE__, #condition),    \
                               printf(__VA_ARGS__), putchar('\n'), false))

#define CHECK_INT(wants, got)                                                                      \
    do {                                                                                           \
        long long check_w = (wants), check_g = (got);                                              \
        if (!check_count(check_w == check_g))                                                      \
            printf("%s:%d: %s: wants %lld, got %lld\n", __FILE__, __LINE__, #got, check_w,         \
                   check_g);                                                                       \
    } while (0)

/* Doubles must be the same bits, so that -0 is not 0. */
#define CHECK_DOUBLE(wants, got)                                                                   \
    do {                                                                                           \
        double check_w = (wants), check_g = (got);                                                 \
        if (!check_count(memcmp(&check_w, &check_g, sizeof check_w) == 0))                         \
            printf("%s:%d: %s: wants %.17g, got %.17g\n", __FILE__, __LINE__, #got, check_w,       \
                   check_g);                                                                       \
    } while (0)

#define CHECK_STRING(wants, got)                                                                   \
    do {                                                                                           \
        const char *check_w = (wants), *check_g = (got);                                           \
        if (!check_count(check_g && strcmp(check_w, check_g) == 0))                                \
            printf("%s:%d: %s:\n  wants %s\n  got   %s\n", __FILE__, __LINE__, #got, check_w,      \
                   check_g ? check_g : "(null)");                                                  \
    } while (0)

static inline int check_report(const char *name)
{
    printf("%s: %d passed, %d failed\n", name, check_passed, check_failed);
    return check_failed ? 1 : 0;
}

#endif
