/* Numbers as text: one strict way in, one exact way out, free of the locale. */
#ifndef TRENDLINE_NUMBER_H
#define TRENDLINE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum number_result {
    NUMBER_OK,
    NUMBER_INVALID,  /* not a decimal number: empty, nan, inf, hexadecimal, trailing text … */
    NUMBER_TOO_LARGE /* a decimal number whose nearest double is infinite */
};

/* Reads the number at the start of [text, end): optional sign, digits with an optional point
 * (digits on at least one side of it), optional exponent; JSON's grammar is a part of this one. It
 * is as long as it can be. Returns its end; NULL if there is none, or if its nearest double is
 * infinite.
 * `*value` is the nearest double, ties to even (a tiny number may give 0 or a subnormal). */
const char *number_read(const char *text, const char *end, double *value);

/* The same for a text that must be a number as a whole. */
enum number_result number_parse(const char *text, size_t length, double *value);

/* A decimal number taken apart, exactly as written. */
struct decimal {
    bool negative;
    uint64_t mantissa; /* all its digits as one whole number; meaningless if there are over 19 */
    int64_t exponent;  /* of ten, that of the last digit: value = ±mantissa · 10^exponent */
    size_t digits;     /* how many, leading and trailing zeros included; at least 1 */
    const char *first, *end; /* where they stand in the text, with at most one point among them */
};

/* Checks all of `text` against that grammar; false if it is no number. */
bool number_scan(const char *text, size_t length, struct decimal *decimal);

enum { NUMBER_TEXT_MAX = 32 }; /* enough for any double, with the terminating NUL */

/* Writes the shortest decimal form that reads back as the same double, laid out as ECMAScript's
 * Number::toString does (RFC 8785), except that -0 is "-0". `value` must be finite.
 * Returns the length, without the terminating NUL. */
size_t number_format(double value, char text[static NUMBER_TEXT_MAX]);

#endif
