#include "ids_chain.h"

#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

/* The first key: ids have no control characters, so that all come after it. */
static char head_text[] = "\1";
static const MDB_val head = {.mv_size = 1, .mv_data = head_text};

enum { KEY_MAX = 511 /* bytes, LMDB's limit */ };

struct entry {
    struct stored_id where;
    uint64_t check;
};

/* An entry with its neighbourhood; what `key` and `next` point to lives as long as the transaction
 * writes nothing. */
struct link {
    MDB_val key, next; /* next: size 0 behind the last */
    struct entry entry;
};

static struct entry make_entry(MDB_val key, struct stored_id where, MDB_val next)
{
    struct {
        struct stored_id where;
        uint64_t key_length; /* so that "ab", "c" differs from "a", "bc" */
        char keys[2 * KEY_MAX];
    } content = {.where = where, .key_length = key.mv_size};
    memcpy(content.keys, key.mv_data, key.mv_size);
    if (next.mv_size > 0)
        memcpy(content.keys + key.mv_size, next.mv_data, next.mv_size);
    size_t length = (size_t)(content.keys - (char *)&content) + key.mv_size + next.mv_size;
    return (struct entry){.where = where, .check = XXH3_64bits(&content, length)};
}

/* Keys in LMDB's own order. */
static int compare(MDB_val a, MDB_val b)
{
    size_t shorter = a.mv_size < b.mv_size ? a.mv_size : b.mv_size;
    int order = memcmp(a.mv_data, b.mv_data, shorter);
    return order ? order : (a.mv_size > b.mv_size) - (a.mv_size < b.mv_size);
}

/* The entry under the cursor, checked. The cursor moves to the one behind it. */
static int read_link(MDB_cursor *cursor, struct link *link)
{
    MDB_val value;
    int code = mdb_cursor_get(cursor, &link->key, &value, MDB_GET_CURRENT);
    if (code != 0)
        return code;
    if (value.mv_size != sizeof link->entry)
        return MDB_CORRUPTED;
    memcpy(&link->entry, value.mv_data, sizeof link->entry);
    code = mdb_cursor_get(cursor, &link->next, &value, MDB_NEXT);
    if (code == MDB_NOTFOUND)
        link->next = (MDB_val){0};
    else if (code != 0)
        return code;
    if (link->key.mv_size > KEY_MAX || link->next.mv_size > KEY_MAX)
        return MDB_CORRUPTED;
    struct entry wanted = make_entry(link->key, link->entry.where, link->next);
    return memcmp(&wanted, &link->entry, sizeof wanted) == 0 ? 0 : MDB_CORRUPTED;
}

/* Puts the cursor on the last entry whose key is at most (or_equal) or below `id`. There is always
 * one, the head, for any id. */
static int seek(MDB_cursor *cursor, MDB_val id, bool or_equal)
{
    MDB_val key = id, value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == 0 && or_equal && compare(key, id) == 0)
        return 0;
    code = code == 0              ? mdb_cursor_get(cursor, &key, &value, MDB_PREV)
           : code == MDB_NOTFOUND ? mdb_cursor_get(cursor, &key, &value, MDB_LAST)
                                  : code;
    return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
}

/* The checked entry of `id`, or else the one before its place. In a damaged tree the search may
 * have ended anywhere. */
static int find_link(MDB_txn *txn, MDB_dbi by_id, MDB_val id, bool or_equal, struct link *link)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, by_id, &cursor);
    if (code != 0)
        return code;
    code = seek(cursor, id, or_equal);
    if (code == 0)
        code = read_link(cursor, link);
    mdb_cursor_close(cursor);
    if (code != 0)
        return code;
    int before = compare(link->key, id);
    bool around = before < (or_equal ? 1 : 0) &&
                  (link->next.mv_size == 0 || compare(id, link->next) < (or_equal ? 0 : 1));
    return around ? 0 : MDB_CORRUPTED;
}

static int write_entry(MDB_txn *txn, MDB_dbi by_id, MDB_val key, struct stored_id where,
                       MDB_val next)
{
    struct entry entry = make_entry(key, where, next);
    MDB_val value = {.mv_size = sizeof entry, .mv_data = &entry};
    return mdb_put(txn, by_id, &key, &value, 0);
}

/* A key that outlives the next write. */
struct key_copy {
    char text[KEY_MAX];
    MDB_val key;
};

static void copy_key(struct key_copy *copy, MDB_val key)
{
    if (key.mv_size > 0)
        memcpy(copy->text, key.mv_data, key.mv_size);
    copy->key = (MDB_val){.mv_size = key.mv_size, .mv_data = copy->text};
}

int ids_chain_begin(MDB_txn *txn, MDB_dbi by_id)
{
    return write_entry(txn, by_id, head, (struct stored_id){0}, (MDB_val){0});
}

int ids_chain_get(MDB_txn *txn, MDB_dbi by_id, MDB_val id, struct stored_id *where)
{
    struct link link;
    int code = find_link(txn, by_id, id, true, &link);
    if (code != 0)
        return code;
    *where = link.entry.where;
    return compare(link.key, id) == 0 ? 0 : MDB_NOTFOUND;
}

int ids_chain_put(MDB_txn *txn, MDB_dbi by_id, MDB_val id, struct stored_id where)
{
    struct link link;
    struct key_copy before, next;
    int code = find_link(txn, by_id, id, true, &link);
    if (code != 0)
        return code;
    copy_key(&next, link.next);
    if (compare(link.key, id) == 0)
        return write_entry(txn, by_id, id, where, next.key);
    copy_key(&before, link.key);
    code = write_entry(txn, by_id, before.key, link.entry.where, id);
    return code == 0 ? write_entry(txn, by_id, id, where, next.key) : code;
}

int ids_chain_delete(MDB_txn *txn, MDB_dbi by_id, MDB_val id)
{
    struct link link, removed;
    struct key_copy before, next;
    int code = find_link(txn, by_id, id, true, &removed);
    if (code == 0 && compare(removed.key, id) != 0)
        code = MDB_NOTFOUND;
    if (code == 0)
        code = find_link(txn, by_id, id, false, &link);
    if (code != 0)
        return code;
    copy_key(&before, link.key);
    copy_key(&next, removed.next);
    code = mdb_del(txn, by_id, &id, NULL);
    return code == 0 ? write_entry(txn, by_id, before.key, link.entry.where, next.key) : code;
}
