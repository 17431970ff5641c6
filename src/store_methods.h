/* What a store consists of. Private to store.c and the implementations; store.h has the contracts,
 * each method's is that of the function with its name. */
#ifndef TRENDLINE_STORE_METHODS_H
#define TRENDLINE_STORE_METHODS_H

#include "model_file.h"
#include "recent.h"
#include "store.h"
#include "window.h"

struct store_methods {
    void (*close)(struct store *store); /* not NULL */
    enum lock_result (*lock)(struct store *store, struct error *error);
    bool (*unlock)(struct store *store);
    void (*limit_waits)(struct store *store, int64_t ms); /* NULL: nothing is waited for */
    bool (*may_try)(const struct store *store, struct error *error);        /* NULL: at any time */
    bool (*has_news)(struct store *store, bool *news, struct error *error); /* NULL: of no use */
    void (*start)(struct store *store, const char *sentence); /* NULL: nobody can be made to wait */
    bool (*catch_up)(struct store *store, struct error *error);
    bool (*claim_settings)(struct store *store, enum settings_result *was, struct error *error);
    bool (*keep_settings)(struct store *store, struct error *error);
    int64_t (*events)(const struct store *store);
    const struct schema *(*event_schema)(const struct store *store);
    bool (*add)(struct store *store, const struct event *event, size_t *ticket,
                struct error *error);
    size_t (*batch_bytes)(const struct store *store);
    bool (*commit)(struct store *store, struct error *error);
    enum store_outcome (*outcome)(const struct store *store, size_t ticket, int64_t *seq,
                                  struct error *error);
    bool (*visit)(struct store *store, store_visitor *visit, void *context, struct error *error);
    bool (*identity)(struct store *store, char identity[static STORE_IDENTITY_MAX],
                     struct error *error);
    /* What all processes make terms from: *maps stays NULL while nobody has said it of these
     * features, or of any where `schema` is NULL. */
    bool (*load_maps)(struct store *store, const struct schema *schema, struct term_maps **maps,
                      struct error *error);
    /* Says it, durably, unless somebody has before. What was said of other features, which events
     * cannot have had, is replaced. */
    bool (*save_maps)(struct store *store, const struct schema *schema,
                      const struct term_maps *maps, struct error *error);
    /* Says it in place of what was said before; whoever catches up follows. NULL: cannot be. */
    bool (*renew_maps)(struct store *store, const struct schema *schema,
                       const struct term_maps *maps, struct error *error);
    /* Forgets what was learnt, for store_lock to read it again. Returns false with ERROR_BEHIND. */
    bool (*read_again)(struct store *store, struct error *error);
    bool (*set_train)(struct store *store, struct snapshot *train, struct error *error);
    bool (*publish_build)(struct store *store, struct model *model, struct error *error);
    bool (*restore_model)(struct store *store, struct error *error);
    /* NULL: there is nothing to do. */
    bool (*snapshot)(struct store *store, struct error *error);
    bool (*keep)(struct store *store, bool *more, struct error *error);
};

/* The first member of each implementation's own struct: what they share. */
struct store {
    const struct store_methods *methods;
    const struct config *config;
    struct lock lock; /* between the processes on one directory */
    struct model_file model;
    struct window *window;  /* WINDOW: the rows that are in `events`; NULL: all that were learnt */
    bool has_left;          /* since store_settle a row has left it, or may have been forgotten */
    struct recent *recent;  /* FORGET: how far the rows reach that are not forgotten; else NULL */
    struct folds *events;   /* sums of the events; NULL while nothing has fixed their features */
    struct term_maps *maps; /* of events and train file; NULL until they are made */
    bool maps_unsaid;       /* and only this process knows them yet */
    struct schema *maps_schema; /* the features that were said to be theirs */
    int64_t learnt;             /* the last event in `events` */
    int64_t judged;             /* up to which event `live` is */
    struct live live;           /* how well the model predicted them */
    struct snapshot train;      /* the train file's; schema is NULL when there is none */
    const char *train_lost;     /* why those that there were cannot be had; NULL: they can */
    struct schema *proposed;    /* of the first event, until its batch is durable */
    int64_t added;              /* events in the open batch */
    bool more_to_come;          /* see store_expect_more */
};

struct store *store_files_open(const struct config *config, struct error *error);
struct store *store_postgres_open(const struct config *config, struct error *error);

/* In this order: nothing of it is open or owned yet, everything is, nothing any more. */
void store_begin(struct store *store, const struct store_methods *methods,
                 const struct config *config);
bool store_open_shared(struct store *store, struct error *error);
void store_free_shared(struct store *store);

/* The lock between the processes on one directory, and no more: as store_lock, without reading. */
enum lock_result store_take_lock(struct store *store, struct error *error);
/* How long one call of store_lock reads. */
enum { STORE_SLICE_MS = 10 };
/* ERROR_BEHIND: "reading WHAT again: 1,200,000 of 3,000,000 events". */
bool store_is_behind(const char *what, int64_t known, int64_t all, struct error *error);

/* Empty sums, of no rows; `maps` is NULL without terms. NULL without memory. */
struct folds *store_new_folds(const struct store *store, const struct schema *schema,
                              struct term_maps *maps);
/* FORGET: begins to see how far the rows reach that are not forgotten. */
bool store_start_recent(struct store *store, const struct schema *schema, struct error *error);
/* Adds a row to the events' sums, which must have been reserved. */
void store_learn_row(struct store *store, const double *row, int64_t seq);
/* Empty sums for events of these features. */
bool store_start_moments(struct store *store, const struct schema *schema, struct error *error);
void store_free_sums(struct store *store); /* none, again */
/* What others, and a later start, may take instead of learning the same events: to be written, not
 * to be freed. And taken, out of the snapshot. */
struct snapshot store_sums(const struct store *store);
void store_take_sums(struct store *store, struct snapshot *snapshot);
/* Sees how well the current model predicts the next event's row, which must have been reserved,
 * unless whoever published the model has done so; and adds it to the events' sums. */
void store_learn(struct store *store, const double *row, int64_t seq);
/* After learning, and with no batch open: what no event says any more that is not forgotten is not
 * in the sums either. */
void store_settle(struct store *store);
/* WINDOW or FORGET: the sums are not of all events alike. */
bool store_forgets(const struct store *store);
/* The last event that does not matter any more where `last` is the last of all; 0: all do. */
int64_t store_forgotten(const struct store *store, int64_t last);
/* What a model made from the sums as they are now says of the events behind it. */
void store_stamp(struct store *store, struct model *model);
/* What the terms of a train file that was read were made from becomes the store's. */
bool store_take_train_maps(struct store *store, const struct snapshot *train, struct error *error);
/* After catching up: takes part in the terms that somebody has begun meanwhile, or begins them. */
bool store_follow_terms(struct store *store, struct error *error);
void store_drop_maps(struct store *store); /* none, again */
/* Takes these maps, of which one user is taken over, in place of those there are. */
bool store_change_maps(struct store *store, struct term_maps *maps, struct error *error);
/* Are these folds, read from somewhere, what they would be here? */
bool store_fits(const struct store *store, const struct folds *folds);

/* maps_parse; *maps is NULL where those are not for the features of `schema`. */
bool store_parse_maps(struct store *store, const struct schema *schema, const char *text,
                      size_t length, struct term_maps **maps, struct error *error);

/* What a damaged text said, as the sums or else the model still have it, and the features that it
 * is for; both are NULL where nothing has it. */
struct known_maps {
    const struct schema *schema;
    struct term_maps *maps;
};
struct known_maps store_known_maps(const struct store *store);
/* Those, as store_parse_maps has what it has read. */
bool store_take_known(struct store *store, const struct schema *schema, struct known_maps known,
                      struct term_maps **maps, struct error *error);

/* To be called when the open batch has been learnt, or has failed: forgets the levels that came
 * with events which were reserved but not stored. They must neither be predicted nor count. Without
 * memory they stay until the next time. */
void store_forget_unstored(struct store *store);

/* Makes room for a row in all sums, so that learning it cannot fail. ERROR_UNUSABLE: they cannot
 * hold it. */
bool store_reserve(struct store *store, const double *row, struct error *error);
/* The same for an event that was stored before, in the events' sums. False without memory. */
bool store_reserve_accepted(struct store *store, const double *row);

#endif
