/* Replication: no acknowledged event is lost or counted twice by any replica.
 *
 * A model of src/store_postgres.c for spin, small enough to try every order of its steps. A step is
 * what PostgreSQL does at once, or what a process does between two statements. Sets of events are
 * bit masks. docs/replication.md tells the argument in words; the names in brackets are those of
 * its invariants. tests/model/replication.sh runs it.
 *
 * Each of these switches breaks one thing, which spin then has to find:
 *   GLOBAL_SEQUENCE   whoever learns keeps one position, in the sequence
 *   TAKEN_OVER_UNSEEN a writer is taken over without learning what its last session committed
 *   IDS_APART         ids are committed before the rows, in a transaction of their own
 *   NO_IDS            events have no `_id`, and are sent again all the same
 *   PUBLISH_BEHIND    a process publishes without catching up under the lock
 *   BUILD_UNSEEN      a process publishes another replica's build before it has learnt its events
 *   POSITIONS_APART   a snapshot has the heads of the moment for positions, not those of its sums
 *   COMMITS_LOST      a failover forgets a commit that was answered
 * and these do not:
 *   NO_CLAIM          writers are taken without a lock, so that the primary key alone protects
 *   NO_FOLLOW         leaves out the third process; so do EVENTS, FAULTS, VERSIONS make it smaller
 *   REACH             says that the state in which all have learnt all is never reached: spin has
 *                     to find that wrong too, or else the model does nothing
 */
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef FAULTS
#define FAULTS 2 /* lost connections and killed processes, together */
#endif
#ifndef VERSIONS
#define VERSIONS 2
#endif
#define WRITERS  3
#define SESSIONS 3
#define DRAWS    5 /* from the sequence */
#define LEARNERS 3
#define REPLICAS 2
#define NONE     255
#define ALL      ((1 << EVENTS) - 1)

#define COUNT(set)   (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define WITHIN(a, b) (((a) & ~(b)) == 0)

/* ------------------------------------------------------------------ the database, as committed */

typedef Writer {
    bool claimed;    /* by a session that lives: the advisory lock */
    byte number;     /* trendline_writers */
    byte row[EVENTS] /* trendline_rows: the event with the number n is row[n - 1] */
}

typedef Snapshot {
    byte events; /* in the sums */
    byte position[WRITERS]
}

Writer writer[WRITERS];
byte stored;              /* the events of all rows */
byte ids;                 /* trendline_ids */
Snapshot snapshot;        /* trendline_moments */
byte newest = 1;          /* trendline_models: 1 was built before there were events */
byte built[VERSIONS + 1]; /* the events that each version was built from */

#ifdef GLOBAL_SEQUENCE
byte drawn;         /* from the sequence */
byte at[DRAWS + 1]; /* the events that are committed with each number of it */
#endif
#ifdef COMMITS_LOST
byte last_writer, last_events; /* of the last commit */
#endif

/* Sessions of the server: they may outlive their connection. */
mtype = { FREE, IDLE, OPEN, SENT, DONE, FAILED };

typedef Session {
    mtype state;  /* OPEN: the ids are inserted; SENT: rows and COMMIT are on their way */
    bool orphan;  /* its client is gone */
    byte writer;
    byte number;  /* of the writer's last event, as the client knows it */
    byte events;  /* that the open transaction stores */
    byte seq      /* GLOBAL_SEQUENCE: of all of them */
}

Session session[SESSIONS];

/* ------------------------------------------------------------------ the replicas */

typedef Replica {
    bool locked;  /* flock on its directory */
    byte version; /* of model.json; 0: there is none */
    byte events   /* that its model has learnt */
}

typedef Learner {
    bool loaded;
    byte events; /* in its sums */
    byte position[WRITERS];
    byte head[WRITERS]; /* the writers' numbers when it looked */
    byte top            /* GLOBAL_SEQUENCE: its one position */
}

Replica replica[REPLICAS];
Learner learner[LEARNERS]; /* two `action`s, one at each replica, and the first one's `follow` */

byte acknowledged; /* to clients, by 201 or 200 */
byte faults;

/* ------------------------------------------------------------------ the server */

inline end_session(s)
{
    writer[session[s].writer].claimed = false;
    session[s].state = FREE;
    session[s].orphan = false;
    session[s].writer = 0;
    session[s].number = 0;
    session[s].events = 0;
    session[s].seq = 0
}

/* The batch of session s has `only` in it: the next row of writer w. */
inline store_row(only)
{
    if
    :: session[s].events & only ->
        writer[w].row[writer[w].number] = only;
        writer[w].number++
    :: else
    fi
}

inline commit()
{
    w = session[s].writer;
    assert((stored & session[s].events) == 0); /* [once] */
    stored = stored | session[s].events;
    ids = ids | session[s].events;
    store_row(1);
    store_row(2);
    store_row(4);
#ifdef GLOBAL_SEQUENCE
    at[session[s].seq] = session[s].events;
#endif
#ifdef COMMITS_LOST
    last_writer = w;
    last_events = session[s].events;
#endif
    w = 0
}

inline end_transaction(how)
{
    if
    :: session[s].orphan -> end_session(s)
    :: else ->
        session[s].state = how;
        session[s].events = 0;
        session[s].seq = 0
    fi
}

/* Another session has stored the writer's next number: the primary key. */
#define TAKEN(s) (session[s].number != writer[session[s].writer].number)

#ifdef COMMITS_LOST
inline fail_over()
{
    last_events != 0;
    stored = stored & ~last_events;
    ids = ids & ~last_events;
    writer[last_writer].number = writer[last_writer].number - COUNT(last_events);
    assert(WITHIN(acknowledged, stored)) /* [kept] */
}
#endif

#define SETTLED                                                                                    \
    (acknowledged == ALL && newest == VERSIONS && faults == FAULTS && snapshot.events == ALL &&    \
     learner[0].events == ALL && learner[1].events == ALL && learner[2].events == ALL &&           \
     replica[0].events == ALL && replica[1].events == ALL && replica[1].version == VERSIONS)

active proctype server()
{
    byte s, w;
end:
    do
    :: atomic {
        if
        :: session[0].state == SENT -> s = 0
        :: session[1].state == SENT -> s = 1
        :: session[2].state == SENT -> s = 2
        fi;
        if
        :: !TAKEN(s) -> d_step { commit(); end_transaction(DONE) }
        :: TAKEN(s) -> end_transaction(FAILED)
        :: faults < FAULTS -> faults++; end_transaction(FAILED)
        fi;
        s = 0
    }
#ifdef COMMITS_LOST
    :: atomic { fail_over() }
#endif
#ifdef REACH
    :: SETTLED -> assert(false)
#endif
    od
}

/* ------------------------------------------------------------------ what every process does */

inline publish(set, of_version)
{
    d_step {
        assert(WITHIN(replica[here].events, set)); /* [forward] */
        replica[here].events = set;
        replica[here].version = of_version
    }
}

/* What is between its position and the head of a writer. */
inline learn_tail(w)
{
    d_step {
        do
        :: learner[me].position[w] < learner[me].head[w] ->
            one = writer[w].row[learner[me].position[w]];
            assert(one != 0);                        /* [gapless] */
            assert((learner[me].events & one) == 0); /* [once] */
            learner[me].events = learner[me].events | one;
            learner[me].position[w]++
        :: else -> break
        od;
        one = 0
    }
}

#ifdef GLOBAL_SEQUENCE
inline learn_sequence()
{
    d_step {
        one = learner[me].top;
        do
        :: one < DRAWS ->
            one++;
            if
            :: at[one] != 0 ->
                assert((learner[me].events & at[one]) == 0); /* [once] */
                learner[me].events = learner[me].events | at[one];
                learner[me].top = one
            :: else
            fi
        :: else -> break
        od;
        one = 0
    }
}
#endif

inline forget()
{
    d_step {
        learner[me].loaded = false;
        learner[me].events = 0;
        learner[me].top = 0;
        learner[me].position[0] = 0; learner[me].position[1] = 0; learner[me].position[2] = 0;
        learner[me].head[0] = 0; learner[me].head[1] = 0; learner[me].head[2] = 0
    }
}

/* Of the sums, the positions that belong to them. */
inline load_snapshot()
{
    d_step {
        learner[me].events = snapshot.events;
        learner[me].position[0] = snapshot.position[0];
        learner[me].position[1] = snapshot.position[1];
        learner[me].position[2] = snapshot.position[2];
        learner[me].loaded = true
    }
}

inline save_snapshot()
{
    d_step {
        COUNT(snapshot.events) < COUNT(learner[me].events);
        snapshot.events = learner[me].events;
#ifdef POSITIONS_APART
        snapshot.position[0] = writer[0].number;
        snapshot.position[1] = writer[1].number;
        snapshot.position[2] = writer[2].number
#else
        snapshot.position[0] = learner[me].position[0];
        snapshot.position[1] = learner[me].position[1];
        snapshot.position[2] = learner[me].position[2]
#endif
    }
}

#define AHEAD                                                                                      \
    (learner[me].head[0] >= learner[me].position[0] &&                                             \
     learner[me].head[1] >= learner[me].position[1] &&                                             \
     learner[me].head[2] >= learner[me].position[2])

#ifdef BUILD_UNSEEN
#define SERVES_AT_ONCE (replica[here].version != version)
#else
#define SERVES_AT_ONCE (replica[here].version == 0)
#endif

inline clear_look()
{
    wanted = 0;
    version = 0;
    learner[me].head[0] = 0; learner[me].head[1] = 0; learner[me].head[2] = 0
}

/* The connection is dropped: the server ends the session once it is through with what was sent. */
inline drop_session()
{
    if
    :: mine == NONE
    :: mine != NONE && session[mine].state == SENT -> session[mine].orphan = true
    :: mine != NONE && session[mine].state != SENT -> end_session(mine)
    fi;
    mine = NONE;
    own = 0
}

/* 503 */
inline give_up()
{
    drop_session();
    clear_look();
    batch = 0;
    new = 0;
    replica[here].locked = false
}

/* Between any two steps the connection may be lost, or the process die and start again. */
#define FAULT                                                                                      \
    atomic {                                                                                       \
        faults < FAULTS -> faults++;                                                               \
        give_up();                                                                                 \
        if                                                                                         \
        :: true                                                                                    \
        :: forget()                                                                                \
        fi;                                                                                        \
        goto end                                                                                   \
    }

/* The newest build, then the heads, then the snapshot if it is the first time. What follows upon
 * these is one step with them, because committed rows do not change. A snapshot may be ahead of the
 * heads, which are older: then it is tried again. */
inline look_for_builds()
{
    atomic {
        !replica[here].locked ->
        replica[here].locked = true;
        version = newest
    }
}

inline look_for_heads()
{
    wanted = acknowledged;
    learner[me].head[0] = writer[0].number;
    learner[me].head[1] = writer[1].number;
    learner[me].head[2] = writer[2].number;
    if
    :: !learner[me].loaded && SERVES_AT_ONCE -> publish(built[version], version)
    :: else
    fi
}

inline learn_news()
{
#ifdef GLOBAL_SEQUENCE
    learn_sequence();
#else
    learn_tail(0);
    learn_tail(1);
    learn_tail(2);
#endif
    assert(WITHIN(wanted, learner[me].events)); /* [seen] */
    if
    :: replica[here].version != version ->
        assert(WITHIN(built[version], learner[me].events)); /* [nested] */
        publish(learner[me].events, version)
    :: else
    fi;
    clear_look();
#ifndef GLOBAL_SEQUENCE
    if
    :: save_snapshot()
    :: true
    fi
#endif
}

inline catch_up()
{
    if
    :: atomic {
        look_for_heads();
        if
        :: learner[me].loaded -> learn_news(); goto caught_up
        :: else
        fi
    }
    :: FAULT
    fi;
    atomic {
        load_snapshot();
        if
        :: AHEAD -> learn_news()
        :: else -> forget(); give_up(); goto end
        fi
    };
caught_up:
    skip
}

inline update_model()
{
    if
    :: replica[here].version != 0 && replica[here].events != learner[me].events ->
        publish(learner[me].events, replica[here].version)
    :: else
    fi
}

/* ------------------------------------------------------------------ storing a batch */

#ifdef NO_CLAIM
#define MAY_TAKE(w) true
#else
#define MAY_TAKE(w) (!writer[w].claimed)
#endif

/* A new connection takes the first writer whose last session is over. The writer's number is read
 * only then, when nobody else can change it; what that session committed since we looked is learnt.
 */
inline claim_writer()
{
    atomic {
        if
        :: session[0].state == FREE -> mine = 0
        :: session[0].state != FREE && session[1].state == FREE -> mine = 1
        :: session[0].state != FREE && session[1].state != FREE && session[2].state == FREE ->
            mine = 2
        fi;
        if
        :: MAY_TAKE(0) -> own = 0
        :: !MAY_TAKE(0) && MAY_TAKE(1) -> own = 1
        :: !MAY_TAKE(0) && !MAY_TAKE(1) && MAY_TAKE(2) -> own = 2
        fi;
        session[mine].state = IDLE;
        session[mine].writer = own;
        session[mine].number = writer[own].number;
        writer[own].claimed = true;
#ifndef GLOBAL_SEQUENCE
#ifndef TAKEN_OVER_UNSEEN
        learner[me].head[own] = writer[own].number;
        learn_tail(own);
        learner[me].head[own] = 0
#endif
#endif
    }
}

/* Session s has inserted one of the ids, and not ended its transaction. */
#define HAS(s, set)                                                                                \
    ((session[s].state == OPEN || session[s].state == SENT) && (session[s].events & (set)))

#ifdef NO_IDS
#define MAY_ADD true
#define KNOWN   0
#else
#define MAY_ADD (!HAS(0, batch) && !HAS(1, batch) && !HAS(2, batch))
#define KNOWN   ids
#endif

/* ON CONFLICT DO NOTHING waits for other transactions with the same ids; what is left is new. */
inline add_ids()
{
    atomic {
        select(batch : 1 .. ALL);
        MAY_ADD;
        new = batch & ~KNOWN;
        session[mine].events = new;
#ifdef IDS_APART
        ids = ids | batch;
#endif
#ifdef GLOBAL_SEQUENCE
        drawn < DRAWS;
        drawn++;
        session[mine].seq = drawn;
#endif
        session[mine].state = OPEN
    }
}

inline learn_batch()
{
#ifdef GLOBAL_SEQUENCE
    learn_sequence();
#else
    assert((learner[me].events & new) == 0); /* [once] */
    learner[me].events = learner[me].events | new;
    session[mine].number = session[mine].number + COUNT(new);
    learner[me].position[own] = session[mine].number;
#endif
    session[mine].state = IDLE
}

inline acknowledge()
{
    assert(WITHIN(batch, stored)); /* [kept] */
    assert(replica[here].version == 0 || WITHIN(new, replica[here].events)); /* [own] */
    acknowledged = acknowledged | batch;
    batch = 0;
    new = 0
}

/* Once the answer came: learn, publish, give up the lock, answer, in one step: whoever dies on the
 * way has answered nothing, and another process of the replica publishes. */
inline store_batch()
{
    if
    :: mine != NONE
    :: mine == NONE -> claim_writer()
    fi;
    add_ids();
    if
    :: session[mine].state = SENT
    :: FAULT
    fi;
    if
    :: atomic {
        session[mine].state == DONE ->
        learn_batch();
        update_model();
        replica[here].locked = false;
        acknowledge()
    }
    :: atomic { session[mine].state == FAILED -> give_up() }
    :: FAULT
    fi
}

inline build()
{
    atomic {
        stores && newest < VERSIONS ->
        newest++;
        built[newest] = learner[me].events;
        publish(learner[me].events, newest);
        replica[here].locked = false
    }
}

/* ------------------------------------------------------------------ the processes */

#ifdef PUBLISH_BEHIND
#define MUST_CATCH_UP (!learner[me].loaded)
#else
#define MUST_CATCH_UP true
#endif

proctype process(byte me, here; bool stores)
{
    byte one, wanted, version, batch, new, own;
    byte mine = NONE;
end:
    do
    :: look_for_builds();
        if
        :: MUST_CATCH_UP -> catch_up()
        :: else -> version = 0
        fi;
        if
        :: stores -> store_batch()
        :: build()
        :: !stores -> atomic { update_model(); replica[here].locked = false }
        fi
    od
}

init
{
    atomic {
        session[0].state = FREE; session[1].state = FREE; session[2].state = FREE;
        /* the second replica begins with an empty directory */
        replica[0].version = 1;
        run process(0, 0, true);
        run process(1, 1, true)
#ifndef NO_FOLLOW
        ; run process(2, 0, false)
#endif
    }
}
