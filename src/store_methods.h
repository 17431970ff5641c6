/* What a store consists of. Private to store.c and the implementations; store.h has the contracts,
 * each method's is that of the function with its name. */
#ifndef TRENDLINE_STORE_METHODS_H
#define TRENDLINE_STORE_METHODS_H

#include "model_file.h"
#include "store.h"

struct store_methods {
    void (*close)(struct store *store); /* not NULL */
    bool (*unlock)(struct store *store);
    bool (*catch_up)(struct store *store, struct error *error);
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
    bool (*set_train)(struct store *store, struct snapshot *train, struct error *error);
    bool (*publish_build)(struct store *store, struct model *model, struct error *error);
    bool (*restore_model)(struct store *store, struct error *error);
    bool (*snapshot)(struct store *store, struct error *error);
};

/* The first member of each implementation's own struct: what they share. */
struct store {
    const struct store_methods *methods;
    const struct config *config;
    struct lock lock; /* between the processes on one directory */
    struct model_file model;
    struct moments *events;  /* sums of the events; NULL while nothing has fixed their features */
    int64_t learnt;          /* how many events are in them */
    struct snapshot train;   /* the train file's; schema is NULL when there is none */
    struct schema *proposed; /* of the first event, until its batch is durable */
};

struct store *store_files_open(const struct config *config, struct error *error);
struct store *store_postgres_open(const struct config *config, struct error *error);

/* In this order: nothing of it is open or owned yet, everything is, nothing any more. */
void store_begin(struct store *store, const struct store_methods *methods,
                 const struct config *config);
bool store_open_shared(struct store *store, struct error *error);
void store_free_shared(struct store *store);

/* Empty sums for events of these features. */
bool store_start_moments(struct store *store, const struct schema *schema, struct error *error);
/* Makes room for a row in all sums, so that learning it cannot fail. ERROR_UNUSABLE: they cannot
 * hold it. */
bool store_reserve(struct store *store, const double *row, struct error *error);

#endif
