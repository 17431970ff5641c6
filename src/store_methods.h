/* What a store consists of. Private to store.c and the implementations; store.h has the contracts,
 * each method's is that of the function with its name. */
#ifndef TRENDLINE_STORE_METHODS_H
#define TRENDLINE_STORE_METHODS_H

#include "store.h"

struct store_methods {
    void (*close)(struct store *store); /* not NULL */
    enum lock_result (*lock)(struct store *store, struct error *error);
    bool (*unlock)(struct store *store);
    bool (*catch_up)(struct store *store, struct error *error);
    const struct schema *(*schema)(const struct store *store);
    int64_t (*events)(const struct store *store);
    const struct schema *(*event_schema)(const struct store *store);
    struct moments *(*moments)(const struct store *store, struct error *error);
    bool (*set_schema)(struct store *store, const struct schema *schema, struct error *error);
    void (*unset_schema)(struct store *store);
    bool (*add)(struct store *store, const double *row, const char *id, size_t id_length,
                size_t *ticket, struct error *error);
    size_t (*batch_bytes)(const struct store *store);
    bool (*commit)(struct store *store, struct error *error);
    enum store_outcome (*outcome)(const struct store *store, size_t ticket, int64_t *seq,
                                  struct error *error);
    const struct snapshot *(*train)(const struct store *store);
    bool (*set_train)(struct store *store, struct snapshot *train, struct error *error);
    const struct model *(*model)(const struct store *store);
    bool (*publish_build)(struct store *store, struct model *model, struct error *error);
    bool (*publish_update)(struct store *store, struct model *model, struct error *error);
    bool (*restore_model)(struct store *store, struct error *error);
    bool (*snapshot)(struct store *store, struct error *error);
};

/* The first member of each implementation's own struct. */
struct store {
    const struct store_methods *methods;
};

struct store *store_files_open(const struct config *config, struct error *error);
struct store *store_postgres_open(const struct config *config, struct error *error);

#endif
