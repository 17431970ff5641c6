/* The store on PostgreSQL, what its parts share: store_postgres.c (session, models, train file),
 * store_postgres_learn.c (what was stored by anyone), store_postgres_keep.c (the sums of that) and
 * store_postgres_commit.c (what this process stores). Private to them; store.h has the contracts of
 * the methods. */
#ifndef TRENDLINE_STORE_REPLICA_H
#define TRENDLINE_STORE_REPLICA_H

#include "buffer.h"
#include "postgres.h"
#include "store_methods.h"
#include "timestamp.h"

enum {
    DIGEST_SIZE = 33 /* 128 bits in hexadecimal, and a NUL */,
    SERVER_MAX = 64,
    ORIGIN_MAX = 32
};

struct position {
    int64_t writer, number;
};

/* An event of the open batch, or of the last. */
struct entry {
    size_t id; /* offset in batch_ids */
    bool has_id;
    enum store_outcome outcome;
    int64_t seq; /* 0: not known yet */
    char digest[DIGEST_SIZE];
    char time[TIMESTAMP_MAX]; /* "": the present */
};

/* The sums on their way to the database. */
struct keeping {
    bool is_open;
    int64_t slot, parts;            /* those that are there */
    int64_t events;                 /* how many they are of */
    struct buffer text;             /* a snapshot's */
    size_t sent;                    /* bytes of it */
    struct buffer writers, numbers; /* their positions, as arrays */
};

struct replica {
    struct store base; /* first */
    struct postgres *postgres;

    /* what is learnt */
    bool loaded;           /* since the start, or since the database turned out to be another */
    bool gone_back;        /* that has just turned out */
    int64_t read_at;       /* when all that was stored was learnt, by clock_ms; 0: not yet */
    int64_t tried;         /* the kept sums of so many events have been tried */
    int64_t all;           /* how many events the database had when it was looked last */
    int64_t pause_at;      /* when to pause in reading them, by clock_ms; 0: never */
    struct schema *schema; /* of the events; NULL while there are none */
    int64_t kept_at;       /* of how many events the sums are kept */
    bool must_keep;        /* what is kept is of no use */
    int64_t keep_after;    /* by clock_ms: no sooner are they kept */
    struct keeping keeping;
    struct buffer positions;        /* struct position */
    struct buffer texts, new_texts; /* doubles: the codes whose texts the database has, as far as
                                       known; and of those being stored */
    int64_t revision;               /* of the train file's sums */
    int64_t unreadable;             /* the version of a model that cannot be read; 0: none */
    int64_t terms;                  /* digest of the terms, in trendline_terms; 0: none */
    bool terms_useless;             /* that is damaged, or of other features */
    char origin[ORIGIN_MAX];        /* which tables it is learnt from */
    int64_t version;                /* of the newest model */

    enum settings_result settings; /* what those kept were to ours when a session began */
    bool is_claiming;              /* who begins a session with others keeps them later */
    bool has_claim;                /* the session has: the lock on them alone */

    /* the session's */
    bool has_tables;         /* any session ever had */
    bool may_load, may_keep; /* the kept sums */
    char server[SERVER_MAX]; /* when its server was started */
    int64_t pooled;          /* its number, where a pooler lies between; 0: none does */
    bool may_write;          /* no session before it is held up */
    int64_t writer;          /* 0: none yet */
    int64_t number;          /* of its last event */

    /* the open batch, or the last */
    bool settled;
    struct buffer entries, batch_ids, rows; /* struct entry; text with NULs; doubles */
};

/* ---- store_postgres.c */

enum { INTEGER_MAX = 24 };
const char *replica_integer(int64_t value, char text[static INTEGER_MAX]);
/* Terminated, as libpq wants its parameters; the buffer's. NULL without memory. */
const char *replica_text(struct buffer *buffer);
/* Runs one statement alone. */
bool replica_ask(struct replica *store, const char *statement, int count, const char *const *values,
                 struct error *error);
/* The same for what stores something. A session must not begin to as long as an earlier one waits
 * in its COMMIT, or all connections of the server would come to wait there, one after the other. */
bool replica_may_write(struct replica *store, struct error *error);
bool replica_write(struct replica *store, const char *statement, int count,
                   const char *const *values, struct error *error);
/* The same for one that gives a number: is it not 0? */
bool replica_ask_truth(struct replica *store, const char *statement, bool *truth,
                       struct error *error);
/* The same for one whose rows may be many or long: see postgres_queue_long. */
bool replica_ask_long(struct replica *store, const char *statement, int count,
                      const char *const *values, struct error *error);
/* What was learnt, so that the next catch-up begins anew. */
void replica_forget(struct replica *store);
void replica_forget_events(struct replica *store); /* of that, what the events say */

/* ---- store_postgres_learn.c */

/* How far this writer's events are learnt; NULL without memory. */
int64_t *replica_position(struct replica *store, int64_t writer);
/* Learns the writer's events up to head.number. */
bool replica_learn_tail(struct replica *store, struct position head, struct error *error);
/* The database is not what was learnt: all is to be learnt again, and by another session, since
 * this one may hold a writer that is none. Always false. */
bool replica_gone_back(struct replica *store, struct error *error);
/* Learns everything: events, train file, terms, model. */
bool replica_learn_news(struct replica *store, struct error *error);

bool postgres_has_news(struct store *base, bool *news, struct error *error);
enum lock_result postgres_lock(struct store *base, struct error *error);
bool postgres_catch_up(struct store *base, struct error *error);
bool postgres_visit(struct store *base, store_visitor *visit, void *context, struct error *error);

/* ---- store_postgres_settings.c */

/* For a new session: takes part in the settings, or takes over where nobody lives with others. */
bool replica_join_settings(struct replica *store, struct error *error);
bool postgres_claim_settings(struct store *base, enum settings_result *was, struct error *error);
bool postgres_keep_settings(struct store *base, struct error *error);

/* ---- store_postgres_keep.c */

/* Takes the sums as somebody kept them; without them, or if they are of no use, there are none, and
 * all events are to be read. */
bool replica_load_moments(struct replica *store, struct error *error);
void keeping_free(struct keeping *keeping);

bool postgres_keep(struct store *base, bool *more, struct error *error);

/* ---- store_postgres_commit.c */

bool postgres_add(struct store *base, const struct event *event, size_t *ticket,
                  struct error *error);
size_t postgres_batch_bytes(const struct store *base);
bool postgres_commit(struct store *base, struct error *error);
enum store_outcome postgres_outcome(const struct store *base, size_t ticket, int64_t *seq,
                                    struct error *error);

#endif
