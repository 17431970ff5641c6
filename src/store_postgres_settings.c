/* The store on PostgreSQL: its settings (settings.h), in a row of trendline_settings.
 *
 * Each session of each replica shares an advisory lock as long as it lives. One that finds other
 * settings takes over only when it can have that lock alone: then no other session lives. Who
 * claims them for a start or an import has it alone until they are kept: a start that is cut off
 * before that, or an import that is refused, has changed nothing. */
#include "store_postgres_sql.h"
#include "store_replica.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* For sessions that are just beginning, too, or are over without the server's knowing it yet. */
enum { JOIN_TRIES = 10, JOIN_PAUSE_MS = 50 };

enum joined { JOINED, AGAIN /* in a moment; the error says why */, FAILED };

static enum joined joined(bool ok)
{
    return ok ? JOINED : FAILED;
}

static enum joined others_change(struct error *error)
{
    error_set(error, ERROR_BUSY, "the settings of the database are just being changed: try again");
    return AGAIN;
}

static bool write_own(struct replica *store, const char *statement, struct error *error)
{
    struct buffer text = {0};
    settings_write(store->base.config, &text);
    const char *values[] = {replica_text(&text)};
    bool ok = values[0] ? replica_write(store, statement, 1, values, error) : error_memory(error);
    buffer_free(&text);
    return ok;
}

/* With the lock alone, which is shared again then. */
static bool change(struct replica *store, struct error *error)
{
    store->has_claim = false;
    return write_own(store, SQL_SET_SETTINGS, error) &&
           replica_ask(store, SQL_SHARE_SETTINGS, 0, NULL, error) &&
           replica_ask(store, SQL_UNCLAIM_SETTINGS, 0, NULL, error);
}

/* Of a database with other settings, if nobody lives who has them. */
static enum joined take_over(struct replica *store, const char *kept, const char *own,
                             struct error *error)
{
    bool alone;
    if (!replica_ask(store, SQL_UNSHARE_SETTINGS, 0, NULL, error) ||
        !replica_ask_truth(store, SQL_CLAIM_SETTINGS, &alone, error))
        return FAILED;
    if (!alone) {
        settings_refuse("the database", kept, own, error);
        return AGAIN;
    }
    store->has_claim = true;
    if (store->is_claiming)
        return JOINED;
    settings_announce(kept, own);
    return joined(change(store, error));
}

/* The first ones of all, or in place of damaged ones; without waiting for anything. Somebody else
 * may do the same: so it is looked at again. */
static enum joined write_first(struct replica *store, const char *statement, struct error *error)
{
    struct error later;
    if (!replica_may_write(store, &later))
        return JOINED;
    if (!write_own(store, statement, error) ||
        !replica_ask(store, SQL_UNSHARE_SETTINGS, 0, NULL, error))
        return FAILED;
    return others_change(error);
}

static enum joined try_join(struct replica *store, struct error *error)
{
    bool shared;
    char kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
    if (!replica_ask_truth(store, SQL_SHARE_SETTINGS, &shared, error))
        return FAILED;
    if (!shared)
        return others_change(error);
    if (!replica_ask(store, SQL_SETTINGS, 0, NULL, error))
        return FAILED;
    if (postgres_rows(store->postgres, 0) == 0)
        return write_first(store, SQL_ADD_SETTINGS, error);
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    store->settings = settings_compare(store->base.config, text, strlen(text), kept, own);
    if (settings_differ(store->settings))
        return take_over(store, kept, own, error);
    if (store->settings == SETTINGS_SAME)
        return JOINED;
    fprintf(stderr, "trendline_settings: not what was written: making it again\n");
    return write_first(store, SQL_SET_SETTINGS, error);
}

static bool join(struct replica *store, struct error *error)
{
    const struct timespec pause = {.tv_nsec = JOIN_PAUSE_MS * 1000000L};
    enum joined result = try_join(store, error);
    for (int tries = 1; result == AGAIN && tries < JOIN_TRIES; tries++) {
        nanosleep(&pause, NULL);
        result = try_join(store, error);
    }
    return result == JOINED;
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

bool replica_join_settings(struct replica *store, struct error *error)
{
    bool may;
    store->has_claim = false;
    return may_keep(store, &may, error) && (!may || join(store, error));
}

bool postgres_claim_settings(struct store *base, enum settings_result *was, struct error *error)
{
    struct replica *store = (struct replica *)base;
    store->is_claiming = true;
    if (!postgres_connect(store->postgres, error))
        return false;
    *was = store->settings;
    return true;
}

/* What is kept is read again to be told: the session may be another one by now. */
bool postgres_keep_settings(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    char kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
    if (!postgres_connect(store->postgres, error))
        return false;
    store->is_claiming = false;
    if (!store->has_claim)
        return true;
    if (!replica_ask(store, SQL_SETTINGS, 0, NULL, error))
        return false;
    const char *text =
        postgres_rows(store->postgres, 0) > 0 ? postgres_text(store->postgres, 0, 0, 0) : "";
    if (settings_differ(settings_compare(base->config, text, strlen(text), kept, own)))
        settings_announce(kept, own);
    return change(store, error);
}
