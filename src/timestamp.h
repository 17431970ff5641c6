/* Timestamps: moments in UTC as text, always "2026-11-20T22:00:00.123Z". */
#ifndef TRENDLINE_TIMESTAMP_H
#define TRENDLINE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>

enum { TIMESTAMP_LENGTH = 24, TIMESTAMP_MAX = 32 };

void timestamp_now(char text[static TIMESTAMP_MAX]);

/* Takes a moment as RFC 3339 has it, in UTC (Z), with any number of digits behind the second or
 * none; what is below a millisecond is dropped. False: it is none. */
bool timestamp_parse(const char *given, size_t length, char text[static TIMESTAMP_MAX]);

#endif
