#include "learn.h"

#include "train.h"

#include <string.h>

static struct model *new_model(struct store *store, struct error *error)
{
    struct moments *moments = store_moments(store, error);
    if (!moments)
        return NULL;
    struct model *model = model_new(store_schema(store), moments, error);
    moments_free(moments);
    return model;
}

bool learn_update(struct store *store, const struct config *config, struct error *error)
{
    const struct model *current = store_model(store);
    if (!config->learn_online || !current || current->events == store_events(store) ||
        !schema_equal(current->schema, store_schema(store)))
        return true;
    struct model *model = new_model(store, error);
    if (model && store_publish_update(store, model, error))
        return true;
    model_free(model);
    return false;
}

bool learn_build(struct store *store, struct error *error)
{
    struct model *model = new_model(store, error);
    if (model && store_publish_build(store, model, error))
        return true;
    model_free(model);
    return false;
}

bool learn_read_train(const struct store *store, const struct config *config,
                      struct snapshot *train, enum train_news *news, struct error *error)
{
    const struct snapshot *known = store_train(store);
    char source[SNAPSHOT_SOURCE_MAX];
    *train = (struct snapshot){0};
    *news = TRAIN_SAME;
    if (!train_source(config->train_path, source, error)) {
        if (error->kind == ERROR_ABSENT && config->train_path_set)
            error_set(error, ERROR_CONFLICT, "TRAIN_FILE_PATH=%s: no such file",
                      config->train_path);
        if (error->kind != ERROR_ABSENT)
            return false;
        *news = known ? TRAIN_GONE : TRAIN_SAME;
        return true;
    }
    if (known && strcmp(known->source, source) == 0)
        return true;
    if (!train_read(config->train_path, train, error)) {
        error->kind = ERROR_CONFLICT;
        return false;
    }
    bool same_content = known && strcmp(known->fingerprint, train->fingerprint) == 0;
    *news = same_content ? TRAIN_TOUCHED : TRAIN_NEW;
    return true;
}

bool learn_take_train(struct store *store, const struct config *config, struct snapshot *train,
                      enum train_news news, struct error *error)
{
    const struct schema *events = store_event_schema(store);
    bool ok = true;
    if (news == TRAIN_GONE)
        ok = store_set_train(store, NULL, error);
    else if (news != TRAIN_SAME)
        ok = (!events || train_reorder(train, events, config->train_path, error)) &&
             store_set_train(store, train, error);
    snapshot_free(train);
    return ok;
}
