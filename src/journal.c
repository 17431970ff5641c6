#include "journal_private.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* no batch is near as large: a longer one is damage, not a reason to swap */
    BATCH_MAX = 256 << 20
};

static bool sync_directory(const char *directory, struct error *error)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, "cannot open %s", directory);
    bool ok = fsync(fd) == 0 || error_errno(error, "cannot sync %s", directory);
    close(fd);
    return ok;
}

static bool open_file(struct journal *journal, const char *directory, struct error *error)
{
    int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return error_errno(error, "cannot open %s", directory);
    journal->fd = file_open_regular(at, JOURNAL_NAME, O_RDWR, error);
    bool create = journal->fd < 0 && error->kind == ERROR_ABSENT;
    if (create)
        journal->fd = file_open_regular(at, JOURNAL_NAME, O_RDWR | O_CREAT, error);
    close(at);
    return journal->fd >= 0 && (!create || sync_directory(directory, error));
}

static bool set_path(struct journal *journal, const char *directory, struct error *error)
{
    return snprintf(journal->path, PATH_MAX, "%s/" JOURNAL_NAME, directory) < PATH_MAX ||
           error_set(error, ERROR_SYSTEM, "the path of the data directory is too long");
}

struct journal *journal_open(const char *directory, struct error *error)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal) {
        error_memory(error);
        return NULL;
    }
    journal->fd = -1;
    if (set_path(journal, directory, error) && open_file(journal, directory, error))
        return journal;
    journal_close(journal);
    return NULL;
}

struct journal *journal_open_again(const struct journal *journal, struct error *error)
{
    struct journal *again = calloc(1, sizeof *again);
    if (!again) {
        error_memory(error);
        return NULL;
    }
    memcpy(again->path, journal->path, sizeof again->path);
    again->fd = fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
    if (again->fd >= 0)
        return again;
    error_errno(error, "cannot open " JOURNAL_NAME " once more");
    journal_close(again);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    line_layout_free(&journal->layout);
    buffer_free(&journal->scan.text);
    buffer_free(&journal->batch);
    buffer_free(&journal->scratch);
    free(journal);
}

bool journal_in_place(const struct journal *journal, struct error *error)
{
    struct stat here, there;
    return (fstat(journal->fd, &here) == 0 && stat(journal->path, &there) == 0 &&
            here.st_ino == there.st_ino && here.st_dev == there.st_dev) ||
           error_set(error, ERROR_DAMAGED,
                     JOURNAL_NAME ": was removed, renamed or replaced under the running service; "
                                  "stop it, put the file back, start again");
}

bool journal_lock(struct journal *journal)
{
    return flock(journal->fd, LOCK_EX | LOCK_NB) == 0;
}

void journal_unlock(struct journal *journal)
{
    flock(journal->fd, LOCK_UN);
}

bool journal_set_schema(struct journal *journal, const struct schema *schema, struct error *error)
{
    struct line_layout layout;
    if (!line_layout_init(&layout, schema, error))
        return false;
    line_layout_free(&journal->layout);
    journal->layout = layout;
    return true;
}

bool journal_resume(struct journal *journal, struct journal_position position,
                    const struct schema *schema, struct error *error)
{
    if (!journal_set_schema(journal, schema, error))
        return false;
    journal->end = position;
    return true;
}

struct journal_position journal_position(const struct journal *journal)
{
    return journal->end;
}

const struct schema *journal_schema(const struct journal *journal)
{
    return journal->end.seq > 0 ? journal->layout.schema : NULL;
}

/* ------------------------------------------------------------------ reading */

long journal_read_at(int fd, char *data, size_t size, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, data, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

static void drop_visited(struct batch_scan *scan)
{
    struct buffer *text = &scan->text;
    if (scan->start == 0)
        return;
    memmove(text->data, text->data + scan->start, text->length - scan->start);
    text->length -= scan->start;
    scan->start = 0;
}

long journal_read_more(struct journal *journal, struct batch_scan *scan, struct error *error)
{
    drop_visited(scan);
    if (scan->text.length > BATCH_MAX) {
        error_set(error, ERROR_DAMAGED, JOURNAL_NAME ":%lld: no end of a batch in %d MB",
                  (long long)journal->end.seq + 1, BATCH_MAX >> 20);
        return -1;
    }
    char *room = buffer_reserve(&scan->text, JOURNAL_READ_SIZE);
    if (!room) {
        error_memory(error);
        return -1;
    }
    long got = journal_read_at(journal->fd, room, JOURNAL_READ_SIZE,
                               journal->end.offset + scan->text.length);
    if (got < 0)
        error_errno(error, "cannot read " JOURNAL_NAME);
    else
        scan->text.length += (size_t)got;
    return got;
}

const char *journal_fetch_line(struct journal *journal, uint64_t offset, size_t *length,
                               struct error *error)
{
    struct buffer *scratch = &journal->scratch;
    buffer_clear(scratch);
    for (;;) {
        char *room = buffer_reserve(scratch, JOURNAL_READ_SIZE / 64);
        if (!room) {
            error_memory(error);
            return NULL;
        }
        long got =
            journal_read_at(journal->fd, room, JOURNAL_READ_SIZE / 64, offset + scratch->length);
        if (got < 0) {
            error_errno(error, "cannot read " JOURNAL_NAME);
            return NULL;
        }
        if (got == 0) {
            error_set(error, ERROR_DAMAGED, JOURNAL_NAME ": no line ends behind byte %llu",
                      (unsigned long long)offset);
            return NULL;
        }
        scratch->length += (size_t)got;
        const char *newline = memchr(room, '\n', (size_t)got);
        if (newline) {
            *length = (size_t)(newline - scratch->data);
            return scratch->data;
        }
    }
}

/* null stands for a number that is missing, and in journals of older versions for a category too,
 * where it is an empty text now. So where the first line has null, the next one that has a value
 * tells which it is, from `offset` on. */
static void find_kinds(struct journal *journal, struct schema *schema, bool *untold,
                       uint64_t offset)
{
    struct error end;
    size_t length, batch;
    int64_t seq;
    const char *line;
    while ((line = journal_fetch_line(journal, offset, &length, &end)) &&
           line_check(line, length, &seq, &batch) &&
           line_tell_kinds(line, length, schema, untold) > 0)
        offset += length + 1;
}

bool journal_take_schema(struct journal *journal, const char *line, size_t length, uint64_t next,
                         struct error *error)
{
    bool untold[SCHEMA_FEATURES_MAX] = {false};
    size_t count;
    struct schema *schema = line_schema(line, length, untold, &count, error);
    if (schema && count > 0)
        find_kinds(journal, schema, untold, next);
    bool ok = schema && journal_set_schema(journal, schema, error);
    schema_free(schema);
    if (ok || error->kind == ERROR_BUSY)
        return ok;
    struct error why = *error;
    return error_set(error, ERROR_DAMAGED, JOURNAL_NAME ":1: not a journal of these events: %.300s",
                     why.text);
}

static bool visit_line(struct journal *journal, const char *line, size_t length, uint64_t offset,
                       journal_visitor *visit, void *context, struct error *error)
{
    struct journal_event event = {.offset = offset};
    if (journal->end.seq == 0 &&
        !journal_take_schema(journal, line, length, offset + length + 1, error))
        return false;
    if (!line_read(&journal->layout, line, length, &event))
        return error_set(error, ERROR_DAMAGED,
                         JOURNAL_NAME ":%lld: the event does not have the features of those before",
                         (long long)journal->end.seq + 1);
    journal->end.seq = event.seq;
    return visit(context, &event, error);
}

/* Hands out the checked lines, which are a complete batch, and moves the position behind them. */
static bool visit_batch(struct journal *journal, struct batch_scan *scan, journal_visitor *visit,
                        void *context, struct error *error)
{
    struct journal_position before = journal->end;
    const char *batch = scan->text.data + scan->start;
    journal->end.seq += scan->visit_lines;
    while (scan->visited < scan->checked) {
        size_t at = scan->visited;
        const char *line = batch + at, *newline = memchr(line, '\n', scan->checked - at);
        if (!visit_line(journal, line, (size_t)(newline - line), before.offset + at, visit, context,
                        error)) {
            journal->end = before;
            return false;
        }
        scan->visited += (size_t)(newline - line) + 1;
        scan->visit_lines++;
    }
    journal->end.offset += scan->checked;
    *scan = (struct batch_scan){.text = scan->text, .start = scan->start + scan->checked};
    return true;
}

void journal_end_scan(struct batch_scan *scan)
{
    buffer_free(&scan->text);
    *scan = (struct batch_scan){.start = 0};
}

/* Cuts the file to what is known to be complete. */
static bool cut_tail(struct journal *journal, struct error *error)
{
    if (ftruncate(journal->fd, (off_t)journal->end.offset) != 0 || fdatasync(journal->fd) != 0)
        return error_errno(error, "cannot cut the incomplete end of " JOURNAL_NAME);
    journal->uncut = false;
    return true;
}

bool journal_settle(struct journal *journal)
{
    struct error ignored; /* whoever commits or replays next is told */
    return !journal->uncut || cut_tail(journal, &ignored);
}

void journal_take_back(struct journal *journal, struct journal_position before)
{
    journal->end = before;
    journal->uncut = true;
    journal_settle(journal);
}

struct line journal_line_at(const struct batch_scan *scan, size_t at)
{
    size_t left = scan->text.length - at;
    const char *text = left ? scan->text.data + at : "", *newline = memchr(text, '\n', left);
    return (struct line){text, newline ? (size_t)(newline - text) : left, newline != NULL};
}

static bool damaged(struct journal *journal, const struct batch_scan *scan, struct error *error)
{
    return error_set(error, ERROR_DAMAGED,
                     JOURNAL_NAME
                     ":%lld: the line is not what was written (checksum, number or "
                     "layout); restore the file from a copy, or cut it before this line "
                     "to go on without it and all that follows",
                     (long long)(journal->end.seq + scan->lines + 1));
}

enum scan_result { SCAN_BATCH, SCAN_END, SCAN_ERROR };

/* Checks lines until a batch is complete. */
static enum scan_result scan_batch(struct journal *journal, struct batch_scan *scan,
                                   struct error *error)
{
    while (!scan->complete) {
        struct line line = journal_line_at(scan, scan->start + scan->checked);
        if (!line.ended) {
            long got = journal_read_more(journal, scan, error);
            if (got > 0)
                continue;
            return got < 0 ? SCAN_ERROR : SCAN_END;
        }
        size_t batch;
        int64_t seq;
        if (!line_check(line.text, line.length, &seq, &batch) ||
            seq != journal->end.seq + scan->lines + 1)
            return SCAN_END;
        if (batch > 0 && batch != (size_t)scan->lines + 1)
            return damaged(journal, scan, error), SCAN_ERROR;
        scan->checked += line.length + 1;
        scan->lines++;
        scan->complete = batch > 0;
    }
    return SCAN_BATCH;
}

/* Pages that a crash kept from being written read as NUL bytes. No single flipped bit makes a NUL
 * of a line's first byte, or so many of them. */
static bool has_hole(struct line line)
{
    static const char hole[16];
    return (line.length > 0 && line.text[0] == '\0') ||
           memmem(line.text, line.length, hole, sizeof hole);
}

/* Whether a later batch stands behind the broken line at `at`; the file is read to its end. Then
 * the broken one was durable before. Nothing follows the mark of the last batch. */
static bool is_followed(const struct journal *journal, const struct batch_scan *scan, size_t at)
{
    while (at < scan->text.length) {
        struct line line = journal_line_at(scan, at);
        int64_t seq;
        size_t batch;
        at += line.length + 1;
        if (line.ended && line_check(line.text, line.length, &seq, &batch) && batch > 0)
            return seq - (int64_t)batch != journal->end.seq || at < scan->text.length;
    }
    return false;
}

/* Whether what lies behind the last complete batch is a batch that a crash cut short, and so was
 * never acknowledged: a prefix of it, or with holes where its pages were not yet written.
 * Everything else, a line's changed newline too, is damage to what was acknowledged. */
static bool is_torn(struct journal *journal, struct batch_scan *scan, struct error *error)
{
    int64_t seq;
    size_t batch;
    struct line line = journal_line_at(scan, scan->start + scan->checked);
    if (line.length == 0 && !line.ended)
        return true;
    if (!line.ended)
        return !line_check(line.text, line.length - 1, &seq, &batch) ||
               damaged(journal, scan, error);
    if (!has_hole(line))
        return damaged(journal, scan, error);
    long got;
    while ((got = journal_read_more(journal, scan, error)) > 0)
        ;
    return got == 0 && (!is_followed(journal, scan, scan->start + scan->checked) ||
                        damaged(journal, scan, error));
}

/* Cuts off what lies behind the last complete batch, if it may be cut. */
static bool settle_tail(struct journal *journal, struct batch_scan *scan, int64_t known,
                        struct error *error)
{
    if (scan->text.length == scan->start)
        return true;
    if (!is_torn(journal, scan, error))
        return false;
    if (journal->end.seq < known)
        return damaged(journal, scan, error);
    fprintf(stderr,
            JOURNAL_NAME ": cutting an incomplete last batch, which was never acknowledged, "
                         "behind event %lld\n",
            (long long)journal->end.seq);
    return cut_tail(journal, error);
}

bool journal_size(const struct journal *journal, struct journal_position position, uint64_t *size,
                  struct error *error)
{
    struct stat status;
    if (fstat(journal->fd, &status) != 0)
        return error_errno(error, "cannot look at " JOURNAL_NAME);
    *size = (uint64_t)status.st_size;
    return *size >= position.offset ||
           error_set(error, ERROR_DAMAGED,
                     JOURNAL_NAME ": has %llu bytes, but its first %lld events took %llu; "
                                  "restore the file from a copy",
                     (unsigned long long)*size, (long long)position.seq,
                     (unsigned long long)position.offset);
}

bool journal_left(const struct journal *journal, uint64_t *bytes, struct error *error)
{
    uint64_t size = 0;
    if (!journal_size(journal, journal->end, &size, error))
        return false;
    *bytes = size - journal->end.offset;
    return true;
}

bool journal_replay(struct journal *journal, int64_t known, journal_visitor *visit, void *context,
                    struct error *error)
{
    uint64_t left;
    if (journal->uncut && !cut_tail(journal, error))
        return false;
    if (!journal_in_place(journal, error) || !journal_left(journal, &left, error))
        return false;
    if (left == 0)
        return true;
    struct batch_scan scan = {0};
    enum scan_result result;
    journal_end_scan(&journal->scan); /* it may have read what was not there to stay */
    bool ok = true;
    while (ok && (result = scan_batch(journal, &scan, error)) == SCAN_BATCH)
        ok = visit_batch(journal, &scan, visit, context, error);
    ok = ok && result == SCAN_END && settle_tail(journal, &scan, known, error);
    journal_end_scan(&scan);
    return ok;
}

/* What lies behind `until` may change before the next call. */
static void pause_scan(struct journal *journal, struct journal_position until)
{
    struct batch_scan *scan = &journal->scan;
    uint64_t stays = scan->start + (until.offset - journal->end.offset);
    if (scan->text.length > stays)
        scan->text.length = (size_t)stays;
}

bool journal_visit(struct journal *journal, struct journal_position until, journal_visitor *visit,
                   void *context, struct error *error)
{
    struct batch_scan *scan = &journal->scan;
    bool ok = true;
    while (ok && journal->end.seq < until.seq)
        switch (scan_batch(journal, scan, error)) {
        case SCAN_BATCH:
            ok = visit_batch(journal, scan, visit, context, error);
            break;
        case SCAN_END:
            ok = damaged(journal, scan, error);
            break;
        case SCAN_ERROR:
            ok = false;
        }
    if (ok || error->kind != ERROR_BEHIND)
        journal_end_scan(scan);
    else
        pause_scan(journal, until);
    return ok;
}

/* ------------------------------------------------------------------ writing */

int64_t journal_add(struct journal *journal, const struct event *event, uint64_t *offset)
{
    if (journal->batch_lines == 0)
        timestamp_now(journal->time);
    else
        line_finish(&journal->batch, journal->last_line, 0);
    journal->last_line = journal->batch.length;
    journal->batch_lines++;
    *offset = journal->end.offset + journal->last_line;
    int64_t seq = journal->end.seq + (int64_t)journal->batch_lines;
    line_write(&journal->layout, &journal->batch, seq, event->time ? event->time : journal->time,
               event);
    return seq;
}

size_t journal_open_bytes(const struct journal *journal)
{
    return journal->batch.length;
}

void journal_discard(struct journal *journal)
{
    buffer_clear(&journal->batch);
    journal->batch_lines = 0;
}

static bool write_all(int fd, const char *data, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t wrote = pwrite(fd, data, length, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        data += wrote;
        length -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return true;
}

static bool write_batch(struct journal *journal, struct error *error)
{
    const struct buffer *batch = &journal->batch;
    if (journal->uncut && !cut_tail(journal, error))
        return false;
    journal->uncut = true;
    if (!write_all(journal->fd, batch->data, batch->length, journal->end.offset))
        return error_errno(error, "cannot write " JOURNAL_NAME);
    if (fdatasync(journal->fd) != 0)
        return error_errno(error, "cannot sync " JOURNAL_NAME);
    journal->uncut = false;
    return true;
}

bool journal_commit(struct journal *journal, struct error *error)
{
    if (journal->batch_lines == 0)
        return true;
    line_finish(&journal->batch, journal->last_line, journal->batch_lines);
    bool ok = journal->batch.failed ? error_memory(error) : write_batch(journal, error);
    if (ok) {
        journal->end.offset += journal->batch.length;
        journal->end.seq += (int64_t)journal->batch_lines;
    } else {
        /* after a failed sync nobody knows what the disk holds: cut, so that it can only be less */
        journal_settle(journal);
    }
    journal_discard(journal);
    return ok;
}

/* A copy of a line of the open batch, finished: the batch's last line is not. */
static const char *copy_open_line(struct journal *journal, size_t start, size_t *length,
                                  struct error *error)
{
    struct buffer *scratch = &journal->scratch;
    buffer_clear(scratch);
    if (start < journal->batch.length) {
        const char *line = journal->batch.data + start;
        size_t left = journal->batch.length - start;
        const char *newline = memchr(line, '\n', left);
        buffer_append(scratch, line, newline ? (size_t)(newline - line) + 1 : left);
        if (!newline)
            line_finish(scratch, 0, 0);
    }
    if (scratch->failed || journal->batch.failed) {
        error_memory(error);
        return NULL;
    }
    *length = scratch->length > 0 ? scratch->length - 1 : 0;
    return scratch->length > 0 ? scratch->data : "";
}

bool journal_read(struct journal *journal, uint64_t offset, struct journal_event *event,
                  struct error *error)
{
    size_t length = 0, batch;
    int64_t seq;
    bool open = offset >= journal->end.offset;
    const char *line =
        open ? copy_open_line(journal, (size_t)(offset - journal->end.offset), &length, error)
             : journal_fetch_line(journal, offset, &length, error);
    if (!line)
        return false;
    event->offset = offset;
    if (line_check(line, length, &seq, &batch) && line_read(&journal->layout, line, length, event))
        return true;
    return error_set(error, ERROR_DAMAGED, JOURNAL_NAME ": no event at byte %llu",
                     (unsigned long long)offset);
}
