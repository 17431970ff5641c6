/* Powers of ten to 128 bits, as reading and writing doubles need them. */
#ifndef TRENDLINE_POWER10_H
#define TRENDLINE_POWER10_H

#include <stdint.h>

__extension__ typedef unsigned __int128 uint128;

enum { POWER10_MIN = -351, POWER10_MAX = 350 };

/* floor(log2(10^exponent)), for |exponent| up to 1233. */
static inline int power10_log2(int exponent)
{
    return (exponent * 1741647) >> 19;
}

/* The leading 128 bits of 10^exponent, rounded down; the highest bit is set:
 * power10(e) ≤ 10^e · 2^(127 − power10_log2(e)) < power10(e) + 1. */
uint128 power10(int exponent);

#endif
