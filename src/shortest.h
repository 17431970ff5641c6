/* The shortest decimal that reads back as a given double. */
#ifndef TRENDLINE_SHORTEST_H
#define TRENDLINE_SHORTEST_H

#include <stdint.h>

/* digits · 10^exponent; digits has at most 17 of them, and the last is not 0. */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* Of the decimals that round to `value` (ties to even) those with the fewest digits, and of these
 * the one nearest to `value`. `value` must be positive and finite. */
struct shortest shortest_decimal(double value);

#endif
