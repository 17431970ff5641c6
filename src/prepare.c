#include "prepare.h"

#include "learn.h"
#include "model_file.h"
#include "store.h"
#include "unready.h"

#include <stdio.h>

/* Whether a model was ever built here; then the current one is there. */
static bool restore_model(struct store *store, bool *built, struct error *error)
{
    *built = store_restore_model(store, error);
    if (*built || error->kind != ERROR_DAMAGED)
        return *built || error->kind == ERROR_ABSENT;
    fprintf(stderr, "trendline: warning: %s: building the next version\n", error->text);
    *built = learn_build(store, error);
    return *built;
}

/* Others may be served by now: what takes long is done without the lock. */
static bool read_train(struct store *store, const struct config *config, enum train_news *news,
                       struct error *error)
{
    struct snapshot train;
    store_start(store, "learning the train file");
    store_unlock(store);
    if (!learn_read_train(store, config, &train, news, error))
        return false;
    if (store_wait(store, error))
        return learn_take_train(store, config, &train, *news, error);
    snapshot_free(&train);
    return false;
}

static bool build_model(struct store *store, struct error *error)
{
    struct chosen chosen = {0};
    if (!store_begin_terms(store, error))
        return false;
    store_unlock(store);
    bool ok = learn_choose(store, &chosen, error) && store_wait(store, error) &&
              learn_publish(store, &chosen, error) && store_snapshot(store, error);
    learn_drop(&chosen);
    return ok;
}

/* What was read need not be read again by others. */
static void keep_sums(struct store *store)
{
    struct error late;
    if (!store_snapshot(store, &late)) /* it only makes the next start slower */
        fprintf(stderr, "trendline: warning: %s\n", late.text);
}

/* With other settings than those that the model was made with a new one is made, of the right kind.
 */
static bool prepare_model(struct store *store, const struct config *config,
                          enum settings_result settings, struct error *error)
{
    bool built;
    if (!restore_model(store, &built, error))
        return false;
    if (built && config->learn_online &&
        (settings == SETTINGS_LEARNT || !learn_allows(config, store_model(store))))
        return build_model(store, error);
    if (built && !learn_update(store, config, error))
        fprintf(stderr, "trendline: warning: the model is not up to date with the events: %s\n",
                error->text);
    keep_sums(store);
    return true;
}

static bool learn(struct store *store, const struct config *config, enum settings_result settings,
                  struct error *error)
{
    enum train_news news;
    if (!store_wait(store, error) || !read_train(store, config, &news, error))
        return false;
    return news == TRAIN_NEW ? build_model(store, error)
                             : prepare_model(store, config, settings, error);
}

static bool prepare_store(struct store *store, const struct config *config, struct error *error)
{
    enum settings_result settings;
    return store_claim_settings(store, &settings, error) && learn(store, config, settings, error) &&
           store_keep_settings(store, error);
}

static bool has_model(const struct config *config, struct error *error)
{
    struct model_file file;
    bool ok = model_file_init(&file, config->data_dir, error) && model_file_refresh(&file, error);
    model_file_free(&file);
    return ok;
}

/* On a volume that cannot be written, or has no room for what is missing, only predictions are
 * possible, if there is a model at all. `store` is NULL if it could not even be opened. */
static bool prepare_read_only(struct store *store, const struct config *config, struct error *error)
{
    struct error why = *error;
    bool ok = has_model(config, error) || (store && store_restore_model(store, error));
    if (ok)
        fprintf(stderr, "trendline: warning: %s: predictions only, no event can be stored\n",
                why.text);
    else if (error->kind == ERROR_NOT_READY || error->kind == ERROR_ABSENT)
        *error = why; /* to build a model is no remedy here */
    return ok;
}

bool prepare_run(const struct config *config, struct error *error)
{
    struct store *store = store_open(config, error);
    if (!store)
        return error->kind == ERROR_FULL && prepare_read_only(NULL, config, error);
    unready_tell(config->data_dir, "what is stored is still being read");
    bool ok = prepare_store(store, config, error);
    if (!ok && error->kind == ERROR_FULL)
        ok = prepare_read_only(store, config, error);
    bool later = !ok && config->postgres.length > 0 && error->kind == ERROR_BUSY;
    unready_tell(config->data_dir, later ? error->text : NULL);
    if (later) {
        /* the service says 503 until the database is there, and looks for it */
        fprintf(stderr, "trendline: warning: %s%s\n", error->text, error->detail);
        ok = true;
    }
    store_unlock(store);
    store_close(store);
    return ok;
}
