/* Sum: the `trendline sum` command. */
#ifndef TRENDLINE_SUM_H
#define TRENDLINE_SUM_H

#include "error.h"

#include <stdbool.h>

/* Adds up the numbers in DIRECTORY/input.txt, which are separated by white space, and writes the
 * sum and a newline to DIRECTORY/output.txt.
 *
 * The sum is that of the decimal numbers as written, exactly: 0.1 + 0.2 is 0.3. If all of them are
 * whole numbers and the sum has at most 128 bits it is written in full, otherwise as the nearest
 * double (ties to even) in number_format's form. Nothing to add up gives 0. Memory does not grow
 * with the file.
 *
 * On failure output.txt stays as it is, and `error` has the line to print. A number beyond the
 * range of doubles is an error, and so is one with digits behind the 1100th decimal place. */
bool sum_run(const char *directory, struct error *error);

#endif
