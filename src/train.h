/* Train file: rows that are there from the start, kept as sums apart from the events'. */
#ifndef TRENDLINE_TRAIN_H
#define TRENDLINE_TRAIN_H

#include "error.h"
#include "schema.h"
#include "snapshot.h"

#include <stdbool.h>

/* What tells whether the file is still the one that was read, without reading it: device, inode,
 * size and times. ERROR_ABSENT when there is no file. */
bool train_source(const char *path, char source[static SNAPSHOT_SOURCE_MAX], struct error *error);

/* How it is to be read. */
struct train_wish {
    bool may_choose;      /* with folds */
    bool has_terms;       /* and with terms */
    bool missing_allowed; /* cells may be empty */
    const struct schema
        *order;             /* the events' features, or NULL: its columns are put in that order */
    struct term_maps *maps; /* where terms are made from if it has the features of `maps_schema`.
                               NULL, or others: from its own rows, which takes a second reading */
    const struct schema *maps_schema;
};

/* Reads the table at `path` into a snapshot: schema (all columns but the last), moments,
 * fingerprint and source. ERROR_UNUSABLE and the like name file, line and column. */
bool train_read(const char *path, const struct train_wish *wish, struct snapshot *train,
                struct error *error);

/* Puts the sums into the order of `schema` (of the stored events). ERROR_CONFLICT says how the
 * features differ when they are not the same. `path` names the file in that error. */
bool train_reorder(struct snapshot *train, const struct schema *schema, const char *path,
                   struct error *error);

#endif
