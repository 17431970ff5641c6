/* Settings: what of the configuration changes what is learnt (MODEL, WINDOW, FORGET, TARGET,
 * MISSING). All who learn from the same data at the same time must have the same, or they would
 * make different models of them; so the settings are kept with the data. */
#ifndef TRENDLINE_SETTINGS_H
#define TRENDLINE_SETTINGS_H

#include "buffer.h"
#include "config.h"

#include <stdbool.h>
#include <stddef.h>

/* One line of JSON, with a checksum. */
void settings_write(const struct config *config, struct buffer *out);

enum settings_result {
    SETTINGS_SAME,
    SETTINGS_OTHER,  /* differ, but a model of the same rows stays as it is */
    SETTINGS_LEARNT, /* differ in which rows count, and how much (WINDOW, FORGET) */
    SETTINGS_DAMAGED /* the text is not what was written */
};

/* Compares with the text of settings_write. Where they differ, `kept` and `own` become what differs
 * there and here, as "WINDOW=all, MODEL=auto". */
enum { SETTINGS_SHOWN_MAX = 160 };
enum settings_result settings_compare(const struct config *config, const char *text, size_t length,
                                      char kept[static SETTINGS_SHOWN_MAX],
                                      char own[static SETTINGS_SHOWN_MAX]);

/* Are they others? */
bool settings_differ(enum settings_result result);

/* Fills `error` (ERROR_SYSTEM): somebody works on `data` with the kept settings. */
bool settings_refuse(const char *data, const char *kept, const char *own, struct error *error);
/* Says that these settings are from now on those of the data. */
void settings_announce(const char *kept, const char *own);

#endif
