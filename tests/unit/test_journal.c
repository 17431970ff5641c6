#include "journal_fixture.h"
#include "timestamp.h"

#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const int sizes[] = {1, 3, 1, 2, 0};
enum { EVENTS = 7, BATCHES = 4 };

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        abort();
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static void test_layout(void)
{
    uint64_t ends[BATCHES];
    write_batches(sizes, ends);
    struct buffer text = get_file(JOURNAL_NAME);
    CHECK_INT(ends[3], text.length);
    buffer_append(&text, "", 1);
    const char *time = "\"_time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z\"";
    char pattern[400];
    snprintf(pattern, sizeof pattern,
             "^\\{\"_seq\":1,%s,\"_id\":\"id-1\\\\\"é\",\"a\":1,\"ü \\\\\"J\\*\":-0.1,"
             "\"target\":1e\\+300,\"_batch\":1,\"_crc\":\"[0-9a-f]{8}\"\\}\n"
             "\\{\"_seq\":2,%s,\"_id\":\"id-2\\\\\"é\",\"a\":2,\"ü \\\\\"J\\*\":-0.2,"
             "\"target\":5e-324,\"_crc\":\"[0-9a-f]{8}\"\\}\n",
             time, time);
    CHECK(matches(text.data, pattern), "%.300s", text.data);
    buffer_free(&text);
}

static void test_replay(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed;
    write_batches(sizes, ends);
    CHECK(replay_all(&replayed, EVENTS), "%s", journal_error.text);
    CHECK(are_first(&replayed, EVENTS), "%d events", replayed.count);
    CHECK_INT(ends[0], replayed.events[1].offset);
}

/* Every batch's end is a position to go on from. */
static void test_resume(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed;
    struct schema *schema = fixture_schema();
    write_batches(sizes, ends);
    int seq = 0;
    for (int i = 0; i < BATCHES; i++) {
        seq += sizes[i];
        struct journal *journal = journal_open(".", &journal_error);
        struct journal_position position = {.offset = ends[i], .seq = seq};
        CHECK(journal_resume(journal, position, schema, &journal_error), "%s", journal_error.text);
        replayed.count = 0;
        CHECK(journal_replay(journal, EVENTS, keep_event, &replayed, &journal_error), "%s",
              journal_error.text);
        CHECK_INT(EVENTS - seq, replayed.count);
        CHECK(replayed.count == 0 || replayed.events[0].seq == seq + 1, "the first one");
        CHECK_INT(EVENTS, journal_position(journal).seq);
        CHECK(journal_replay(journal, EVENTS, keep_event, &replayed, &journal_error) &&
                  replayed.count == EVENTS - seq,
              "there is nothing new");
        journal_close(journal);
    }
    schema_free(schema);
}

/* A position that is not this journal's is noticed. */
static void test_resume_elsewhere(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed = {0};
    struct schema *schema = fixture_schema();
    write_batches(sizes, ends);
    CHECK(replay_all(&replayed, 0), "%s", journal_error.text);
    uint64_t inside = replayed.events[2].offset; /* of the second batch */
    replayed.count = 0;
    const struct journal_position wrong[] = {{.offset = inside, .seq = 2},
                                             {.offset = ends[0] + 1, .seq = 1},
                                             {.offset = ends[0], .seq = 2},
                                             {.offset = ends[1], .seq = 1},
                                             {.offset = ends[3] + 1, .seq = EVENTS + 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct journal *journal = journal_open(".", &journal_error);
        CHECK(journal_resume(journal, wrong[i], schema, &journal_error), "%s", journal_error.text);
        CHECK(!journal_replay(journal, 0, keep_event, &replayed, &journal_error), "case %zu", i);
        CHECK_INT(ERROR_DAMAGED, journal_error.kind);
        journal_close(journal);
    }
    CHECK_INT(0, replayed.count);
    struct buffer text = get_file(JOURNAL_NAME);
    CHECK_INT(ends[3], text.length);
    buffer_free(&text);
    schema_free(schema);
}

/* Two processes have it open; each sees what the other wrote once it replays. */
static void test_two_writers(void)
{
    scratch_empty();
    struct replayed seen[2] = {0};
    struct schema *schema = fixture_schema();
    struct journal *journals[2];
    for (int i = 0; i < 2; i++)
        journals[i] = journal_open(".", &journal_error);
    for (int i = 0; i < 20; i++) {
        struct journal *journal = journals[i * 7 % 3 % 2];
        CHECK(journal_replay(journal, i, keep_event, &seen[i * 7 % 3 % 2], &journal_error), "%s",
              journal_error.text);
        if (i == 0)
            CHECK(journal_set_schema(journal, schema, &journal_error), "%s", journal_error.text);
        CHECK(write_batch_of(journal, 1 + i % 3), "%s", journal_error.text);
    }
    for (int i = 0; i < 2; i++)
        journal_close(journals[i]);
    CHECK(replay_all(&seen[0], 0) && are_first(&seen[0], 39), "%d events", seen[0].count);
    schema_free(schema);
}

/* The features that a first event would have had, had it been stored, bind nobody. */
static void test_schema_is_the_first_line_s(void)
{
    static const char *const names[] = {"x"};
    scratch_empty();
    struct schema *other = schema_new(names, NULL, 1, &journal_error), *schema = fixture_schema();
    struct journal *a = journal_open(".", &journal_error), *b = journal_open(".", &journal_error);
    CHECK(journal_set_schema(a, other, &journal_error), "%s", journal_error.text);
    CHECK(!journal_schema(a), "no event has fixed it");
    CHECK(journal_set_schema(b, schema, &journal_error), "%s", journal_error.text);
    CHECK(write_batch_of(b, 2), "%s", journal_error.text);
    struct replayed replayed = {0};
    CHECK(journal_replay(a, 0, keep_event, &replayed, &journal_error), "%s", journal_error.text);
    CHECK(are_first(&replayed, 2) && schema_equal(journal_schema(a), schema), "the other's");
    journal_close(a);
    journal_close(b);
    schema_free(other);
    schema_free(schema);
}

static bool stop_at_two(void *context, const struct journal_event *event, struct error *error)
{
    (void)context;
    return event->seq != 2 || error_set(error, ERROR_BUSY, "enough");
}

/* A visitor that gives up leaves the journal where its batch begins. */
static void test_visitor_fails(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed = {0};
    write_batches(sizes, ends);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(!journal_replay(journal, 0, stop_at_two, NULL, &journal_error), "it was stopped");
    CHECK_STRING("enough", journal_error.text);
    CHECK_INT(1, journal_position(journal).seq);
    CHECK_INT(ends[0], journal_position(journal).offset);
    CHECK(journal_replay(journal, 0, keep_event, &replayed, &journal_error), "%s",
          journal_error.text);
    CHECK(replayed.count == EVENTS - 1 && replayed.events[0].seq == 2, "the rest");
    journal_close(journal);
}

static void check_read(struct journal *journal, uint64_t offset, int64_t seq)
{
    struct journal_event read;
    if (!CHECK(journal_read(journal, offset, &read, &journal_error), "%s", journal_error.text))
        return;
    const struct event *event = &read.event;
    const char *id = fixture_id(seq);
    CHECK_INT(seq, read.seq);
    CHECK(id ? event->id && memcmp(event->id, id, event->id_length) == 0 : !event->id, "its id");
    CHECK(memcmp(event->row, fixture_row(seq), FIXTURE_COLUMNS * sizeof(double)) == 0, "its row");
}

/* Single events are read from the file and from the batch that is still open. */
static void test_read(void)
{
    uint64_t ends[BATCHES], offset;
    struct replayed replayed = {0};
    struct journal_event event;
    write_batches(sizes, ends);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_replay(journal, 0, keep_event, &replayed, &journal_error), "replay");
    for (int i = 0; i < replayed.count; i++)
        check_read(journal, replayed.events[i].offset, i + 1);
    uint64_t open[3];
    for (int64_t seq = 8; seq <= 10; seq++) {
        struct event added = fixture_event(seq);
        journal_add(journal, &added, &open[seq - 8]);
    }
    for (int64_t seq = 8; seq <= 10; seq++)
        check_read(journal, open[seq - 8], seq);
    /* an offset that is no line's, from a damaged index, say */
    uint64_t end = ends[3] + journal_open_bytes(journal) + 100;
    int found = 0;
    for (offset = 0; offset < end; offset++)
        found += journal_read(journal, offset, &event, &journal_error);
    CHECK_INT(EVENTS + 3, found);
    CHECK(!journal_read(journal, UINT64_MAX / 4, &event, &journal_error), "far behind the end");
    CHECK(journal_commit(journal, &journal_error), "%s", journal_error.text);
    for (int64_t seq = 8; seq <= 10; seq++)
        check_read(journal, open[seq - 8], seq);
    journal_close(journal);
    CHECK(replay_all(&replayed, 10) && are_first(&replayed, 10), "%d events", replayed.count);
}

/* Another journal's handle visits what is complete, no more, and touches nothing. */
static void test_visit(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed = {0};
    write_batches(sizes, ends);
    struct journal *reader = journal_open(".", &journal_error);
    struct journal_position second = {.offset = ends[1], .seq = sizes[0] + sizes[1]};
    CHECK(journal_visit(reader, second, keep_event, &replayed, &journal_error), "%s",
          journal_error.text);
    CHECK(are_first(&replayed, (int)second.seq), "%d events", replayed.count);
    CHECK_INT(ends[1], journal_position(reader).offset);
    struct journal_position beyond = {.offset = ends[BATCHES - 1] + 1, .seq = EVENTS + 1};
    CHECK(!journal_visit(reader, beyond, keep_event, &replayed, &journal_error), "there are fewer");
    CHECK_INT(ERROR_DAMAGED, journal_error.kind);
    journal_close(reader);
    CHECK(replay_all(&replayed, EVENTS) && are_first(&replayed, EVENTS), "all are there");
}

/* An event may come with a time of its own. */
static void test_time(void)
{
    uint64_t ends[BATCHES], offset;
    struct replayed replayed = {0};
    struct journal_event read;
    write_batches(sizes, ends);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_replay(journal, 0, keep_event, &replayed, &journal_error), "replay");
    struct event event = fixture_event(EVENTS + 1);
    event.time = "1999-12-31T23:59:59.999Z";
    journal_add(journal, &event, &offset);
    CHECK(journal_commit(journal, &journal_error), "%s", journal_error.text);
    CHECK(journal_read(journal, offset, &read, &journal_error), "%s", journal_error.text);
    CHECK(strncmp(read.event.time, event.time, TIMESTAMP_LENGTH) == 0, "%.24s", read.event.time);
    journal_close(journal);
}

static void test_discard(void)
{
    uint64_t ends[BATCHES], offset;
    struct replayed replayed = {0};
    write_batches(sizes, ends);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_replay(journal, 0, keep_event, &replayed, &journal_error), "replay");
    journal_add(journal, &(struct event){.row = fixture_row(99)}, &offset);
    CHECK(journal_open_bytes(journal) > 0, "open");
    journal_discard(journal);
    CHECK_INT(0, journal_open_bytes(journal));
    CHECK(journal_commit(journal, &journal_error), "nothing to commit");
    CHECK(write_batch_of(journal, 2), "%s", journal_error.text);
    journal_close(journal);
    CHECK(replay_all(&replayed, 9) && are_first(&replayed, 9), "%d events", replayed.count);
}

/* After a write that failed the file is as before, and the next batch can be stored. */
static void check_failed_write(struct journal *journal, int events, enum error_kind kind,
                               bool (*relieve)(void))
{
    uint64_t before = journal_position(journal).offset;
    int64_t seq = journal_position(journal).seq;
    CHECK(!write_batch_of(journal, events), "a batch of %d was written", events);
    CHECK_INT(kind, journal_error.kind);
    CHECK_INT(before, journal_position(journal).offset);
    CHECK_INT(0, journal_open_bytes(journal));
    struct stat status;
    CHECK(stat(JOURNAL_NAME, &status) == 0, "stat");
    CHECK_INT(before, status.st_size);
    CHECK(journal_settle(journal), "nothing is left to cut off");
    CHECK(relieve(), "relief");
    CHECK(write_batch_of(journal, 3), "%s", journal_error.text);
    struct replayed replayed;
    CHECK(replay_all(&replayed, 0) && are_first(&replayed, (int)seq + 3), "%d events",
          replayed.count);
}

static bool limit_file_size(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static bool lift_limit(void)
{
    return limit_file_size(RLIM_INFINITY);
}

static void test_file_size_limit(void)
{
    uint64_t ends[BATCHES];
    struct replayed replayed = {0};
    write_batches(sizes, ends);
    signal(SIGXFSZ, SIG_IGN);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_replay(journal, 0, keep_event, &replayed, &journal_error), "replay");
    limit_file_size(ends[3] + 100); /* the write is cut short, then fails */
    check_failed_write(journal, 5, ERROR_FULL, lift_limit);
    journal_close(journal);
}

static bool free_space(void)
{
    return remove("ballast") == 0;
}

static void fill_volume(void)
{
    static char block[4096];
    FILE *file = fopen("ballast", "we");
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof block, file) == sizeof block)
        ;
    fclose(file);
}

/* A full disk: a tmpfs of some pages, in a mount namespace of the child's own. */
static void full_disk_child(void)
{
    scratch_empty();
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", scratch_directory, "tmpfs", 0, "size=64k") != 0 ||
        chdir(scratch_directory) != 0)
        _exit(77);
    struct schema *schema = fixture_schema();
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_set_schema(journal, schema, &journal_error), "schema");
    CHECK(write_batch_of(journal, 4), "%s", journal_error.text);
    fill_volume();
    check_failed_write(journal, 50, ERROR_FULL, free_space);
    journal_close(journal);
    schema_free(schema);
    umount2(scratch_directory, MNT_DETACH);
    fflush(stdout);
    _exit(check_failed > 0);
}

static void test_full_disk(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        full_disk_child();
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "the child ended");
    if (WEXITSTATUS(status) == 77)
        printf("journal: not root, so no full disk was tried\n");
    else
        CHECK_INT(0, WEXITSTATUS(status));
}

struct seen {
    int64_t first, last;
};

static bool see(void *context, const struct journal_event *event, struct error *error)
{
    struct seen *seen = context;
    (void)error;
    if (seen->first == 0)
        seen->first = event->seq;
    seen->last = event->seq;
    return true;
}

/* From the end of a batch, not behind any event and not far before it, everything is there. */
static void test_seek(void)
{
    enum { MANY = 900 };
    int many[MANY + 1] = {0};
    uint64_t ends[MANY];
    for (int i = 0; i < MANY; i++)
        many[i] = i % 17 == 3 ? 300 : 1 + i % 5;
    write_batches(many, ends);
    struct journal *journal = journal_open(".", &journal_error);
    struct seen seen = {0};
    CHECK(journal_replay(journal, 0, see, &seen, &journal_error), "%s", journal_error.text);
    struct journal_position until = journal_position(journal);
    CHECK(until.offset > (1 << 20), "it is longer than what is read at once");
    journal_close(journal);
    for (int64_t seq = 0; seq < until.seq; seq += 1 + seq / 6) {
        seen = (struct seen){0};
        journal = journal_open(".", &journal_error);
        CHECK(journal_seek(journal, until, seq, &journal_error), "%s", journal_error.text);
        struct journal_position at = journal_position(journal);
        CHECK(at.seq <= seq && seq - at.seq < 4000, "%lld for %lld", (long long)at.seq,
              (long long)seq);
        CHECK(journal_visit(journal, until, see, &seen, &journal_error), "%s", journal_error.text);
        CHECK_INT(at.seq + 1, seen.first);
        CHECK_INT(until.seq, seen.last);
        journal_close(journal);
    }
    CHECK(truncate(JOURNAL_NAME, 1000) == 0, "cut");
    journal = journal_open(".", &journal_error);
    CHECK(!journal_seek(journal, until, 5, &journal_error), "it was longer once");
    CHECK_INT(ERROR_DAMAGED, journal_error.kind);
    journal_close(journal);
}

/* Takes one event a call. */
struct one_a_call {
    struct replayed replayed;
    bool had_one;
};

static bool take_one(void *context, const struct journal_event *event, struct error *error)
{
    struct one_a_call *call = context;
    if (call->had_one)
        return error_set(error, ERROR_BEHIND, "enough");
    call->had_one = true;
    return keep_event(&call->replayed, event, error);
}

/* In pieces, also of a batch, each event comes once; what is written meanwhile does not matter. */
static void test_visit_in_pieces(void)
{
    uint64_t ends[BATCHES];
    static struct one_a_call call;
    write_batches(sizes, ends);
    struct journal *writer = journal_open(".", &journal_error);
    CHECK(journal_replay(writer, 0, keep_event, &call.replayed, &journal_error), "the writer");
    struct journal_position until = journal_position(writer);
    call = (struct one_a_call){.had_one = false};
    struct journal *reader = journal_open_again(writer, &journal_error);
    int calls = 1;
    while (!journal_visit(reader, until, take_one, &call, &journal_error)) {
        CHECK_INT(ERROR_BEHIND, journal_error.kind);
        CHECK_INT(calls, call.replayed.count);
        bool at_end = journal_position(reader).seq == 0;
        for (int i = 0; i < BATCHES; i++)
            at_end |= journal_position(reader).offset == ends[i];
        CHECK(at_end, "the position is in the middle of a batch");
        CHECK(write_batch_of(writer, 1), "%s", journal_error.text);
        call.had_one = false;
        calls++;
    }
    CHECK(are_first(&call.replayed, EVENTS), "%d events", call.replayed.count);
    CHECK_INT(until.offset, journal_position(reader).offset);
    journal_close(reader);
    journal_close(writer);
}

/* The last whole batch, whatever a crash has left behind it; and whether a batch ends at a place.
 */
static void test_last(void)
{
    uint64_t ends[BATCHES];
    struct journal_position last;
    int count = write_batches(sizes, ends);
    struct buffer file = get_file(JOURNAL_NAME);
    for (size_t length = 0; length <= file.length; length++) {
        put_file(JOURNAL_NAME, file.data, length);
        int whole = 0;
        int64_t seq = 0;
        while (whole < count && ends[whole] <= length)
            seq += sizes[whole++];
        struct journal *journal = journal_open(".", &journal_error);
        CHECK(journal_last(journal, &last, &journal_error), "%s", journal_error.text);
        CHECK_INT(seq, last.seq);
        CHECK_INT(whole ? ends[whole - 1] : 0, last.offset);
        CHECK(journal_check(journal, last, &journal_error), "%s", journal_error.text);
        journal_close(journal);
    }
    /* pages of the last batch that were never written */
    memset(file.data + ends[count - 2] + 10, 0, 50);
    put_file(JOURNAL_NAME, file.data, file.length);
    struct journal *journal = journal_open(".", &journal_error);
    CHECK(journal_last(journal, &last, &journal_error), "%s", journal_error.text);
    CHECK_INT(ends[count - 2], last.offset);
    CHECK(!journal_check(journal, (struct journal_position){ends[count - 2], last.seq + 1},
                         &journal_error) &&
              !journal_check(journal, (struct journal_position){ends[count - 2] - 1, last.seq},
                             &journal_error),
          "no batch with that number ends there");
    CHECK_INT(ERROR_DAMAGED, journal_error.kind);
    journal_close(journal);
    buffer_free(&file);
}

static void test_open_failures(void)
{
    CHECK(!journal_open("nowhere", &journal_error), "there is no such directory");
    CHECK_STRING("cannot open nowhere: No such file or directory", journal_error.text);
    scratch_empty();
    mkdir(JOURNAL_NAME, 0755);
    CHECK(!journal_open(".", &journal_error), "a directory in its place");
}

int main(void)
{
    scratch_make();
    test_layout();
    test_replay();
    test_resume();
    test_resume_elsewhere();
    test_two_writers();
    test_schema_is_the_first_line_s();
    test_visitor_fails();
    test_read();
    test_visit();
    test_time();
    test_discard();
    test_file_size_limit();
    test_full_disk();
    test_seek();
    test_visit_in_pieces();
    test_last();
    test_open_failures();
    scratch_end();
    return check_report("journal");
}
