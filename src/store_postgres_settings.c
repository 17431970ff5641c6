/* The store on PostgreSQL: its settings (settings.h), in a row of trendline_settings.
 *
 * Each session of each replica shares an advisory lock as long as it lives. One that finds other
 * settings takes over only when it can have that lock alone: then no other session lives. */
#include "store_postgres_sql.h"
#include "store_replica.h"

#include <stdio.h>
#include <string.h>

static bool share(struct replica *store, struct error *error)
{
    bool shared;
    return replica_ask_truth(store, SQL_SHARE_SETTINGS, &shared, error) &&
           (shared || error_set(error, ERROR_BUSY,
                                "another service is just changing the settings of the database"));
}

static bool keep(struct replica *store, struct error *error)
{
    struct buffer text = {0};
    settings_write(store->base.config, &text);
    const char *values[] = {replica_text(&text)};
    bool ok =
        values[0] ? replica_write(store, SQL_SET_SETTINGS, 1, values, error) : error_memory(error);
    buffer_free(&text);
    return ok;
}

/* Of a database with other settings, if nobody lives who has them. */
static bool take_over(struct replica *store, const char *kept, const char *own, struct error *error)
{
    bool alone;
    if (!replica_ask(store, SQL_UNSHARE_SETTINGS, 0, NULL, error) ||
        !replica_ask_truth(store, SQL_CLAIM_SETTINGS, &alone, error))
        return false;
    if (!alone)
        return settings_refuse("the database", kept, own, error);
    settings_announce(kept, own);
    return keep(store, error) && share(store, error) &&
           replica_ask(store, SQL_UNCLAIM_SETTINGS, 0, NULL, error);
}

/* The first ones of all, or in place of damaged ones; without waiting for anything. */
static bool keep_first(struct replica *store, struct error *error)
{
    struct error later;
    return !replica_may_write(store, &later) || keep(store, error);
}

/* Whether this role has the right to; without it nobody's settings are looked at. */
static bool may_keep(struct replica *store, bool *may, struct error *error)
{
    static bool is_said;
    if (!replica_ask_truth(store, SQL_MAY_KEEP_SETTINGS, may, error))
        return false;
    if (!*may && !is_said)
        fprintf(stderr,
                "trendline_settings: nobody looks whether all services have the same: GRANT "
                "SELECT, INSERT, UPDATE on it\n");
    is_said |= !*may;
    return true;
}

static bool join(struct replica *store, struct error *error)
{
    char kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
    if (!share(store, error) || !replica_ask(store, SQL_SETTINGS, 0, NULL, error))
        return false;
    if (postgres_rows(store->postgres, 0) == 0)
        return keep_first(store, error);
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    enum settings_result settings =
        settings_compare(store->base.config, text, strlen(text), kept, own);
    if (settings == SETTINGS_SAME)
        return true;
    if (settings == SETTINGS_DAMAGED) {
        fprintf(stderr, "trendline_settings: not what was written: making it again\n");
        return keep_first(store, error);
    }
    store->settings = settings;
    return take_over(store, kept, own, error);
}

bool replica_join_settings(struct replica *store, struct error *error)
{
    bool may;
    return may_keep(store, &may, error) && (!may || join(store, error));
}

/* The session has done it. */
bool postgres_claim_settings(struct store *base, enum settings_result *was, struct error *error)
{
    struct replica *store = (struct replica *)base;
    if (!postgres_connect(store->postgres, error))
        return false;
    *was = store->settings;
    return true;
}

bool postgres_keep_settings(struct store *base, struct error *error)
{
    (void)base;
    (void)error;
    return true;
}
