#include "ids.h"

#include "ids_chain.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* Address space for the file to begin with, neither memory nor disk; doubled whenever it is full.
 */
static const size_t first_map_size = (size_t)1 << 30;

static const char state_key[] = "state";

/* What the file stores about itself. */
struct stored_state {
    struct journal_position position;
    uint64_t count; /* ids ever added: the last one's ordinal */
    uint64_t check; /* XXH3 of all before it */
};

/* An id that is not in the file yet. `text` lies behind the struct, in the same allocation. */
struct recent_id {
    struct stored_id where;
    struct recent_id *covered; /* the same id from before the window, if it is in memory too */
    size_t length;
    const char *text;
};

struct ids {
    MDB_env *env;
    MDB_dbi by_id, by_ordinal, state;
    uint64_t window;
    uint64_t count;
    int64_t stored;            /* the file has been seen to know all ids up to this event */
    struct recent_id **recent; /* in the order they came; owned */
    size_t recent_count, recent_capacity;
    void *tree; /* tsearch's, over the same: no hash that an attacker could flood */
    char path[];
};

/* Codes that mean "this is no LMDB file of ours", against "the system refused". */
static bool is_unusable(int code)
{
    return code == MDB_INVALID || code == MDB_VERSION_MISMATCH || code == MDB_CORRUPTED ||
           code == MDB_PAGE_NOTFOUND || code == MDB_INCOMPATIBLE || code == MDB_PANIC ||
           code == MDB_BAD_DBI;
}

/* A damaged index is removed, for the journal to make it again: at the next catch-up, which finds
 * the file gone from its place. */
static bool lmdb_error(const struct ids *ids, struct error *error, int code, const char *what)
{
    if (code > 0) {
        errno = code;
        return error_errno(error, "cannot %s " IDS_NAME, what);
    }
    if (is_unusable(code))
        unlink(ids->path);
    return error_set(error, ERROR_BUSY, "cannot %s " IDS_NAME ": %s; try again", what,
                     mdb_strerror(code));
}

/* LMDB has met what cannot be, and would abort; nothing of it may be used any more. */
static void give_up(MDB_env *env, const char *what)
{
    const char *path;
    fprintf(stderr, IDS_NAME ": damaged (%s): removed, to be made again from the journal\n", what);
    if (mdb_env_get_path(env, &path) == 0)
        unlink(path);
    _exit(IDS_EXIT_DAMAGED);
}

static int compare_recent(const void *a, const void *b)
{
    const struct recent_id *left = a, *right = b;
    size_t shorter = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->text, right->text, shorter);
    if (order != 0)
        return order;
    return (left->length > right->length) - (left->length < right->length);
}

/* Another process may have let the file grow beyond what is mapped here. */
static int begin(const struct ids *ids, unsigned flags, MDB_txn **txn)
{
    int code = mdb_txn_begin(ids->env, NULL, flags, txn);
    if (code != MDB_MAP_RESIZED)
        return code;
    code = mdb_env_set_mapsize(ids->env, 0);
    return code == 0 ? mdb_txn_begin(ids->env, NULL, flags, txn) : code;
}

static uint64_t check_of(const struct stored_state *state)
{
    return XXH3_64bits(state, offsetof(struct stored_state, check));
}

static int write_state(struct ids *ids, MDB_txn *txn, struct stored_state state)
{
    state.check = check_of(&state);
    MDB_val key = {.mv_data = (void *)state_key, .mv_size = sizeof state_key - 1};
    MDB_val value = {.mv_data = &state, .mv_size = sizeof state};
    return mdb_put(txn, ids->state, &key, &value, 0);
}

static int read_state(const struct ids *ids, MDB_txn *txn, struct stored_state *state)
{
    MDB_val key = {.mv_data = (void *)state_key, .mv_size = sizeof state_key - 1}, value;
    int code = mdb_get(txn, ids->state, &key, &value);
    if (code != 0)
        return code;
    if (value.mv_size != sizeof *state)
        return MDB_CORRUPTED;
    memcpy(state, value.mv_data, sizeof *state);
    return state->check == check_of(state) ? 0 : MDB_CORRUPTED;
}

/* Checks the state of an old file, or begins that of a new one. */
static int begin_state(struct ids *ids, MDB_txn *txn)
{
    struct stored_state state;
    MDB_stat old;
    int code = read_state(ids, txn, &state);
    if (code != MDB_NOTFOUND)
        return code;
    if ((code = mdb_stat(txn, ids->by_id, &old)) != 0)
        return code;
    if (old.ms_entries > 0)
        return MDB_CORRUPTED;
    code = ids_chain_begin(txn, ids->by_id);
    return code == 0 ? write_state(ids, txn, (struct stored_state){0}) : code;
}

static int open_databases(struct ids *ids)
{
    MDB_txn *txn;
    int code = begin(ids, 0, &txn);
    if (code != 0)
        return code;
    if ((code = mdb_dbi_open(txn, "by_id", MDB_CREATE, &ids->by_id)) != 0 ||
        (code = mdb_dbi_open(txn, "by_ordinal", MDB_CREATE | MDB_INTEGERKEY, &ids->by_ordinal)) !=
            0 ||
        (code = mdb_dbi_open(txn, "state", MDB_CREATE, &ids->state)) != 0 ||
        (code = begin_state(ids, txn)) != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* A file that was cut would end the process by SIGBUS when a page behind its end is read. */
static int check_length(struct ids *ids)
{
    MDB_envinfo info;
    MDB_stat page;
    struct stat status;
    mdb_env_info(ids->env, &info);
    mdb_env_stat(ids->env, &page);
    if (stat(ids->path, &status) != 0)
        return errno;
    return (uint64_t)status.st_size < (info.me_last_pgno + 1) * page.ms_psize ? MDB_CORRUPTED : 0;
}

static int open_env(struct ids *ids)
{
    int code = mdb_env_create(&ids->env);
    if (code == 0 && (code = mdb_env_set_mapsize(ids->env, first_map_size)) == 0 &&
        (code = mdb_env_set_assert(ids->env, give_up)) == 0 &&
        (code = mdb_env_set_maxdbs(ids->env, 3)) == 0 &&
        (code = mdb_env_open(ids->env, ids->path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NORDAHEAD,
                             0644)) == 0)
        code = check_length(ids);
    if (code == 0)
        code = open_databases(ids);
    if (code != 0) {
        mdb_env_close(ids->env);
        ids->env = NULL;
    }
    return code;
}

struct ids *ids_open(const char *directory, uint64_t window, struct error *error)
{
    size_t size = strlen(directory) + sizeof "/" IDS_NAME;
    struct ids *ids = calloc(1, sizeof *ids + size);
    if (!ids) {
        error_memory(error);
        return NULL;
    }
    ids->window = window;
    snprintf(ids->path, size, "%s/" IDS_NAME, directory);
    int code = open_env(ids);
    if (is_unusable(code)) {
        fprintf(stderr, IDS_NAME ": not a usable index (%s): making it again from the journal\n",
                mdb_strerror(code));
        code = unlink(ids->path) == 0 ? open_env(ids) : errno;
    }
    if (code == 0)
        return ids;
    lmdb_error(ids, error, code, "open");
    ids_close(ids);
    return NULL;
}

/* The tree does not own what it points to. */
static void keep_node(void *recent)
{
    (void)recent;
}

static void drop_recent(struct ids *ids)
{
    tdestroy(ids->tree, keep_node);
    ids->tree = NULL;
    while (ids->recent_count > 0)
        free(ids->recent[--ids->recent_count]);
}

void ids_close(struct ids *ids)
{
    if (!ids)
        return;
    if (ids->env)
        mdb_env_close(ids->env);
    drop_recent(ids);
    free(ids->recent);
    free(ids);
}

static int load_state(const struct ids *ids, struct stored_state *state)
{
    MDB_txn *txn;
    int code = begin(ids, MDB_RDONLY, &txn);
    if (code != 0)
        return code;
    code = read_state(ids, txn, state);
    mdb_txn_abort(txn);
    return code;
}

bool ids_position(struct ids *ids, struct journal_position *position, struct error *error)
{
    struct stored_state state;
    int code = load_state(ids, &state);
    if (code != 0)
        return lmdb_error(ids, error, code, "read");
    *position = state.position;
    ids->stored = state.position.seq;
    if (ids->count < state.count)
        ids->count = state.count;
    return true;
}

/* The content may have been replaced by an older one, which would know too little. */
static bool is_set_back(const struct ids *ids)
{
    struct stored_state state;
    return load_state(ids, &state) != 0 || state.position.seq < ids->stored;
}

bool ids_in_place(const struct ids *ids)
{
    int fd;
    struct stat here, there;
    return mdb_env_get_fd(ids->env, &fd) == 0 && fstat(fd, &here) == 0 &&
           stat(ids->path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev && !is_set_back(ids);
}

static const struct recent_id *find_recent(const struct ids *ids, const char *id, size_t length)
{
    struct recent_id wanted = {.length = length, .text = id};
    struct recent_id *const *found = tfind(&wanted, (void *const *)&ids->tree, compare_recent);
    return found ? *found : NULL;
}

/* While the journal's tail is being read the file may know later ids than this process. */
static bool in_window(const struct ids *ids, uint64_t ordinal)
{
    return ordinal >= ids->count || ids->count - ordinal < ids->window;
}

enum ids_result ids_find(struct ids *ids, const char *id, size_t length, uint64_t *offset,
                         struct error *error)
{
    const struct recent_id *recent = find_recent(ids, id, length);
    struct stored_id where;
    if (recent) {
        where = recent->where;
    } else {
        MDB_val key = {.mv_data = (void *)id, .mv_size = length};
        MDB_txn *txn;
        int code = begin(ids, MDB_RDONLY, &txn);
        if (code == 0) {
            code = ids_chain_get(txn, ids->by_id, key, &where);
            mdb_txn_abort(txn);
        }
        if (code == MDB_NOTFOUND)
            return IDS_UNKNOWN;
        if (code != 0)
            return lmdb_error(ids, error, code, "read"), IDS_ERROR;
    }
    *offset = where.offset;
    return in_window(ids, where.ordinal) ? IDS_FOUND : IDS_UNKNOWN;
}

static struct recent_id *new_recent(const char *id, size_t length)
{
    struct recent_id *recent = malloc(sizeof *recent + length);
    if (!recent)
        return NULL;
    memcpy(recent + 1, id, length);
    recent->text = (const char *)(recent + 1);
    recent->length = length;
    return recent;
}

static bool make_room(struct ids *ids)
{
    if (ids->recent_count < ids->recent_capacity)
        return true;
    size_t capacity = ids->recent_capacity ? 2 * ids->recent_capacity : 64;
    struct recent_id **recent = realloc(ids->recent, capacity * sizeof *recent);
    if (!recent)
        return false;
    ids->recent = recent;
    ids->recent_capacity = capacity;
    return true;
}

bool ids_add(struct ids *ids, const char *id, size_t length, uint64_t offset, struct error *error)
{
    struct recent_id *recent = make_room(ids) ? new_recent(id, length) : NULL;
    struct recent_id **place = recent ? tsearch(recent, &ids->tree, compare_recent) : NULL;
    if (!place) {
        free(recent);
        return error_memory(error);
    }
    recent->covered = *place == recent ? NULL : *place; /* one that has left the window */
    *place = recent;
    recent->where = (struct stored_id){.offset = offset, .ordinal = ++ids->count};
    ids->recent[ids->recent_count++] = recent;
    return true;
}

size_t ids_recent(const struct ids *ids)
{
    return ids->recent_count;
}

void ids_forget(struct ids *ids, uint64_t offset)
{
    while (ids->recent_count > 0 && ids->recent[ids->recent_count - 1]->where.offset >= offset) {
        struct recent_id *last = ids->recent[--ids->recent_count];
        if (last->covered)
            *(struct recent_id **)tfind(last, &ids->tree, compare_recent) = last->covered;
        else
            tdelete(last, &ids->tree, compare_recent);
        ids->count--;
        free(last);
    }
}

/* What a cursor has found must not be handed to what writes. */
static int delete_copy(struct ids *ids, MDB_txn *txn, MDB_val found)
{
    char text[2 * IDS_LENGTH_MAX];
    if (found.mv_size > sizeof text)
        return MDB_CORRUPTED;
    memcpy(text, found.mv_data, found.mv_size);
    return ids_chain_delete(txn, ids->by_id, (MDB_val){.mv_data = text, .mv_size = found.mv_size});
}

/* Drops the oldest ids, so that no more than the window is kept. */
static int prune(struct ids *ids, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, ids->by_ordinal, &cursor);
    if (code != 0)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0) {
        uint64_t ordinal;
        struct stored_id where; /* LMDB does not align what it stores */
        memcpy(&ordinal, key.mv_data, sizeof ordinal);
        if (in_window(ids, ordinal))
            break;
        /* the id may have been stored again since, under a later ordinal */
        code = ids_chain_get(txn, ids->by_id, value, &where);
        if (code == 0 && where.ordinal == ordinal)
            code = delete_copy(ids, txn, value);
        if ((code != 0 && code != MDB_NOTFOUND) || (code = mdb_cursor_del(cursor, 0)) != 0)
            break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int store_recent(struct ids *ids, MDB_txn *txn, const struct recent_id *recent)
{
    MDB_val key = {.mv_data = (void *)recent->text, .mv_size = recent->length};
    int code = ids_chain_put(txn, ids->by_id, key, recent->where);
    if (code != 0 || ids->window == UINT64_MAX)
        return code;
    MDB_val ordinal = {.mv_data = (void *)&recent->where.ordinal, .mv_size = sizeof(uint64_t)};
    return mdb_put(txn, ids->by_ordinal, &ordinal, &key, 0);
}

/* Unless another process has brought the file further already. */
static int store_all(struct ids *ids, MDB_txn *txn, struct journal_position position)
{
    struct stored_state before;
    int code = read_state(ids, txn, &before);
    if (code != 0 || before.position.seq > position.seq)
        return code;
    for (size_t i = 0; code == 0 && i < ids->recent_count; i++)
        code = store_recent(ids, txn, ids->recent[i]);
    if (code == 0)
        code = prune(ids, txn);
    struct stored_state state = {.position = position, .count = ids->count};
    return code == 0 ? write_state(ids, txn, state) : code;
}

static int try_flush(struct ids *ids, struct journal_position position)
{
    MDB_txn *txn;
    int code = begin(ids, 0, &txn);
    if (code != 0)
        return code;
    code = store_all(ids, txn, position);
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

static int double_map(struct ids *ids)
{
    MDB_envinfo info;
    mdb_env_info(ids->env, &info);
    return mdb_env_set_mapsize(ids->env, 2 * info.me_mapsize);
}

bool ids_flush(struct ids *ids, struct journal_position position, struct error *error)
{
    int code = try_flush(ids, position);
    while (code == MDB_MAP_FULL && (code = double_map(ids)) == 0)
        code = try_flush(ids, position);
    if (code != 0)
        return lmdb_error(ids, error, code, "write");
    ids->stored = position.seq;
    drop_recent(ids);
    return true;
}
