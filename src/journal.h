/* Journal: the append-only record of all events, the truth from which all else can be made again.
 *
 * actions.jsonl has one JSON object a line, always in this layout:
 *
 *   {"_seq":18,"_time":"2026-11-20T22:00:00.123Z","_id":"…","a":1,"target":7,"_batch":3,"_crc":"1a2b3c4d"}
 *
 * `_seq` counts from 1 without gaps, so it is the line's number too. `_time` is when the event was
 * stored, unless it came with a time of its own. `_id` is there when the client gave one. Lines are
 * written in batches, one write and one fdatasync each; the last line of a batch carries `_batch`,
 * the number of its lines. `_crc` is the CRC-32 (zlib's) of the line up to
 * `,"_crc"`.
 *
 * After a crash a batch without its last line was never acknowledged and is cut; anything else that
 * is not as it was written is damage, and an error that names the line.
 *
 * Every function but journal_open, journal_open_again, journal_close and journal_visit wants the
 * volume's lock to be held. */
#ifndef TRENDLINE_JOURNAL_H
#define TRENDLINE_JOURNAL_H

#include "error.h"
#include "event.h"
#include "schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_NAME "actions.jsonl"

/* Behind the last event of a complete batch. */
struct journal_position {
    uint64_t offset; /* bytes */
    int64_t seq;     /* of that event; 0: the journal's beginning */
};

struct journal_event {
    int64_t seq;
    uint64_t offset;    /* of its line */
    struct event event; /* its time is not terminated either, but has TIMESTAMP_LENGTH bytes */
};

struct journal;

/* Opens or creates the journal in `directory`, at its beginning. */
struct journal *journal_open(const char *directory, struct error *error);
/* The same file once more, at its beginning, wherever it is by now. */
struct journal *journal_open_again(const struct journal *journal, struct error *error);
void journal_close(struct journal *journal); /* NULL is fine */

/* Whether the journal's name still leads to the open file: what is written to another one is not
 * there for whoever opens it next. Otherwise ERROR_DAMAGED. */
bool journal_in_place(const struct journal *journal, struct error *error);

/* A lock on the file itself, beside the volume's, so that two processes never write it at once even
 * if somebody has replaced the volume's lock. Never blocks; false: another process has it. */
bool journal_lock(struct journal *journal);
void journal_unlock(struct journal *journal);

/* Where a snapshot left off; `schema` is what its rows have. Both are copied. */
bool journal_resume(struct journal *journal, struct journal_position position,
                    const struct schema *schema, struct error *error);
struct journal_position journal_position(const struct journal *journal);

/* Whether a batch whose last event has that number ends at that place; otherwise it is another
 * journal, or damaged: ERROR_DAMAGED. The beginning always does. */
bool journal_check(struct journal *journal, struct journal_position position, struct error *error);

/* How many bytes lie behind the position. ERROR_DAMAGED: the file has become shorter. */
bool journal_left(const struct journal *journal, uint64_t *bytes, struct error *error);
/* The end of the last batch that is whole, or the position if that is behind it. */
bool journal_last(struct journal *journal, struct journal_position *last, struct error *error);

/* The schema of the events, from the first line on, or NULL while there are none. */
const struct schema *journal_schema(const struct journal *journal);
/* Fixes it, before the first event. */
bool journal_set_schema(struct journal *journal, const struct schema *schema, struct error *error);

/* Moves the position back from `until`, which it was once, to the end of a batch not behind event
 * `seq`, and near to it: what lies before is not read. */
bool journal_seek(struct journal *journal, struct journal_position until, int64_t seq,
                  struct error *error);

/* Called for each event of each complete batch, in order; false (with `error` set) ends the replay,
 * which begins with that batch again. */
typedef bool journal_visitor(void *context, const struct journal_event *event, struct error *error);

/* Visits all events behind the position and moves it to the end. An incomplete last batch is cut
 * off the file, unless it holds an event up to `known`, the last one that is known from elsewhere
 * to have been stored. ERROR_DAMAGED names the line and leaves the file alone. */
bool journal_replay(struct journal *journal, int64_t known, journal_visitor *visit, void *context,
                    struct error *error);

/* Visits the events behind the position up to `until`, the end of a complete batch, and moves the
 * position there. What is complete never changes, so that this wants no lock. After ERROR_BEHIND,
 * by which the visitor says that it has had enough for now, the next call goes on with the event
 * that was refused; until then the position is that of its batch's beginning. */
bool journal_visit(struct journal *journal, struct journal_position until, journal_visitor *visit,
                   void *context, struct error *error);

/* Puts an event behind the open batch (needs a schema) and returns its sequence number; its line's
 * offset goes to *offset. */
int64_t journal_add(struct journal *journal, const struct event *event, uint64_t *offset);
size_t journal_open_bytes(const struct journal *journal); /* size of the open batch */

/* Writes the open batch and syncs it: when this returns true it is on stable storage. Otherwise the
 * file is cut back to what was durable, and the batch is gone. */
bool journal_commit(struct journal *journal, struct error *error);
/* False while that cut has failed too, after another try at it: as long the lock must be kept, for
 * others would take what is left of the batch for stored. */
bool journal_settle(struct journal *journal);
/* Cuts off a batch that was committed behind `before`, as far as that can be done: nobody was told
 * of it, since its file turned out not to be the journal any more. */
void journal_take_back(struct journal *journal, struct journal_position before);
void journal_discard(struct journal *journal); /* drops the open batch */

/* The event whose line is at `offset`, in the file or the open batch. The event's pointers live
 * until the next call of any journal function. */
bool journal_read(struct journal *journal, uint64_t offset, struct journal_event *event,
                  struct error *error);

#endif
