/* What a journal consists of, and what both of its parts read with: journal.c (batches, forwards
 * and written) and journal_place.c (places in the file, found from behind). Private to them;
 * journal.h has the contract. */
#ifndef TRENDLINE_JOURNAL_PRIVATE_H
#define TRENDLINE_JOURNAL_PRIVATE_H

#include "journal.h"
#include "journal_line.h"
#include "timestamp.h"

#include <limits.h>

enum { JOURNAL_READ_SIZE = 256 << 10 };

/* A batch as far as it has been read: from `start` on, `text` holds the file from the position on.
 */
struct batch_scan {
    struct buffer text;
    size_t start;        /* what lies before it has been visited */
    size_t checked;      /* bytes of complete, valid lines from `start` on */
    int64_t lines;       /* how many those are */
    bool complete;       /* they are a batch, */
    size_t visited;      /* of which so many bytes */
    int64_t visit_lines; /* and lines have been visited */
};

struct journal {
    int fd;
    char path[PATH_MAX];
    struct journal_position end;
    struct batch_scan scan;    /* journal_visit's, where it stopped */
    struct line_layout layout; /* empty until the schema is known */
    struct buffer batch;       /* the open batch's lines, the last one unfinished */
    size_t batch_lines, last_line;
    char time[TIMESTAMP_MAX]; /* the open batch's */
    struct buffer scratch;
    bool uncut; /* a failed write may have left bytes behind end.offset */
};

struct line {
    const char *text;
    size_t length; /* without its newline */
    bool ended;    /* it has one; otherwise the text read so far ends here */
};

struct line journal_line_at(const struct batch_scan *scan, size_t at);

/* As pread, but for interruptions. */
long journal_read_at(int fd, char *data, size_t size, uint64_t offset);
/* Reads on behind scan->text; 0 at the end of the file, -1 with `error` set. */
long journal_read_more(struct journal *journal, struct batch_scan *scan, struct error *error);
/* Reads the file from `offset` into scratch until a whole line is there. */
const char *journal_fetch_line(struct journal *journal, uint64_t offset, size_t *length,
                               struct error *error);
void journal_end_scan(struct batch_scan *scan);

/* The first line's features are all lines' features, whatever was meant to be before it came. The
 * lines behind it begin at `next`. */
bool journal_take_schema(struct journal *journal, const char *line, size_t length, uint64_t next,
                         struct error *error);

/* The file's size, which must reach to the position: it did once. */
bool journal_size(const struct journal *journal, struct journal_position position, uint64_t *size,
                  struct error *error);

#endif
