/* The store on files, what its parts share: store_files.c (adding events, train file, terms,
 * models), store_files_open.c (what was made from the journal, and where it leaves off) and
 * store_files_read.c (the lock, and what was stored by anyone). Private to them; store.h has the
 * contracts of the methods. */
#ifndef TRENDLINE_STORE_FILES_H
#define TRENDLINE_STORE_FILES_H

#include "ids.h"
#include "journal.h"
#include "recovery.h"
#include "settings_file.h"
#include "store_methods.h"
#include "watch.h"

#include <limits.h>

struct files {
    struct store base;       /* first */
    struct journal *journal; /* NULL until files_open */
    struct ids *ids;
    int64_t ids_known;   /* up to this event all ids are known: from the file, then added */
    int64_t stored;      /* the last event that anything else than the journal has told of */
    int64_t snapshot_at; /* the last event of the newest snapshot, and of the ids' file */
    struct watch events_watch, train_watch, terms_watch;
    struct snapshot kept; /* of the events, until files_open takes it; empty: there is none */
    bool loaded;          /* it has been looked for */

    /* reading without the lock */
    struct journal_position target; /* all zero, or up to there: is stored, and not read yet */
    uint64_t left;                  /* bytes behind the position, when it was looked last */
    int64_t pause_at;               /* by clock_ms; 0: never */
    int64_t keep_at;                /* when to keep next what was read */
    size_t ids_tried;               /* how many ids were in memory when keeping them failed last */
    bool keeps;                     /* it is time to keep */
    struct settings_claim claim;    /* a start's */
    struct recovery recovery;
    bool starts; /* it is held until the end: see store_start */

    struct buffer batch_rows; /* doubles: the open batch's rows one after the other */
    struct buffer outcomes;   /* struct outcome by ticket: of the open batch, else of the last */
    bool settled;             /* they are the last one's */
    char events_path[PATH_MAX], train_path[PATH_MAX], terms_path[PATH_MAX], ids_path[PATH_MAX],
        journal_path[PATH_MAX];
};

/* ---- store_files.c */

int64_t files_events(const struct store *base);
bool files_snapshot(struct store *base, struct error *error);
void files_snapshot_if_due(struct files *store);
bool files_restore_model(struct store *base, struct error *error);
bool files_load_maps(struct store *base, const struct schema *schema, struct term_maps **maps,
                     struct error *error);

/* What terms are made from, at the opening, where `kept` has the sums as they were kept, if they
 * were: they are freed where they are of no use. */
bool files_open_maps(struct files *store, struct snapshot *kept, struct error *error);

/* ---- store_files_open.c */

/* Reads the snapshot of the events, which may take a while and does not want the lock; files_open
 * does it if it has not been done. */
bool files_load(struct files *store, struct error *error);
void files_unload(struct files *store);
/* Opens journal and ids, with the sums as the snapshot has them, and moves the journal to where the
 * first event is that is missing in either. Wants the lock. */
bool files_open(struct files *store, struct error *error);
/* Everything that files_open opens or makes. */
void files_close_all(struct files *store);
/* For journal_replay and journal_visit: learns an event, and its id, unless that was done before.
 * ERROR_BEHIND: that is enough for now. */
bool files_visit_event(void *context, const struct journal_event *event, struct error *error);

/* ---- store_files_read.c */

enum lock_result files_lock(struct store *base, struct error *error);
bool files_unlock(struct store *base);
bool files_catch_up(struct store *base, struct error *error);
void files_start(struct store *base, const char *sentence);
bool files_read_again(struct store *base, struct error *error);
/* "reading the journal again: …" */
bool files_behind(const struct files *store, struct error *error);
/* Whether reading without the lock should pause: time is up, or sums and ids are to be kept. */
bool files_is_time(struct files *store, bool between_batches);

#endif
