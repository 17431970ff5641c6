/* Ids: which event ids have been stored, and where, so that a retried event is stored once.
 *
 * The index is an LMDB file (ids.mdb) that can be made again from the journal at any time. Ids
 * since its last flush are in memory, a few thousand at the most; the journal is durable before
 * they get here, so nothing depends on when a flush happens. Everything wants the volume's lock,
 * which replaces LMDB's own.
 *
 * An id is the escaped text between its quotes in the journal. */
#ifndef TRENDLINE_IDS_H
#define TRENDLINE_IDS_H

#include "error.h"
#include "journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_NAME "ids.mdb"

enum { IDS_LENGTH_MAX = 255 /* bytes of an id before escaping; escaped at most twice as many */ };

/* A process that finds the file damaged in a way that cannot be survived removes it and ends with
 * this status; started again, it makes the index anew. */
enum { IDS_EXIT_DAMAGED = 75 };

struct ids;

/* `window`: how many of the latest ids are remembered (UINT64_MAX: all). A file that is not a
 * usable index is replaced by an empty one, for the journal to fill again. */
struct ids *ids_open(const char *directory, uint64_t window, struct error *error);
void ids_close(struct ids *ids); /* NULL is fine */

/* False once the file has been removed or replaced, because it was damaged, say, or has an older
 * content than it had: open it anew. */
bool ids_in_place(const struct ids *ids);

/* Up to where in the journal the file knows all ids; each id behind it has to be added again, once
 * and in order. To be asked once, after opening. */
bool ids_position(struct ids *ids, struct journal_position *position, struct error *error);

enum ids_result { IDS_FOUND, IDS_UNKNOWN, IDS_ERROR };

/* Where the event with this id stands in the journal. */
enum ids_result ids_find(struct ids *ids, const char *id, size_t length, uint64_t *offset,
                         struct error *error);

/* Remembers an id, in memory. */
bool ids_add(struct ids *ids, const char *id, size_t length, uint64_t offset, struct error *error);
size_t ids_recent(const struct ids *ids); /* how many are in memory, not in the file yet */
/* Takes back what ids_add remembered for events at or behind `offset`: their batch failed. */
void ids_forget(struct ids *ids, uint64_t offset);

/* Writes what is in memory into the file, durably. `position`: the journal's, all of whose ids are
 * known. */
bool ids_flush(struct ids *ids, struct journal_position position, struct error *error);

#endif
