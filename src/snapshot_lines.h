/* The lines of a snapshot, and the pieces that it is written in: a snapshot of terms has megabytes,
 * which no process should hold as one text beside the sums themselves. Private to the snapshot. */
#ifndef TRENDLINE_SNAPSHOT_LINES_H
#define TRENDLINE_SNAPSHOT_LINES_H

#include "buffer.h"
#include "error.h"
#include "file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- writing */

/* Where the text goes: into a file, piece by piece, or where there is none all of it into `text`.
 */
struct pieces {
    struct buffer text;       /* what has not been passed on yet; owned */
    struct file_writer *file; /* NULL: none */
    uint32_t crc;             /* of what has been passed on */
    struct error error;       /* of the first write that failed */
};

/* To be called now and then while text is appended: passes it on when it has become a piece. */
void pieces_pass(struct pieces *pieces);
/* Ends the text with the line of its checksum, and passes on what is left. */
bool pieces_end(struct pieces *pieces, struct error *error);

/* ---- reading */

/* What is read, of a text or of an open file. */
struct lines {
    char *at, *end;
    int fd;             /* -1: the text is all there is */
    uint64_t left;      /* bytes of the file that are not between `at` and `end` yet */
    struct buffer room; /* owned */
    bool no_memory;     /* there was none for a line, or for what is made from it */
};

/* The next line, terminated and used up; NULL: there is none. */
char *lines_next(struct lines *lines);
/* Is there none any more? */
bool lines_are_over(struct lines *lines);

/* Over a text, or over a file from its beginning, without the last line, which must be the right
 * checksum; ERROR_DAMAGED where it is not. After true, end with lines_free. */
bool lines_of_text(struct lines *lines, char *text, size_t length, struct error *error);
bool lines_of_file(struct lines *lines, int fd, struct error *error);
void lines_free(struct lines *lines);

#endif
