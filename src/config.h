/* Configuration: the environment, read and checked once into one constant struct. */
#ifndef TRENDLINE_CONFIG_H
#define TRENDLINE_CONFIG_H

#include "error.h"
#include "secret.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* The least and the greatest WINDOW. */
enum { CONFIG_WINDOW_MIN = 10, CONFIG_WINDOW_MAX = 2000000 };

#define CONFIG_POSTGRES "POSTGRES_URI"
/* Set by the launcher, so that all its processes see the same: `memory`, in bytes. */
#define CONFIG_MEMORY "TRENDLINE_MEMORY"

/* With less memory models of terms are not tried. */
enum { CONFIG_TERMS_MEMORY = 128 << 20 };

struct config {
    uint16_t port;
    char data_dir[PATH_MAX];   /* DATA_DIR, without a trailing slash */
    char train_path[PATH_MAX]; /* TRAIN_FILE_PATH, or data_dir/train.txt */
    bool train_path_set;       /* TRAIN_FILE_PATH was set: the file must exist */
    bool learn_online;         /* LEARN=online */
    bool may_choose;           /* MODEL=auto: a build chooses the kind of model */
    bool has_terms;            /* among those with terms, too: there is memory enough for them */
    uint64_t memory;           /* bytes that all processes together may have; 0: any number */
    bool missing_allowed;      /* MISSING=allow: null and empty cells are learnt as such */
    bool unseen_allowed;       /* UNSEEN=base: a level never learnt is predicted as the base */
    unsigned workers;          /* predict processes */
    uint64_t max_body;         /* bytes */
    uint64_t min_free;         /* bytes of free space below which writes are refused */
    unsigned rate_limit;       /* requests a second from one address; 0: any number */
    struct secret postgres;    /* POSTGRES_URI: where events and models live; none: in data_dir */
    uint64_t window;           /* WINDOW: how many of the last events count; 0: all */
    double forget;             /* FORGET: what each event leaves of those before it; 0: all */
    int64_t keep_versions;     /* KEEP_VERSIONS: how many models as built are kept */
    uint64_t id_window;        /* how many of the latest ids are remembered; UINT64_MAX: all */
};

/* What differs between `trendline` started by a person (port 8080, ./hostfiles) and in the image
 * (port 80, /hostfiles) is set in the environment by whoever starts it; without it the image's
 * defaults hold.
 *
 * An empty variable counts as not set. A value that cannot be used fails with one sentence that
 * names the variable, the value and what is allowed. What POSTGRES_URI has, also in
 * POSTGRES_URI_FILE, is not shown. TARGET becomes schema_target(). The tokens are not here but in
 * access.h, so that only those have them who need them. */
bool config_read(struct config *config, struct error *error);

#endif
