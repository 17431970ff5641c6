/* The settings of a data directory, in settings.json, and which services live that have them.
 *
 * Each service holds a shared lock (flock) on lock.services as long as any of its processes lives.
 * That file says their settings, which they have from the beginning of their start on;
 * settings.json says those that were learnt with, which a start makes its own at its end. Whoever
 * has others than those who live may only come when nobody holds the lock. */
#ifndef TRENDLINE_SETTINGS_FILE_H
#define TRENDLINE_SETTINGS_FILE_H

#include "config.h"
#include "error.h"
#include "settings.h"

#include <sys/types.h>

#define SETTINGS_NAME      "settings.json"
#define SETTINGS_LOCK_NAME "lock.services"

/* A start's claim to the directory. Wants the store's lock, so that two starts do not claim it at
 * once. */
struct settings_claim {
    int lock; /* -1: none is open */
    /* what the directory's settings are to ours; SETTINGS_SAME where there are none */
    enum settings_result was;
    char kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
};

/* Until its end nobody with other settings may come. False with ERROR_SYSTEM: a service with others
 * lives. */
bool settings_file_claim(const struct config *config, struct settings_claim *claim,
                         struct error *error);
/* Makes ours the directory's, and says so where they were others. */
bool settings_file_keep(const struct config *config, const struct settings_claim *claim,
                        struct error *error);
void settings_file_end(struct settings_claim *claim);

/* For the launcher, before its start claims the directory: opens the lock as SETTINGS_HOLD, which
 * all processes that it starts inherit. A claim by one of them is then a claim by all, and lasts as
 * long as any of them lives. The file, if it is new, belongs to that user. On a volume that cannot
 * be written there is none. */
enum { SETTINGS_HOLD = 100 /* behind the sockets */ };
bool settings_file_hold(const struct config *config, uid_t user, gid_t group, struct error *error);

#endif
