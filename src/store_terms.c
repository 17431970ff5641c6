/* The store's terms: what they are made from, for all processes on the same data; when they begin,
 * begin anew, and of which rows. The implementations load and save the maps, each in its own way.
 */
#include "store_methods.h"

#include "maps_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void store_expect_more(struct store *store, bool more)
{
    store->more_to_come = more;
}

bool store_fits(const struct store *store, const struct folds *folds)
{
    size_t parts = folds_parts(folds->features, store->config->may_choose);
    if (folds->parts != parts || !folds->maps != !store->maps ||
        folds->forget != store->config->forget)
        return false;
    return !folds->maps ||
           (term_maps_equal(folds->maps, store->maps) && folds->term_rows == folds_rows(folds));
}

/* Of these features, both of which are taken over: they are the store's where they are wanted. */
static void keep_wanted(struct store *store, const struct schema *wanted, struct schema *theirs,
                        struct term_maps **maps)
{
    if (!wanted || schema_equal(theirs, wanted)) {
        schema_free(store->maps_schema);
        store->maps_schema = theirs;
        return;
    }
    schema_free(theirs);
    term_maps_free(*maps);
    *maps = NULL;
}

bool store_parse_maps(struct store *store, const struct schema *schema, const char *text,
                      size_t length, struct term_maps **maps, struct error *error)
{
    struct schema *theirs;
    if (!maps_parse(text, length, &theirs, maps, error))
        return false;
    keep_wanted(store, schema, theirs, maps);
    return true;
}

struct known_maps store_known_maps(const struct store *store)
{
    const struct model *model = store_model(store);
    if (store->maps)
        return (struct known_maps){store->maps_schema, store->maps};
    if (model && model->predictor->maps)
        return (struct known_maps){model->schema, model->predictor->maps};
    return (struct known_maps){NULL, NULL};
}

bool store_take_known(struct store *store, const struct schema *schema, struct known_maps known,
                      struct term_maps **maps, struct error *error)
{
    struct schema *theirs = schema_copy(known.schema);
    if (!theirs)
        return error_memory(error);
    *maps = term_maps_share(known.maps);
    keep_wanted(store, schema, theirs, maps);
    return true;
}

void store_drop_maps(struct store *store)
{
    term_maps_free(store->maps);
    store->maps = NULL;
    store->maps_unsaid = false;
}

static bool add_terms(void *context, int64_t seq, const struct event *event, struct error *error)
{
    struct store *store = context;
    (void)seq;
    (void)error;
    folds_add_terms(store->events, event->row, event->row[store->events->features + 1]);
    return true;
}

/* Of the events that are in the sums. */
static bool add_all_terms(struct store *store, struct error *error)
{
    if (!store->window)
        return store_visit(store, add_terms, store, error);
    for (size_t i = 0; i < window_count(store->window); i++) {
        const double *row = window_row(store->window, i);
        folds_add_terms(store->events, row, row[store->events->features + 1]);
        window_set(store->window, i, store->events->features + 2,
                   folds_distance(store->events, row));
    }
    return true;
}

static bool learn_again(void *context, int64_t seq, const struct event *event, struct error *error)
{
    struct store *store = context;
    if (seq <= store_forgotten(store, store->learnt))
        return true;
    if (!store_reserve_accepted(store, event->row))
        return error_memory(error);
    store_learn_row(store, event->row, seq);
    return true;
}

/* What is forgotten by and by is so in all sums at once: they are all made anew. */
static bool remember_terms(struct store *store, struct term_maps *maps, struct error *error)
{
    const struct schema *schema = store_event_schema(store);
    struct folds *events = store->events;
    struct recent *recent = store->recent;
    store->events = store_new_folds(store, schema, maps);
    bool ok = store_start_recent(store, schema, error) && (store->events || error_memory(error)) &&
              store_visit(store, learn_again, store, error);
    folds_free(ok ? events : store->events);
    recent_free(ok ? recent : store->recent);
    if (!ok) {
        store->events = events;
        store->recent = recent;
    }
    return ok;
}

/* Of what is stored already: as all else is read when that is much. */
static bool begin_terms(struct store *store, struct term_maps *maps, struct error *error)
{
    if (store_events(store) > STORE_TERMS_ROWS) /* too many to be made under the lock */
        return store->methods->read_again(store, error);
    if (store->events->forget > 0)
        return remember_terms(store, maps, error);
    if (folds_begin_terms(store->events, maps) ? add_all_terms(store, error) : error_memory(error))
        return true;
    folds_end_terms(store->events);
    return false;
}

/* From now on; and of what is stored already. */
static bool take_maps(struct store *store, struct term_maps *maps, struct error *error)
{
    if (store->events && store_events(store) > 0 && !begin_terms(store, maps, error)) {
        term_maps_free(maps);
        return false;
    }
    store->maps = maps;
    return true;
}

static bool load_maps(struct store *store, const struct schema *schema, struct error *error)
{
    struct term_maps *maps = NULL;
    if (!store->methods->load_maps(store, schema, &maps, error))
        return false;
    return !maps || take_maps(store, maps, error);
}

bool store_take_train_maps(struct store *store, const struct snapshot *train, struct error *error)
{
    const struct term_maps *maps = train->folds->maps;
    if (store->maps && !schema_equal(store->maps_schema, train->schema))
        store_drop_maps(store); /* of another train file; there are no events yet */
    if (!store->maps && !(store->methods->save_maps(store, train->schema, maps, error) &&
                          load_maps(store, train->schema, error)))
        return false;
    return (store->maps && term_maps_equal(maps, store->maps)) ||
           error_set(error, ERROR_BUSY, "somebody else has begun the terms meanwhile: try again");
}

/* All processes must make the same, so that it is said first, and then what was said is taken. */
static bool make_maps(struct store *store, struct error *error)
{
    struct folds_set rows;
    if (!store_rows(store, &rows, error))
        return false;
    struct term_maps *maps = folds_set_maps(&rows);
    bool ok = maps ? store->methods->save_maps(store, store_schema(store), maps, error)
                   : error_memory(error);
    term_maps_free(maps);
    return ok && load_maps(store, store_schema(store), error);
}

static bool has_no_terms(const struct store *store)
{
    const struct schema *schema = store_schema(store);
    return store->config->has_terms && !store->maps && schema &&
           schema->count <= FOLDS_FEATURES_MAX && schema_numbers(schema) > 0;
}

bool store_follow_terms(struct store *store, struct error *error)
{
    if (!has_no_terms(store))
        return true;
    if (!load_maps(store, store_schema(store), error))
        return false;
    int64_t wanted = store->more_to_come ? STORE_TERMS_ROWS : STORE_FIRST_ROWS;
    return store->maps || store_events(store) < wanted || store->train_lost ||
           make_maps(store, error);
}

bool store_begin_terms(struct store *store, struct error *error)
{
    if (!has_no_terms(store))
        return true;
    return load_maps(store, store_schema(store), error) && (store->maps || make_maps(store, error));
}

bool store_change_maps(struct store *store, struct term_maps *maps, struct error *error)
{
    store_drop_maps(store);
    if (store->events)
        folds_end_terms(store->events);
    return take_maps(store, maps, error);
}

/* By two deviations, or when those are four times what they were, or a quarter. */
static bool has_moved(struct place before, struct place now)
{
    return fabs(now.centre - before.centre) > ldexp(2, before.exponent) ||
           abs(now.exponent - before.exponent) >= 2;
}

static bool have_moved(const struct term_maps *before, const struct term_maps *now)
{
    size_t j = 0;
    while (j <= before->features && !has_moved(before->places[j], now->places[j]))
        j++;
    return j <= before->features;
}

/* Reads all again as if these were the maps, before anybody else hears of them: then all others
 * find the sums that go with them, and need not do the same. */
static bool try_maps(struct store *store, struct term_maps *maps, struct error *error)
{
    store->methods->read_again(store, error);
    store_drop_maps(store);
    store->maps = term_maps_share(maps);
    store->maps_unsaid = true;
    return false;
}

static bool say_maps(struct store *store, struct error *error)
{
    struct error late;
    if (!store_snapshot(store, &late)) /* the others will have to read */
        fprintf(stderr, "%s\n", late.text);
    if (!store->methods->renew_maps(store, store_schema(store), store->maps, error))
        return false;
    store->maps_unsaid = false;
    return true;
}

bool store_renew_terms(struct store *store, struct error *error)
{
    struct folds_set rows;
    int64_t events = store_events(store);
    if (store->maps_unsaid)
        return say_maps(store, error);
    if (!store->maps || !store->methods->renew_maps || events == 0 || events > STORE_RENEW_ROWS ||
        !store_rows(store, &rows, error))
        return true;
    struct term_maps *now = folds_set_maps(&rows);
    bool ok =
        now ? !have_moved(store->maps, now) || try_maps(store, now, error) : error_memory(error);
    term_maps_free(now);
    return ok;
}
