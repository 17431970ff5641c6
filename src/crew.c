#include "crew.h"

#include <pthread.h>

/* Threads need little beyond a row; the usual 8 MB each would count as memory taken. */
enum { STACK_BYTES = 512 << 10 };

static const uint64_t NONE = UINT64_MAX;

struct crew {
    const struct crew_work *work;
    struct table *table;
    struct progress *progress;
    struct error *error;
    pthread_mutex_t mutex; /* for what is above, and below */
    pthread_cond_t moved_on;
    uint64_t taken, handed_in; /* blocks */
    bool over;                 /* there is nothing more to take */
    uint64_t failed;           /* the first block with an error, which `error` is; or NONE */
};

struct member {
    struct crew *crew;
    void *own;
    pthread_t thread;
};

/* A block on its way through a thread. */
struct turn {
    uint64_t number; /* from 0, in the table's order */
    struct table_block block;
    enum table_result taken; /* TABLE_ERROR: after the rows of the block, `error` */
    struct error error;
};

static bool take(struct crew *crew, struct turn *turn)
{
    pthread_mutex_lock(&crew->mutex);
    bool more = !crew->over;
    if (more) {
        turn->number = crew->taken++;
        turn->taken = table_take(crew->table, &turn->block, &turn->error);
        crew->over = turn->taken != TABLE_ROW;
        progress_update(crew->progress, table_bytes(crew->table));
    }
    pthread_mutex_unlock(&crew->mutex);
    return more;
}

/* An error in a row of the block comes before one behind them. */
static bool work_on(const struct member *member, struct turn *turn)
{
    struct error error;
    if (member->crew->work->work(member->own, &turn->block, &error))
        return turn->taken != TABLE_ERROR;
    turn->error = error;
    return false;
}

/* With the mutex. */
static void fail(struct crew *crew, const struct turn *turn)
{
    crew->over = true;
    if (turn->number >= crew->failed)
        return;
    crew->failed = turn->number;
    *crew->error = turn->error;
}

/* With the mutex: waits until all blocks before this one have been handed in. */
static bool hand_in(const struct member *member, struct turn *turn)
{
    struct crew *crew = member->crew;
    while (crew->handed_in != turn->number)
        pthread_cond_wait(&crew->moved_on, &crew->mutex);
    crew->handed_in++;
    pthread_cond_broadcast(&crew->moved_on);
    return turn->number >= crew->failed || crew->work->hand_in(member->own, &turn->error);
}

/* Of several errors the first in the table's order stays: blocks before it were taken before. */
static void finish(const struct member *member, struct turn *turn, bool worked)
{
    struct crew *crew = member->crew;
    pthread_mutex_lock(&crew->mutex);
    if (!worked)
        fail(crew, turn);
    if (crew->work->hand_in && !hand_in(member, turn))
        fail(crew, turn);
    pthread_mutex_unlock(&crew->mutex);
}

static void *take_part(void *context)
{
    const struct member *member = context;
    struct turn turn = {0};
    while (take(member->crew, &turn))
        finish(member, &turn, work_on(member, &turn));
    table_block_free(&turn.block);
    return NULL;
}

/* Starts threads for all members but the first; returns how many members there are then. */
static size_t start(struct member *members, size_t count)
{
    pthread_attr_t attributes;
    size_t started = 1;
    if (count < 2 || pthread_attr_init(&attributes) != 0)
        return started;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    while (started < count &&
           pthread_create(&members[started].thread, &attributes, take_part, &members[started]) == 0)
        started++;
    pthread_attr_destroy(&attributes);
    return started;
}

bool crew_run(const struct crew_work *work, void *own[], size_t count, struct table *table,
              struct progress *progress, struct error *error)
{
    struct crew crew = {.work = work,
                        .table = table,
                        .progress = progress,
                        .error = error,
                        .failed = NONE,
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .moved_on = PTHREAD_COND_INITIALIZER};
    struct member members[CREW_MAX];
    for (size_t i = 0; i < count; i++)
        members[i] = (struct member){.crew = &crew, .own = own[i]};
    size_t started = start(members, count);
    take_part(&members[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(members[i].thread, NULL);
    return crew.failed == NONE;
}
