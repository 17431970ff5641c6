#include "intake.h"

static bool bind_first(struct store *store, struct event_reader *reader, struct event *event,
                       struct error *error)
{
    struct schema *first = event_reader_schema(reader, error);
    bool ok = first && store_set_schema(store, first, error) &&
              event_reader_bind(reader, store_schema(store), event, error);
    if (first && !ok)
        store_unset_schema(store);
    schema_free(first);
    return ok;
}

static bool bind_fetched(struct store *store, struct event_reader *reader, struct event *event,
                         struct error *error)
{
    const struct schema *schema = store_schema(store);
    return schema ? event_reader_bind(reader, schema, event, error)
                  : bind_first(store, reader, event, error);
}

enum event_result intake_next(struct store *store, struct event_reader *reader, struct event *event,
                              struct error *error)
{
    const struct schema *schema = store_event_schema(store); /* once there, it stays */
    if (!event_reader_expect(reader, store_schema(store), store_allows_missing(store), error))
        return EVENT_BROKEN;
    if (schema && event_reader_next_flat(reader, schema, event))
        return EVENT_FETCHED;
    enum event_result result = event_reader_fetch(reader, error);
    if (result == EVENT_FETCHED && !bind_fetched(store, reader, event, error))
        return EVENT_REFUSED;
    return result;
}
