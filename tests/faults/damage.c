/* damage DATA_DIR WORK_DIR FILE FLIPS [without REMOVED...]
 *
 * Truncates FILE, in a copy of DATA_DIR, at every byte of its tail, and flips FLIPS bits
 * throughout; each time a start is prepared and what it would serve is compared with the undamaged
 * one:
 *
 *     right    the same events, sums, model and ids
 *     older    those of the first so many batches of the journal (only where what tells of the
 * later ones was removed, and only with the end of the journal cut) refused  the start stops,
 * naming the file, and in the journal the line unnamed  it stops, and the line does not say where
 *     wrong    anything else
 *     crashed  the process died
 *
 * Prints how often each came up: "right 12 older 0 refused 3 unnamed 0 wrong 0 crashed 0", and the
 * first few bad ones on standard error. */
#include "buffer.h"
#include "file.h"
#include "ids.h"
#include "journal.h"
#include "learn.h"
#include "prepare.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20, TAIL_MAX = 700, BAD_SHOWN = 6, CHILD_SECONDS = 20, STATES_MAX = 4096 };

enum outcome { RIGHT, OLDER, REFUSED, UNNAMED, WRONG, CRASHED, OUTCOMES };
static const char *const NAMES[] = {"right", "older", "refused", "unnamed", "wrong", "crashed"};

struct file {
    char name[256];
    struct buffer content;
};

static struct file files[64];
static int file_count;
static struct file *victim;
static char work[3000];
static char **removed;
static int removed_count;
static long tally[OUTCOMES];
static struct buffer expected;           /* the state of the undamaged directory */
static struct buffer states[STATES_MAX]; /* those after each batch of the journal */
static int state_count;

static void die(const char *what)
{
    fprintf(stderr, "damage: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ------------------------------------------------------------------ the directory */

/* Takes all files of the directory, and of models/, into memory. */
static void read_directory(const char *directory, const char *below)
{
    char path[4096];
    struct error error;
    snprintf(path, sizeof path, "%s/%s", directory, below);
    DIR *entries = opendir(path);
    if (!entries)
        die(path);
    for (struct dirent *entry; (entry = readdir(entries));) {
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        struct file *file = &files[file_count];
        snprintf(file->name, sizeof file->name, "%s%.200s", below, entry->d_name);
        snprintf(path, sizeof path, "%s/%s", directory, file->name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            if (!file_read(path, FILE_MAX, &file->content, &error))
                die(error.text);
            file_count++;
        }
    }
    closedir(entries);
}

static bool is_removed(const struct file *file)
{
    for (int i = 0; i < removed_count; i++)
        if (strncmp(file->name, removed[i], strlen(removed[i])) == 0)
            return true;
    return false;
}

static void write_file(const char *name, const char *data, size_t length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", work, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, data, length) != (ssize_t)length)
        die(path);
    close(fd);
}

static void empty_directory(const char *path)
{
    char name[4096];
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        snprintf(name, sizeof name, "%.3000s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(name);
    }
    if (entries)
        closedir(entries);
}

/* The whole directory as it was, but for the victim's content. */
static void lay_out(const char *data, size_t length)
{
    char models[4096];
    snprintf(models, sizeof models, "%s/models", work);
    empty_directory(models);
    empty_directory(work);
    mkdir(models, 0755);
    for (int i = 0; i < file_count; i++)
        if (&files[i] == victim)
            write_file(files[i].name, data, length);
        else if (!is_removed(&files[i]))
            write_file(files[i].name, files[i].content.data, files[i].content.length);
}

/* ------------------------------------------------------------------ a start */

/* The ids that the undamaged journal holds, with what belongs to them. */
struct stored {
    char *id;
    size_t length;
    int64_t seq;
    double *row;
};

static struct stored *stored;
static size_t stored_count, row_columns;

static bool keep_event(void *context, const struct journal_event *event, struct error *error)
{
    (void)error;
    size_t columns = *(size_t *)context;
    if (!event->event.id)
        return true;
    stored = realloc(stored, (stored_count + 1) * sizeof *stored);
    struct stored *kept = &stored[stored_count++];
    kept->id = strndup(event->event.id, event->event.id_length);
    kept->length = event->event.id_length;
    kept->seq = event->seq;
    kept->row = malloc((columns + 2) * sizeof *kept->row);
    memcpy(kept->row, event->event.row, (columns + 2) * sizeof *kept->row);
    return true;
}

/* Whether each id of a stored event is known as that event's, and that of no other. */
static void write_ids(struct store *store, struct buffer *out)
{
    struct error error;
    for (size_t i = 0; i < stored_count && stored[i].seq <= store_events(store); i++) {
        int64_t seq = 0;
        size_t ticket;
        struct event event = {
            .row = stored[i].row, .id = stored[i].id, .id_length = stored[i].length};
        if (!store_add(store, &event, &ticket, &error)) {
            /* an error is right when it says so: nothing wrong is answered */
            fprintf(stderr, "%s\n", error.text);
            _exit(1);
        }
        if (store_outcome(store, ticket, &seq, &error) != STORE_DUPLICATE || seq != stored[i].seq) {
            buffer_printf(out, "the id of event %lld is not known\n", (long long)stored[i].seq);
            return;
        }
    }
}

static bool fail(const char *text)
{
    fprintf(stderr, "%s\n", text);
    return false;
}

/* What the directory holds, as text: how many events, the model of all sums, and the model served.
 */
static bool write_state(const struct config *config, struct buffer *out)
{
    struct error error;
    struct store *store = store_open(config, &error);
    if (!store || !store_wait(store, &error))
        return fail(error.text);
    struct folds_set rows;
    struct model *model =
        store_rows(store, &rows, &error) ? model_choose(store_schema(store), &rows, &error) : NULL;
    if (!model)
        return fail(error.text);
    buffer_printf(out, "events %lld\n", (long long)store_events(store));
    model->events = store_events(store);
    model_write(model, out);
    if (store_model(store)) {
        struct model served = *store_model(store);
        served.version = model->version;
        memcpy(served.created, model->created, sizeof served.created);
        served.live = model->live; /* history: it may differ */
        model_write(&served, out);
    }
    write_ids(store, out);
    return true;
}

static void run_child(int report, const struct config *config)
{
    char path[4096];
    struct error error;
    struct buffer state = {0};
    snprintf(path, sizeof path, "%s.said", work);
    int said = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(said, STDERR_FILENO);
    alarm(CHILD_SECONDS);
    if (!prepare_run(config, &error)) {
        fprintf(stderr, "%s\n", error.text);
        _exit(1);
    }
    if (!write_state(config, &state))
        _exit(1);
    for (size_t at = 0; at < state.length;) {
        ssize_t wrote = write(report, state.data + at, state.length - at);
        if (wrote <= 0)
            _exit(3);
        at += (size_t)wrote;
    }
    _exit(0);
}

/* Where there are terms a start chooses among all models, as the service did. */
static bool has_terms(void)
{
    for (int i = 0; i < file_count; i++)
        if (strcmp(files[i].name, "terms.json") == 0)
            return true;
    return false;
}

/* Prepares the work directory in a process of its own; its wait status, the state in *state. */
static int start(struct buffer *state)
{
    int ends[2], status;
    struct config config = {.learn_online = true,
                            .may_choose = has_terms(),
                            .has_terms = has_terms(),
                            .id_window = UINT64_MAX};
    snprintf(config.data_dir, sizeof config.data_dir, "%s", work);
    snprintf(config.train_path, sizeof config.train_path, "%s/train.txt", work);
    if (pipe(ends) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0)
        run_child(ends[1], &config);
    close(ends[1]);
    buffer_clear(state);
    ssize_t got;
    while ((got = read(ends[0], buffer_reserve(state, 4096), 4096)) > 0)
        state->length += (size_t)got;
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

/* ------------------------------------------------------------------ judging */

static bool same(const struct buffer *a, const struct buffer *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The error names the file, and for the journal the place too. */
static bool is_named(const char *said)
{
    const char *at = strstr(said, base_name(victim->name));
    if (!at)
        return false;
    at += strlen(base_name(victim->name));
    return strcmp(victim->name, JOURNAL_NAME) != 0 ||
           (*at == ':' && at[1] >= '0' && at[1] <= '9') || strstr(said, "bytes") ||
           strstr(said, "byte ");
}

static enum outcome judge(int status, const struct buffer *state, const char *said)
{
    if (WIFSIGNALED(status))
        return CRASHED;
    if (WEXITSTATUS(status) != 0)
        return is_named(said) ? REFUSED : UNNAMED;
    if (same(state, &expected))
        return RIGHT;
    for (int i = 0; i < state_count; i++)
        if (same(state, &states[i]))
            return OLDER;
    return WRONG;
}

static void try_content(const char *data, size_t length, const char *what, size_t at)
{
    static struct buffer state, said;
    static int shown;
    char path[4096];
    struct error error;
    lay_out(data, length);
    int status = start(&state);
    snprintf(path, sizeof path, "%s.said", work);
    buffer_clear(&said);
    file_read(path, FILE_MAX, &said, &error);
    buffer_append(&said, "", 1);
    enum outcome outcome = judge(status, &state, said.data);
    tally[outcome]++;
    if (outcome >= UNNAMED && shown++ < BAD_SHOWN)
        fprintf(stderr, "%s, %s %zu: %s: %.300s\n", victim->name, what, at, NAMES[outcome],
                outcome == WRONG ? state.data : said.data);
}

static void truncate_tail(void)
{
    size_t length = victim->content.length;
    for (size_t cut = 1; cut <= length && cut <= TAIL_MAX; cut++)
        try_content(victim->content.data, length - cut, "cut to", length - cut);
    /* and at some places further ahead */
    for (size_t at = 0; at + TAIL_MAX < length; at += 1 + length / 64)
        try_content(victim->content.data, at, "cut to", at);
}

static void flip_bits(long flips)
{
    size_t length = victim->content.length;
    char *data = victim->content.data;
    for (long i = 0; i < flips && length > 0; i++) {
        size_t at = (size_t)((double)length / (double)flips * ((double)i + drand48()));
        char bit = (char)(1 << lrand48() % 8), before = data[at];
        data[at] = (char)(data[at] ^ bit);
        try_content(data, length, "flipped in byte", at);
        data[at] = before;
    }
}

/* ------------------------------------------------------------------ what to expect */

static void read_ids(void)
{
    struct error error;
    struct journal *journal = journal_open(work, &error);
    if (!journal || !journal_replay(journal, 0, keep_event, &row_columns, &error))
        die(error.text);
    journal_close(journal);
}

/* The features, which the journal's first line tells. */
static void read_columns(void)
{
    struct error error;
    struct config config = {.learn_online = true, .id_window = UINT64_MAX};
    snprintf(config.data_dir, sizeof config.data_dir, "%s", work);
    snprintf(config.train_path, sizeof config.train_path, "%s/train.txt", work);
    struct store *store = store_open(&config, &error);
    if (!store || !store_wait(store, &error))
        die(error.text);
    row_columns = store_schema(store)->count;
    store_unlock(store);
    store_close(store);
}

/* The state with only so much of the journal. */
static void read_older_state(size_t length)
{
    lay_out(victim->content.data, length);
    if (start(&states[state_count]) == 0)
        state_count++;
}

/* The states after each whole batch, and before the first, for a journal whose end may be cut: only
 * what was removed could tell that there was more. */
static void read_older_states(void)
{
    const char *text = victim->content.data, *end = text + victim->content.length;
    read_older_state(0);
    for (const char *at = text; at < end && state_count < STATES_MAX;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (memmem(at, (size_t)(newline - at), "\"_batch\":", 9))
            read_older_state((size_t)(newline + 1 - text));
        at = newline + 1;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: damage DATA_DIR WORK_DIR FILE FLIPS [without REMOVED...]\n");
        return 2;
    }
    snprintf(work, sizeof work, "%s", argv[2]);
    mkdir(work, 0755);
    removed = argv + 6;
    removed_count = argc > 6 ? argc - 6 : 0;
    read_directory(argv[1], "");
    read_directory(argv[1], "models/");
    for (int i = 0; i < file_count; i++)
        if (strcmp(files[i].name, argv[3]) == 0)
            victim = &files[i];
    if (!victim)
        die(argv[3]);
    lay_out(victim->content.data, victim->content.length);
    read_columns();
    read_ids();
    lay_out(victim->content.data, victim->content.length);
    if (start(&expected) != 0)
        die("the undamaged directory does not start");
    if (removed_count > 0 && strcmp(victim->name, JOURNAL_NAME) == 0)
        read_older_states();
    truncate_tail();
    flip_bits(atol(argv[4]));
    for (int i = 0; i < OUTCOMES; i++)
        printf("%s %ld%s", NAMES[i], tally[i], i + 1 < OUTCOMES ? " " : "\n");
    return 0;
}
