/* The exact sum of decimal numbers. */
#ifndef TRENDLINE_DECIMAL_SUM_H
#define TRENDLINE_DECIMAL_SUM_H

#include "number.h"

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    DECIMAL_SUM_MIN = -1100, /* exponents of ten of the last digits that can be held */
    DECIMAL_SUM_MAX = 308,
};

/* One whole number for each exponent of ten: the sum is Σ parts[i] · 10^(DECIMAL_SUM_MIN + i). A
 * number is added in pieces of at most 19 digits, below 2^64, so that a part holds 2^63 of them. */
struct decimal_sum {
    __extension__ __int128 parts[DECIMAL_SUM_MAX - DECIMAL_SUM_MIN + 1];
    bool whole; /* all numbers so far are whole numbers */
};

void decimal_sum_begin(struct decimal_sum *sum);

/* Adds a number, which must be within the range of doubles and whose text must still be there.
 * False if it has digits other than 0 behind the 1100th decimal place; then the sum is spoilt. */
bool decimal_sum_add(struct decimal_sum *sum, const struct decimal *number);

/* total · 10^DECIMAL_SUM_MIN is the sum; `total` is initialised by the caller. */
void decimal_sum_total(const struct decimal_sum *sum, mpz_t total);

#endif
