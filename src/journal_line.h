/* One line of the journal: its layout, written and read back. Private to the journal. */
#ifndef TRENDLINE_JOURNAL_LINE_H
#define TRENDLINE_JOURNAL_LINE_H

#include "buffer.h"
#include "journal.h"

/* What lies between a line's values is the same for every event: made once from the schema. */
struct line_layout {
    struct schema *schema;
    struct buffer *keys; /* schema->count + 1 of `,"name":`, the target's last */
    double *row;         /* room for one decoded row */
};

bool line_layout_init(struct line_layout *layout, const struct schema *schema, struct error *error);
void line_layout_free(struct line_layout *layout);

/* Appends all of a line but its end, which line_finish adds when it is known whether the batch ends
 * with this line (`batch` lines; 0: it does not). `start` is where the line begins in `out`. */
void line_write(const struct line_layout *layout, struct buffer *out, int64_t seq, const char *time,
                const struct event *event);
void line_finish(struct buffer *out, size_t start, size_t batch);

/* Whether the line (without its newline) is as it was written, by its checksum. Then *seq is its
 * sequence number, *batch the number of lines in the batch that it ends, or 0. */
bool line_check(const char *line, size_t length, int64_t *seq, size_t *batch);

/* Reads a line that line_check accepted; the row is layout->row, id and time point into the line.
 * False when the features are not the layout's. */
bool line_read(const struct line_layout *layout, const char *line, size_t length,
               struct journal_event *event);

/* The features of a line that line_check accepted, or NULL with `error` set. Those that are null
 * there count as numbers; they are marked in `untold` (SCHEMA_FEATURES_MAX of them) and counted. */
struct schema *line_schema(const char *line, size_t length, bool *untold, size_t *count,
                           struct error *error);

/* Unmarks those features that have a value in another line that line_check accepted, which tells
 * their kind. How many are left. */
size_t line_tell_kinds(const char *line, size_t length, struct schema *schema, bool *untold);

#endif
