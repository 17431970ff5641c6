/* Learning: from moments to the current model. Everything wants the store's lock, caught up, unless
 * it says otherwise. */
#ifndef TRENDLINE_LEARN_H
#define TRENDLINE_LEARN_H

#include "config.h"
#include "error.h"
#include "store.h"

#include <stdbool.h>

/* After events were stored: moves the built model by them at once, where LEARN=online, there is a
 * model, and it has the events' features. True as well when there is nothing to do. */
bool learn_update(struct store *store, const struct config *config, struct error *error);

/* Makes the next version from the train file's sums and all events. ERROR_CONFLICT: there is
 * nothing. */
bool learn_build(struct store *store, struct error *error);

/* The same in two steps, for those who let others write meanwhile. A model that was chosen, and of
 * what. */
struct chosen {
    struct model *model; /* owned; NULL: none */
    int64_t events;
    char train[SNAPSHOT_FINGERPRINT_MAX]; /* "": no train file */
};

/* What predicts best of what the store has learnt: may take a second, and does not want the lock.
 * ERROR_CONFLICT: there is nothing. */
bool learn_choose(const struct store *store, struct chosen *chosen, struct error *error);
/* Publishes it, moved by what has been learnt since, and empties it either way. */
bool learn_publish(struct store *store, struct chosen *chosen, struct error *error);
void learn_drop(struct chosen *chosen);

/* What reading the train file came to. */
enum train_news {
    TRAIN_SAME,    /* it is the one that the sums are of, or there is none and never was */
    TRAIN_TOUCHED, /* the same content under new times */
    TRAIN_NEW,     /* content that has not been learnt */
    TRAIN_GONE     /* there was one */
};

/* Looks at the train file and, if it may have changed, reads it into *train: may take long, and
 * does not want the lock; `store` is asked for what is known already. False: ERROR_CONFLICT with
 * the reason. */
bool learn_read_train(const struct store *store, const struct config *config,
                      struct snapshot *train, enum train_news *news, struct error *error);

/* Puts what learn_read_train found into the store; `train` is emptied either way. */
bool learn_take_train(struct store *store, const struct config *config, struct snapshot *train,
                      enum train_news news, struct error *error);

/* May a model be of that kind here? */
bool learn_allows(const struct config *config, const struct model *model);

#endif
