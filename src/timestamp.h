/* Timestamps: moments in UTC as text, always "2026-11-20T22:00:00.123Z". */
#ifndef TRENDLINE_TIMESTAMP_H
#define TRENDLINE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { TIMESTAMP_LENGTH = 24, TIMESTAMP_MAX = 32 };

/* A moment beyond the years 1 to 9999, which a clock that was never set may say, is the nearest one
 * in them: what cannot be read back must not be written. */
void timestamp_format(struct timespec moment, char text[static TIMESTAMP_MAX]);
void timestamp_now(char text[static TIMESTAMP_MAX]);

/* Takes a moment as RFC 3339 has it, in UTC (Z), with any number of digits behind the second or
 * none; what is below a millisecond is dropped. False: it is none. */
bool timestamp_parse(const char *given, size_t length, char text[static TIMESTAMP_MAX]);

#endif
