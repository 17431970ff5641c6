/* Journal: places in the file that are found without reading it from its beginning. */
#include "journal_private.h"

#include <string.h>

enum { TAIL_MAX = 32 << 20 /* where the end of a batch is looked for */ };

/* The end of the first batch that ends with a line that begins behind byte `from`, or where there
 * is none before `until` that. */
static bool next_end(struct journal *journal, uint64_t from, struct journal_position until,
                     struct journal_position *end, struct error *error)
{
    struct batch_scan scan = {0};
    size_t at = 0, batch = 0;
    bool ok = true;
    *end = until;
    journal->end.offset = from; /* where the scan reads */
    while (ok && from + at < until.offset) {
        struct line line = journal_line_at(&scan, at);
        if (!line.ended) {
            long got = journal_read_more(journal, &scan, error);
            if (got > 0)
                continue;
            ok = got == 0; /* whoever reads on is told */
            break;
        }
        at += line.length + 1;
        int64_t seq; /* what is left of a line that began before is none, by its checksum */
        if (line_check(line.text, line.length, &seq, &batch) && batch > 0) {
            *end = (struct journal_position){.offset = from + at, .seq = seq};
            break;
        }
    }
    buffer_free(&scan.text);
    return ok;
}

/* By halves: the numbers grow with the offsets. */
static bool find_end(struct journal *journal, struct journal_position until, int64_t seq,
                     struct journal_position *found, struct error *error)
{
    struct journal_position end;
    uint64_t high = until.offset;
    *found = (struct journal_position){0};
    while (high > found->offset + JOURNAL_READ_SIZE) {
        uint64_t middle = found->offset + (high - found->offset) / 2;
        if (!next_end(journal, middle, until, &end, error))
            return false;
        if (end.seq <= seq && end.offset < high)
            *found = end;
        else
            high = middle;
    }
    return true;
}

/* Reads the file from `from` to `to` into scratch. */
static bool read_part(struct journal *journal, uint64_t from, uint64_t to, struct error *error)
{
    struct buffer *scratch = &journal->scratch;
    buffer_clear(scratch);
    char *room = buffer_reserve(scratch, (size_t)(to - from));
    if (!room)
        return error_memory(error);
    while (from + scratch->length < to) {
        long got = journal_read_at(journal->fd, room + scratch->length,
                                   (size_t)(to - from) - scratch->length, from + scratch->length);
        if (got < 0)
            return error_errno(error, "cannot read " JOURNAL_NAME);
        if (got == 0)
            break;
        scratch->length += (size_t)got;
    }
    return true;
}

/* The end of the last batch all of whose lines are whole in this part of the file, which begins at
 * `from`. False: there is none. */
static bool last_batch(const struct buffer *part, uint64_t from, struct journal_position *last)
{
    struct batch_scan scan = {.text = *part};
    struct line line;
    size_t batch, whole = 0;
    bool found = false;
    for (size_t at = 0; (line = journal_line_at(&scan, at)).ended;) {
        int64_t seq;
        at += line.length + 1;
        whole = line_check(line.text, line.length, &seq, &batch) ? whole + 1 : 0;
        if (whole == 0 || batch == 0)
            continue;
        if (batch <= whole) {
            *last = (struct journal_position){.offset = from + at, .seq = seq};
            found = true;
        }
        whole = 0;
    }
    return found;
}

bool journal_last(struct journal *journal, struct journal_position *last, struct error *error)
{
    uint64_t size, left = 0;
    *last = journal->end;
    if (!journal_left(journal, &left, error))
        return false;
    size = journal->end.offset + left;
    for (uint64_t part = JOURNAL_READ_SIZE; left > 0 && part <= TAIL_MAX; part *= 2) {
        uint64_t from = size - (part < left ? part : left);
        if (!read_part(journal, from, size, error))
            return false;
        if (last_batch(&journal->scratch, from, last) || from == journal->end.offset)
            break;
    }
    return true;
}

/* The last line before `end`, which is the end of a line, without its newline. */
static bool line_before(struct journal *journal, uint64_t end, struct line *line,
                        struct error *error)
{
    const struct buffer *scratch = &journal->scratch;
    for (uint64_t part = JOURNAL_READ_SIZE / 64;; part *= 2) {
        uint64_t from = part < end ? end - part : 0;
        if (!read_part(journal, from, end, error))
            return false;
        size_t length = scratch->length > 0 ? scratch->length - 1 : 0;
        const char *before = memrchr(scratch->data, '\n', length);
        const char *text = before ? before + 1 : scratch->data;
        *line = (struct line){text, (size_t)(scratch->data + length - text),
                              scratch->length == end - from && scratch->data[length] == '\n'};
        if (before || from == 0 || part >= TAIL_MAX)
            return true;
    }
}

bool journal_check(struct journal *journal, struct journal_position position, struct error *error)
{
    struct line line;
    int64_t seq;
    uint64_t size;
    size_t batch;
    if (position.seq == 0)
        return true;
    if (!journal_size(journal, position, &size, error) ||
        !line_before(journal, position.offset, &line, error))
        return false;
    if (line.ended && line_check(line.text, line.length, &seq, &batch) && batch > 0 &&
        seq == position.seq)
        return true;
    return error_set(error, ERROR_DAMAGED,
                     JOURNAL_NAME
                     ":%lld: the line is not what was written when its event was stored (another "
                     "journal, or damage); put the right file back",
                     (long long)position.seq);
}

bool journal_seek(struct journal *journal, struct journal_position until, int64_t seq,
                  struct error *error)
{
    struct journal_position found;
    uint64_t size;
    size_t length;
    journal_end_scan(&journal->scan);
    if (!journal_size(journal, until, &size, error) ||
        !find_end(journal, until, seq, &found, error))
        return false;
    const char *first = journal_fetch_line(journal, 0, &length, error);
    bool ok = first && journal_take_schema(journal, first, length, length + 1, error);
    journal->end = ok ? found : (struct journal_position){0};
    return ok;
}
