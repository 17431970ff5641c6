/* Normal equations that are far from singular, solved some digits at a time: each step solves for
 * what is left by a factor in plain doubles, takes the whole digits of that, and finds what they
 * leave of the right side exactly (Wan 2006, "An algorithm to solve integer linear systems exactly
 * using numerical methods"). The answer is that of normal.c, which refines in the same way with a
 * factor of many bits, the cost of nearly everything where there are hundreds of columns. */
#ifndef TRENDLINE_NORMAL_DIGITS_H
#define TRENDLINE_NORMAL_DIGITS_H

#include "normal.h"

#include <stdbool.h>

/* Sets normal->solution, off by less than 2^40 units of 2^-bits, when all columns are certainly
 * independent by far. False: they may not be, or it is not worth while, or there is no memory; the
 * solution is of no use then. Wants what normal_load has left. */
bool normal_digits(struct normal *normal, long bits);

#endif
