/* Text from a stranger's file, made fit for a message. */
#ifndef TRENDLINE_QUOTE_H
#define TRENDLINE_QUOTE_H

#include <stddef.h>

enum { QUOTE_MAX = 64 };

/* `text` in double quotes, in one piece of printable UTF-8: control characters, double quotes,
 * backslashes and bytes that are not UTF-8 become \xNN; what does not fit becomes "…". Returns
 * `out`, NUL-terminated. */
const char *quote(char out[static QUOTE_MAX], const char *text, size_t length);

#endif
