/* Schubfach, after R. Giulietti, "The Schubfach way to render doubles" (2020); the names c, q, k, h
 * and the section numbers are the paper's. A double is c · 2^q, and what rounds to it is an
 * interval around it. k is chosen such that the interval holds at least one multiple of 10^k, and
 * at most one multiple of 10^(k+1); so only the two neighbours of each kind need a look. */
#include "shortest.h"

#include "power10.h"

#include <stdbool.h>
#include <string.h>

enum { FRACTION_BITS = 52, EXPONENT_MIN = -1074 };

/* The value and the ends of its interval in quarters of 10^k, rounded to odd: exact to the quarter,
 * and odd whenever a part is left over, so that comparisons with even numbers are exact. */
struct interval {
    uint64_t value, low, high;
};

/* floor(log10(2^q)), or of ¾ · 2^q, for |q| up to 1500 (section 9.2). */
static int log10_of_power2(int q, bool three_quarters)
{
    return (q * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

/* power · factor / 2^128 rounded to odd, for a power that may be up to 1 too large: that excess
 * stays in the last 64 of the product's 192 bits, which are cut off, and the rest of what stands
 * behind the point is 0 only if all of it is (section 9.9). */
static uint64_t multiply_to_odd(uint128 power, uint64_t factor)
{
    uint128 low = ((uint128)(uint64_t)power * factor) >> 64;
    uint128 product = (uint128)(uint64_t)(power >> 64) * factor + low;
    return (uint64_t)(product >> 64) | ((uint64_t)product != 0);
}

static struct interval interval_of(uint64_t c, int q, int k, bool low_is_near)
{
    uint128 power = power10(-k) + 1;
    int h = q + power10_log2(-k) + 1;
    return (struct interval){
        .value = multiply_to_odd(power, (4 * c) << h),
        .low = multiply_to_odd(power, (4 * c - (low_is_near ? 1 : 2)) << h),
        .high = multiply_to_odd(power, (4 * c + 2) << h),
    };
}

/* If just one of n and n + unit (units of 10^k) lies in the interval, that one; else 0. */
static uint64_t only_one_inside(struct interval interval, uint64_t n, uint64_t unit)
{
    bool below = interval.low <= 4 * n, above = 4 * (n + unit) <= interval.high;
    if (below == above)
        return 0;
    return below ? n : n + unit;
}

static uint64_t choose(struct interval interval)
{
    uint64_t n = interval.value / 4;
    uint64_t found = n >= 10 ? only_one_inside(interval, n - n % 10, 10) : 0;
    if (!found)
        found = only_one_inside(interval, n, 1);
    if (found)
        return found;
    uint64_t middle = 4 * n + 2;
    bool up = interval.value > middle || (interval.value == middle && n % 2);
    return n + up;
}

static struct shortest without_zeros(uint64_t digits, int exponent)
{
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    return (struct shortest){digits, exponent};
}

struct shortest shortest_decimal(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t c = bits & ((1ULL << FRACTION_BITS) - 1);
    int biased = (int)(bits >> FRACTION_BITS);
    int q = EXPONENT_MIN;
    bool low_is_near = c == 0 && biased > 1; /* a power of two: half the gap below it */
    if (biased) {
        c |= 1ULL << FRACTION_BITS;
        q += biased - 1;
    }
    int k = log10_of_power2(q, low_is_near);
    struct interval interval = interval_of(c, q, k, low_is_near);
    bool odd = c % 2; /* ties go to even: the ends of an odd number's interval are not in it */
    interval.low += odd;
    interval.high -= odd;
    return without_zeros(choose(interval), k);
}
