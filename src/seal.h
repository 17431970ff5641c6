/* Seal: the checksum of a text that is one JSON object, as its last member, `"crc"`: the CRC-32 of
 * all before it, in hexadecimal. */
#ifndef TRENDLINE_SEAL_H
#define TRENDLINE_SEAL_H

#include "buffer.h"

#include <stddef.h>

/* Closes the object that begins at `start` and lacks its last brace. */
void seal(struct buffer *out, size_t start);

/* SEAL_NONE: it does not end in a seal. */
enum seal_state { SEAL_WHOLE, SEAL_BROKEN, SEAL_NONE };
enum seal_state seal_check(const char *text, size_t length);

#endif
