/* The settings of a data directory, in settings.json, and which services live that have them.
 *
 * Each service holds a shared lock (flock) on lock.services as long as any of its processes lives.
 * Whoever has other settings may only come when nobody holds it. */
#ifndef TRENDLINE_SETTINGS_FILE_H
#define TRENDLINE_SETTINGS_FILE_H

#include "config.h"
#include "error.h"
#include "settings.h"

#define SETTINGS_NAME      "settings.json"
#define SETTINGS_LOCK_NAME "lock.services"

/* A start's claim to the directory. Wants the store's lock until it has kept its settings, so that
 * two starts do not claim it at once. */
struct settings_claim {
    int lock; /* -1: none is open */
    /* what the directory's settings are to ours; SETTINGS_SAME where there are none */
    enum settings_result was;
    char kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
};

/* Until its end nobody with other settings may come, and where ours are others nobody at all. False
 * with ERROR_CONFLICT: a service with other settings lives. */
bool settings_file_claim(const struct config *config, struct settings_claim *claim,
                         struct error *error);
/* Makes ours the directory's, and says so where they were others; from then on others with the same
 * may come. `pending`: the model is not yet one of these. */
bool settings_file_keep(const struct config *config, struct settings_claim *claim, bool pending,
                        struct error *error);
void settings_file_end(struct settings_claim *claim);

/* Takes part in the lock, until *fd, and all copies of it that processes have inherited, are
 * closed. False with ERROR_CONFLICT: since the claim somebody has come with other settings. A
 * directory without settings, on a volume that cannot be written, is no failure: *fd is -1. */
bool settings_file_hold(const struct config *config, int *fd, struct error *error);

#endif
