/* Snapshot: moments on disk, so that a start costs the same after a thousand events or a billion.
 *
 * A text file: one line of JSON that says what the sums are of, then a line `j k HEX EXPONENT` for
 * each sum S_jk (j ≤ k; the value is HEX · 2^EXPONENT) and what snapshot_sums.h says of parts and
 * terms, then `crc` and the CRC-32 of all before it.
 * It can always be made again, from the journal or from the train file. */
#ifndef TRENDLINE_SNAPSHOT_H
#define TRENDLINE_SNAPSHOT_H

#include "error.h"
#include "folds.h"
#include "journal.h"
#include "live.h"
#include "recent.h"
#include "schema.h"

#include <stdbool.h>

#define SNAPSHOT_EVENTS "events.moments"
#define SNAPSHOT_TRAIN  "train.moments"

enum { SNAPSHOT_SOURCE_MAX = 128, SNAPSHOT_FINGERPRINT_MAX = 33 };

struct snapshot {
    struct schema *schema;            /* owned */
    struct folds *folds;              /* owned */
    struct journal_position position; /* events: what the sums cover; train: all zero */
    struct recent *recent; /* where rows are forgotten by and by; owned; NULL in what is from
                              before there was one */
    int64_t judged;        /* events: up to which one `live` is; 0: none */
    struct live live;      /* how well they were predicted */
    char fingerprint[SNAPSHOT_FINGERPRINT_MAX]; /* train: of the file's content; events: "" */
    char source[SNAPSHOT_SOURCE_MAX]; /* train: device, inode, size and times of the file, so that
                                         an unchanged one need not be read again */
};

/* ERROR_ABSENT: there is no such file. ERROR_DAMAGED: it is not what was written. Both take the
 * text in pieces, so that they need no more memory than the sums. */
bool snapshot_read(struct snapshot *snapshot, const char *path, struct error *error);
bool snapshot_write(const struct snapshot *snapshot, const char *path, struct error *error);
/* The same text elsewhere than in a file, in an empty buffer; reading uses up what is in `text`. */
void snapshot_format(const struct snapshot *snapshot, struct buffer *out);
bool snapshot_parse(struct snapshot *snapshot, struct buffer *text, struct error *error);
void snapshot_free(struct snapshot *snapshot);

#endif
