/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TRENDLINE_UTF8_H
#define TRENDLINE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed sequence that `text` begins with (1 to 4), or 0 if it is not one. */
size_t utf8_sequence(const char *text, size_t length);

bool utf8_valid(const char *text, size_t length);

#endif
