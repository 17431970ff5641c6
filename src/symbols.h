/* Symbols: texts as doubles, so that a row is doubles whatever its features are.
 *
 * A text's code follows from its bytes alone, by a hash, and is the same in every process. Which
 * text a code stands for is known for the texts that this process has kept. Threads may share all
 * of it. */
#ifndef TRENDLINE_SYMBOLS_H
#define TRENDLINE_SYMBOLS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SYMBOL_LENGTH_MAX = 256, /* bytes of a text */
    SYMBOLS_MAX = 1 << 18    /* kept in one process */
};

/* In [1, 2): 52 bits of the hash. */
double symbol_code(const char *text, size_t length);

/* Keeps the text, and gives its code. ERROR_UNUSABLE when it is empty, too long, not UTF-8, has
 * control characters, or cannot be told from another text; ERROR_BUSY without memory. */
bool symbol_keep(const char *text, size_t length, double *code, struct error *error);

/* The text of a code, terminated, until it is forgotten. NULL: it is not kept. */
const char *symbol_text(double code);

size_t symbols_count(void);
/* Forgets the texts whose codes are not in use. No other thread may use any of them meanwhile.
 * Without memory nothing is forgotten. */
void symbols_forget(bool (*is_used)(void *context, double code), void *context);

#endif
