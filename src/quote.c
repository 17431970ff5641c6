#include "quote.h"

#include "utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(const char *text, size_t sequence)
{
    unsigned char c = (unsigned char)*text;
    if (sequence == 2 && c == 0xC2) /* U+0080 to U+009F are control characters too */
        return (unsigned char)text[1] >= 0xA0;
    return sequence > 1 || (sequence == 1 && c >= ' ' && c != 0x7F && c != '"' && c != '\\');
}

/* Writes the first character of `text`, as it is or escaped; returns how many bytes of it. */
static size_t quote_character(char out[static 5], const char *text, size_t length)
{
    size_t sequence = utf8_sequence(text, length);
    if (is_plain(text, sequence)) {
        memcpy(out, text, sequence);
        out[sequence] = '\0';
        return sequence;
    }
    snprintf(out, 5, "\\x%02x", (unsigned char)*text);
    return 1;
}

const char *quote(char out[static QUOTE_MAX], const char *text, size_t length)
{
    static const char ending[] = "…\"";
    char *at = out, character[5];
    const char *end = text + length;
    *at++ = '"';
    while (text < end) {
        text += quote_character(character, text, (size_t)(end - text));
        size_t size = strlen(character);
        if (at + size + sizeof ending > out + QUOTE_MAX) {
            memcpy(at, ending, sizeof ending);
            return out;
        }
        memcpy(at, character, size);
        at += size;
    }
    memcpy(at, "\"", 2);
    return out;
}
