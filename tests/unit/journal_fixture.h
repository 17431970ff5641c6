/* Journals for tests: written by hand-made batches, read back into a list. */
#ifndef TRENDLINE_TESTS_JOURNAL_FIXTURE_H
#define TRENDLINE_TESTS_JOURNAL_FIXTURE_H

#include "check.h"
#include "journal.h"
#include "scratch.h"

enum { FIXTURE_FEATURES = 2, FIXTURE_COLUMNS = FIXTURE_FEATURES + 1, FIXTURE_EVENTS_MAX = 64 };

/* Everything that a replay told. */
struct replayed {
    int count;
    struct {
        int64_t seq;
        uint64_t offset;
        char id[64]; /* "": none */
        double row[FIXTURE_COLUMNS + 1];
    } events[FIXTURE_EVENTS_MAX];
};

static struct error journal_error;

static inline struct schema *fixture_schema(void)
{
    static const char *const names[] = {"a", "ü \"J*"};
    return schema_new(names, NULL, FIXTURE_FEATURES, &journal_error);
}

static inline bool keep_event(void *context, const struct journal_event *event, struct error *error)
{
    struct replayed *replayed = context;
    (void)error;
    if (replayed->count == FIXTURE_EVENTS_MAX)
        abort();
    int i = replayed->count++;
    replayed->events[i].seq = event->seq;
    replayed->events[i].offset = event->offset;
    snprintf(replayed->events[i].id, sizeof replayed->events[i].id, "%.*s",
             event->event.id ? (int)event->event.id_length : 0,
             event->event.id ? event->event.id : "");
    memcpy(replayed->events[i].row, event->event.row, sizeof replayed->events[i].row);
    return true;
}

/* The values of event `seq`, which say who they are. */
static inline const double *fixture_row(int64_t seq)
{
    static double row[FIXTURE_COLUMNS + 1];
    row[FIXTURE_COLUMNS] = seq % 5 ? 1 : 0.25; /* the weight */
    row[0] = (double)seq;
    row[1] = -0.1 * (double)seq;
    row[2] = seq % 2 ? 1e300 : 5e-324;
    return row;
}

/* Every third event has no id. */
static inline const char *fixture_id(int64_t seq)
{
    static char id[32];
    snprintf(id, sizeof id, "id-%lld\\\"é", (long long)seq);
    return seq % 3 ? id : NULL;
}

static inline struct event fixture_event(int64_t seq)
{
    const char *id = fixture_id(seq);
    return (struct event){.row = fixture_row(seq), .id = id, .id_length = id ? strlen(id) : 0};
}

/* Adds and commits one batch of so many events. */
static inline bool write_batch_of(struct journal *journal, int events)
{
    for (int i = 0; i < events; i++) {
        int64_t seq = journal_position(journal).seq + i + 1;
        uint64_t offset;
        struct event event = fixture_event(seq);
        CHECK_INT(seq, journal_add(journal, &event, &offset));
    }
    return journal_commit(journal, &journal_error);
}

/* A new journal with batches of these sizes (a 0 ends the list); `ends` gets the file's length
 * after each. */
static inline int write_batches(const int *sizes, uint64_t *ends)
{
    scratch_empty();
    struct schema *schema = fixture_schema();
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_set_schema(journal, schema, &journal_error), "%s", journal_error.text);
    int count = 0;
    for (; sizes[count]; count++) {
        CHECK(write_batch_of(journal, sizes[count]), "%s", journal_error.text);
        ends[count] = journal_position(journal).offset;
    }
    journal_close(journal);
    schema_free(schema);
    return count;
}

/* Replays the journal in the working directory from its beginning. */
static inline bool replay_all(struct replayed *replayed, int64_t known)
{
    replayed->count = 0;
    struct journal *journal = journal_open(".", &journal_error);
    bool ok = journal_replay(journal, known, keep_event, replayed, &journal_error);
    journal_close(journal);
    return ok;
}

/* Whether these are the first `count` events of the fixture. */
static inline bool are_first(const struct replayed *replayed, int count)
{
    bool same = replayed->count == count;
    for (int i = 0; same && i < count; i++) {
        const char *id = fixture_id(i + 1);
        same =
            replayed->events[i].seq == i + 1 && strcmp(replayed->events[i].id, id ? id : "") == 0 &&
            memcmp(replayed->events[i].row, fixture_row(i + 1), sizeof replayed->events[i].row) ==
                0;
    }
    return same;
}

#endif
