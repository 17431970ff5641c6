#include "learn.h"

#include "train.h"

#include <stdio.h>
#include <string.h>

bool learn_update(struct store *store, const struct config *config, struct error *error)
{
    const struct model *current = store_model(store);
    struct folds_set rows;
    if (!config->learn_online || !current || current->events == store_events(store) ||
        !schema_equal(current->schema, store_schema(store)))
        return true;
    if (!learn_allows(config, current)) /* of other settings, before ours were taken over */
        return learn_build(store, error);
    struct model *model = store_rows(store, &rows, error)
                              ? model_like(current, store_schema(store), &rows, error)
                              : NULL;
    if (model && store_publish_update(store, model, error))
        return true;
    model_free(model);
    return false;
}

bool learn_allows(const struct config *config, const struct model *model)
{
    enum candidate candidate = model->predictor->candidate;
    return candidate == LEAST_SQUARES ||
           (candidate == RIDGE ? config->may_choose : config->has_terms);
}

void learn_drop(struct chosen *chosen)
{
    model_free(chosen->model);
    chosen->model = NULL;
}

static const char *train_fingerprint(const struct store *store)
{
    const struct snapshot *train = store_train(store);
    return train ? train->fingerprint : "";
}

bool learn_choose(const struct store *store, struct chosen *chosen, struct error *error)
{
    struct folds_set rows;
    *chosen = (struct chosen){.events = store_events(store)};
    snprintf(chosen->train, sizeof chosen->train, "%s", train_fingerprint(store));
    if (store_rows(store, &rows, error))
        chosen->model = model_choose(store_schema(store), &rows, error);
    return chosen->model != NULL;
}

/* As an online update moves a model: what was chosen before is what the sums say now. */
static bool move_on(const struct store *store, struct chosen *chosen, struct error *error)
{
    struct folds_set rows;
    if (chosen->events == store_events(store) &&
        strcmp(chosen->train, train_fingerprint(store)) == 0)
        return true;
    if (!schema_equal(chosen->model->schema, store_schema(store)))
        return error_set(error, ERROR_BUSY, "the features have changed meanwhile: try again");
    struct model *moved = store_rows(store, &rows, error)
                              ? model_like(chosen->model, store_schema(store), &rows, error)
                              : NULL;
    if (!moved)
        return false;
    learn_drop(chosen);
    chosen->model = moved;
    return true;
}

bool learn_publish(struct store *store, struct chosen *chosen, struct error *error)
{
    bool ok = move_on(store, chosen, error) && store_publish_build(store, chosen->model, error);
    if (ok)
        chosen->model = NULL;
    learn_drop(chosen);
    return ok;
}

bool learn_build(struct store *store, struct error *error)
{
    struct chosen chosen;
    return store_begin_terms(store, error) && learn_choose(store, &chosen, error) &&
           learn_publish(store, &chosen, error);
}

/* What is wrong with the train file is the matter of whoever builds; want of memory is not. */
static bool is_conflict(struct error *error)
{
    if (error->kind != ERROR_BUSY)
        error->kind = ERROR_CONFLICT;
    return false;
}

/* Has the train file been read for what is wanted of it now? */
static bool is_complete(const struct store *store, const struct snapshot *train)
{
    const struct folds *folds = train->folds;
    const struct schema *schema;
    const struct term_maps *maps = store_maps(store, &schema);
    return !maps || (folds->maps && term_maps_equal(folds->maps, maps) &&
                     folds->term_rows == folds_rows(folds));
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
    if (known && strcmp(known->source, source) == 0 && is_complete(store, known))
        return true;
    struct train_wish wish = {.may_choose = config->may_choose,
                              .has_terms = config->has_terms,
                              .missing_allowed = config->missing_allowed,
                              .order = store_event_schema(store)};
    wish.maps = store_maps(store, &wish.maps_schema);
    if (!train_read(config->train_path, &wish, train, error))
        return is_conflict(error);
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
             (store_fits_train(store, train, error) || is_conflict(error)) &&
             store_set_train(store, train, error);
    snapshot_free(train);
    return ok;
}
