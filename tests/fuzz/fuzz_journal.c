/* The journal: the input is its lines without their checksums, `,"_crc":"…"}`, which they are
 * given. A line that begins with `!` is taken as it stands behind that, and so is a last line
 * without a newline. */
#include "fuzz.h"
#include "journal.h"
#include "journal_line.h"

struct told {
    struct journal *journal;
    struct buffer events;          /* everything that was told of them */
    uint64_t last;                 /* offset of the last */
    struct journal_position batch; /* before the batch it is in */
    size_t before;                 /* how much had been told by then */
};

static void make_lines(const char *data, size_t size, struct buffer *file)
{
    buffer_reserve(file, 1); /* even an empty line is somewhere */
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t length = newline ? (size_t)(newline - data) : size, start = file->length;
        size_t raw = data[0] == '!';
        buffer_append(file, data + raw, length - raw);
        if (newline && raw)
            buffer_puts(file, "\n");
        else if (newline)
            line_finish(file, start, 0);
        length += newline != NULL;
        data += length;
        size -= length;
    }
}

static void tell(struct told *told, const struct journal_event *event)
{
    const struct schema *schema = journal_schema(told->journal);
    size_t cells = schema_cells(schema);
    if (event->offset == journal_position(told->journal).offset) {
        told->batch = (struct journal_position){event->offset, event->seq - 1};
        told->before = told->events.length;
    }
    for (size_t i = 0; i < cells; i++)
        WANT(isfinite(event->event.row[i]) || (i < schema->count && isnan(event->event.row[i])));
    WANT(event->event.row[cells - 1] > 0);
    buffer_printf(&told->events, "%lld %llu ", (long long)event->seq,
                  (unsigned long long)event->offset);
    buffer_append(&told->events, event->event.id, event->event.id_length);
    buffer_append(&told->events, event->event.row, cells * sizeof(double));
    told->last = event->offset;
}

static bool keep(void *context, const struct journal_event *event, struct error *error)
{
    (void)error;
    tell(context, event);
    return true;
}

/* Opens and replays the journal from its beginning; it is open then. */
static bool replay(struct told *told, int64_t known, struct error *error)
{
    char path[PATH_MAX];
    buffer_clear(&told->events);
    told->journal = journal_open(scratch(NULL, path), error);
    WANT(told->journal);
    bool ok = journal_replay(told->journal, known, keep, told, error);
    WANT(ok || is_told(error));
    return ok;
}

/* What a replay may cut off: nothing that has a batch's last line, unless there are holes before
 * it, where a crash kept pages from being written, and nothing follows it. */
static void check_cut(const struct buffer *file, size_t kept)
{
    if (kept == file->length)
        return;
    const char *tail = file->data + kept, *end = file->data + file->length;
    for (const char *line = tail, *newline; line < end; line = newline + 1) {
        int64_t seq;
        size_t batch;
        newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline)
            break;
        if (line_check(line, (size_t)(newline - line), &seq, &batch) && batch > 0)
            WANT(newline + 1 == end && memchr(tail, '\0', (size_t)(end - tail)));
    }
}

static void *copy(const void *data, size_t size)
{
    void *bytes = malloc(size ? size : 1);
    WANT(bytes);
    return memcpy(bytes, data, size);
}

/* Reads the last event by its offset, adds it twice more, and replays that too. */
static void check_adding(struct told *told)
{
    struct told again = {0};
    struct journal_event event;
    struct error error;
    uint64_t offset;
    int64_t seq = journal_position(told->journal).seq;
    WANT(journal_read(told->journal, told->last, &event, &error) && event.seq == seq);
    size_t size = schema_cells(journal_schema(told->journal)) * sizeof(double);
    size_t id_length = event.event.id_length;
    double *row = copy(event.event.row, size);
    char *id = event.event.id ? copy(event.event.id, id_length) : NULL;
    struct event first = {.row = row, .id = id, .id_length = id_length}, second = {.row = row};
    WANT(journal_add(told->journal, &first, &offset) == seq + 1);
    WANT(journal_read(told->journal, offset, &event, &error) && event.seq == seq + 1);
    WANT(!id == !event.event.id && event.event.id_length == id_length);
    WANT(id_length == 0 || memcmp(event.event.id, id, id_length) == 0);
    WANT(journal_add(told->journal, &second, &offset) == seq + 2);
    WANT(journal_commit(told->journal, &error));
    WANT(replay(&again, seq + 2, &error) && again.last == offset);
    WANT(memcmp(again.events.data, told->events.data, told->events.length) == 0);
    WANT(memcmp(again.events.data + again.events.length - size, row, size) == 0);
    journal_close(again.journal);
    buffer_free(&again.events);
    free(row);
    free(id);
}

/* From where a snapshot may have left off, the rest is the same. */
static void check_resuming(const struct told *told)
{
    char path[PATH_MAX];
    struct told rest = {0};
    struct error error;
    rest.journal = journal_open(scratch(NULL, path), &error);
    WANT(journal_resume(rest.journal, told->batch, journal_schema(told->journal), &error));
    WANT(journal_replay(rest.journal, 0, keep, &rest, &error));
    WANT(rest.events.length == told->events.length - told->before);
    WANT(memcmp(rest.events.data, told->events.data + told->before, rest.events.length) == 0);
    journal_close(rest.journal);
    buffer_free(&rest.events);
}

/* What would be cut is damage when it is known to have been stored. */
static void check_known(const struct told *told, const struct buffer *file, const char *path)
{
    struct told again = {0};
    struct error error;
    put_file(path, file);
    WANT(!replay(&again, journal_position(told->journal).seq + 1, &error));
    struct buffer left = get_file(path);
    WANT(error.kind == ERROR_DAMAGED && same_bytes(&left, file));
    journal_close(again.journal);
    buffer_free(&again.events);
    buffer_free(&left);
}

/* After a replay the file is what was replayed, and a second one tells the same. */
static void check_replayed(struct told *told, const struct buffer *file, const char *path)
{
    struct told again = {0};
    struct error error;
    struct journal_position position = journal_position(told->journal);
    struct buffer left = get_file(path);
    WANT(left.length == position.offset && left.length <= file->length);
    WANT(left.length == 0 || memcmp(left.data, file->data, left.length) == 0);
    check_cut(file, left.length);
    WANT(replay(&again, position.seq, &error) && same_bytes(&told->events, &again.events));
    journal_close(again.journal);
    buffer_free(&again.events);
    if (position.seq > 0) {
        check_resuming(told);
        check_adding(told);
    }
    if (left.length < file->length)
        check_known(told, file, path);
    buffer_free(&left);
}

/* A replay says on standard error what it cuts. */
static void silence(void)
{
    static FILE *null;
    if (!null)
        stderr = null = fopen("/dev/null", "we");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_MAX];
    struct buffer file = {0};
    struct told told = {0};
    struct error error = {0};
    silence();
    make_lines((const char *)data, size, &file);
    put_file(scratch(JOURNAL_NAME, path), &file);
    if (replay(&told, 0, &error)) {
        check_replayed(&told, &file, path);
    } else { /* damage is told, and left as it is */
        struct buffer left = get_file(path);
        WANT(error.kind == ERROR_DAMAGED && same_bytes(&left, &file));
        buffer_free(&left);
    }
    journal_close(told.journal);
    buffer_free(&told.events);
    buffer_free(&file);
    return 0;
}
