/* The chain of ids: an LMDB database in which a missing id is as sure as a present one.
 *
 * LMDB has no checksums: a flipped bit may let an id disappear without any error. So each entry
 * carries a checksum of itself and of the id that comes after it in the order of keys. An id that
 * is not found is believed missing only when the entry before its place says that the next one lies
 * behind it; one that is found, when its own entry says so.
 *
 * Every function returns 0 or an LMDB code, MDB_CORRUPTED for what was not written by these. */
#ifndef TRENDLINE_IDS_CHAIN_H
#define TRENDLINE_IDS_CHAIN_H

#include <lmdb.h>
#include <stdint.h>

/* What is stored for an id; `ordinal` counts ids, so that a window is a comparison. */
struct stored_id {
    uint64_t offset, ordinal;
};

/* Makes the beginning of the chain in an empty database. */
int ids_chain_begin(MDB_txn *txn, MDB_dbi by_id);

/* MDB_NOTFOUND: there is no such id. */
int ids_chain_get(MDB_txn *txn, MDB_dbi by_id, MDB_val id, struct stored_id *where);

/* Stores an id, or what belongs to one that is stored. `id` must not point into the database. */
int ids_chain_put(MDB_txn *txn, MDB_dbi by_id, MDB_val id, struct stored_id where);

/* Removes an id that is stored; as for ids_chain_put. */
int ids_chain_delete(MDB_txn *txn, MDB_dbi by_id, MDB_val id);

#endif
