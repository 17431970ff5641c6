/* Time for waiting, and for how long work takes: monotonic, so that a clock that is set does not
 * matter. */
#ifndef TRENDLINE_CLOCK_H
#define TRENDLINE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

/* How long this thread has had a processor. */
static inline int64_t clock_cpu_us(void)
{
    return clock_read_us(CLOCK_THREAD_CPUTIME_ID);
}

static inline int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

#endif
