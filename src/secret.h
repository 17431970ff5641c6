/* Secrets from the environment: NAME has the secret itself, or NAME_FILE the path of a file with
 * it. What an error says never shows one, nor the path, which somebody may have taken for it. */
#ifndef TRENDLINE_SECRET_H
#define TRENDLINE_SECRET_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_MAX = 512 };

struct secret {
    size_t length;             /* 0: none is set */
    bool from_file;            /* it was NAME_FILE that was set */
    char text[SECRET_MAX + 1]; /* filled up with zeros */
};

/* 1 to SECRET_MAX visible ASCII characters, no spaces; in the file on one line, whose line end is
 * no part of it. False, naming the variable, when what is set cannot be used, be it that it is
 * empty: to go on as if none were set would leave open what was to be locked. So, too, when both
 * variables are set. */
bool secret_read(struct secret *secret, const char *name, struct error *error);

/* Is `text` (not terminated) the secret? Takes as long whatever the secret is. False when none is
 * set. */
bool secret_matches(const struct secret *secret, const char *text, size_t length);

/* Puts the secret where a child's secret_read finds it, which may not be able to open the file. */
bool secret_hand_down(const struct secret *secret, const char *name, struct error *error);

/* Removes it from the environment, also from what others can read of it in /proc. */
void secret_hide(const char *name);

#endif
