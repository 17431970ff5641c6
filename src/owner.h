/* Whose files they are: a process started as root works as the owner of the data directory, so that
 * nothing it makes there belongs to root by surprise. */
#ifndef TRENDLINE_OWNER_H
#define TRENDLINE_OWNER_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

struct owner {
    uid_t uid;
    gid_t gid;
};

/* The owner of the directory; false when it is missing or no directory. */
bool owner_of(const char *directory, struct owner *owner, struct error *error);

/* Can this process run others under other ids and give files away? Root usually can, but not when
 * its capabilities were taken (docker run --cap-drop ALL). */
bool owner_can_switch(void);

/* Becomes the owner for good. Whoever is not root stays what he is. */
bool owner_become(const struct owner *owner, struct error *error);

/* Gives up for good, from the next exec on, all that makes root more than a user with number 0.
 * To be called before owner_become, which takes the right to do so away. */
void owner_renounce(void);

/* Gives up for good, at once, whatever capabilities the process has, and the way to new ones by an
 * exec. */
bool owner_drop_capabilities(struct error *error);

#endif
