/* The store on PostgreSQL, what its parts share: store_postgres.c (session, models, train file),
 * store_postgres_learn.c (what was stored by anyone) and store_postgres_commit.c (what this process
 * stores). Private to them; store.h has the contracts of the methods. */
#ifndef TRENDLINE_STORE_REPLICA_H
#define TRENDLINE_STORE_REPLICA_H

#include "buffer.h"
#include "postgres.h"
#include "store_methods.h"
#include "timestamp.h"

enum { DIGEST_SIZE = 33 /* 128 bits in hexadecimal, and a NUL */, SERVER_MAX = 64 };

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

struct replica {
    struct store base; /* first */
    struct postgres *postgres;

    /* what is learnt */
    bool loaded;           /* since the start, or since the database turned out to be another */
    int64_t read_at;       /* when all that was stored was learnt, by clock_ms; 0: not yet */
    int64_t tried;         /* the kept sums of so many events have been tried */
    int64_t all;           /* how many events the database had when it was looked last */
    int64_t pause_at;      /* when to pause in reading them, by clock_ms; 0: never */
    struct schema *schema; /* of the events; NULL while there are none */
    int64_t snapshot_at;
    struct buffer positions;        /* struct position */
    struct buffer texts, new_texts; /* doubles: the codes whose texts the database has, as far as
                                       known; and of those being stored */
    int64_t revision;               /* of the train file's sums */
    int64_t version;                /* of the newest model */

    /* the session's */
    char server[SERVER_MAX]; /* when its server was started */
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
/* What was learnt, so that the next catch-up begins anew. */
void replica_forget(struct replica *store);

/* ---- store_postgres_learn.c */

/* How far this writer's events are learnt; NULL without memory. */
int64_t *replica_position(struct replica *store, int64_t writer);
/* Learns the writer's events up to head.number. */
bool replica_learn_tail(struct replica *store, struct position head, struct error *error);
/* Learns everything: events, train file, model. */
bool replica_learn_news(struct replica *store, struct error *error);

enum lock_result postgres_lock(struct store *base, struct error *error);
bool postgres_catch_up(struct store *base, struct error *error);
bool postgres_snapshot(struct store *base, struct error *error);
bool postgres_visit(struct store *base, store_visitor *visit, void *context, struct error *error);

/* ---- store_postgres_commit.c */

bool postgres_add(struct store *base, const struct event *event, size_t *ticket,
                  struct error *error);
size_t postgres_batch_bytes(const struct store *base);
bool postgres_commit(struct store *base, struct error *error);
enum store_outcome postgres_outcome(const struct store *base, size_t ticket, int64_t *seq,
                                    struct error *error);

#endif
