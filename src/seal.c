#include "seal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const char key[] = ",\n  \"crc\": \"", end[] = "\"\n}\n";

enum { KEY_LENGTH = sizeof key - 1, TAIL_LENGTH = KEY_LENGTH + 8 + sizeof end - 1 };

static void write_tail(const char *text, size_t length, char tail[static TAIL_LENGTH + 1])
{
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)text, length);
    snprintf(tail, TAIL_LENGTH + 1, "%s%08x%s", key, crc, end);
}

void seal(struct buffer *out, size_t start)
{
    char tail[TAIL_LENGTH + 1];
    if (out->failed)
        return;
    write_tail(out->data + start, out->length - start, tail);
    buffer_puts(out, tail);
}

enum seal_state seal_check(const char *text, size_t length)
{
    char wanted[TAIL_LENGTH + 1];
    size_t body = length - TAIL_LENGTH;
    if (length < TAIL_LENGTH || memcmp(text + body, key, KEY_LENGTH) != 0)
        return SEAL_NONE;
    write_tail(text, body, wanted);
    return memcmp(text + body, wanted, TAIL_LENGTH) == 0 ? SEAL_WHOLE : SEAL_BROKEN;
}
