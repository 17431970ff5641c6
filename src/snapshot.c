#include "snapshot.h"

#include "file.h"
#include "json.h"
#include "levels.h"
#include "places.h"
#include "snapshot_sums.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1, FORMAT_PARTS = 2 };

/* ------------------------------------------------------------------ writing */

/* Where there is forgetting: how, and how many rows each part effectively has. */
static void write_forgetting(const struct folds *folds, struct buffer *out)
{
    if (folds->forget == 0)
        return;
    buffer_puts(out, ",\"forget\":");
    json_write_number(out, folds->forget);
    buffer_puts(out, ",\"unit\":");
    json_write_number(out, folds->unit);
    for (size_t k = 0; k < folds->parts; k++) {
        buffer_puts(out, k ? "," : ",\"effective\":[");
        json_write_number(out, folds->effective[k]);
    }
    buffer_puts(out, "]");
}

static void write_recent(const struct recent *recent, struct buffer *out)
{
    if (!recent)
        return;
    buffer_puts(out, ",\"recent\":");
    recent_write(recent, out);
}

static void write_live(const struct snapshot *snapshot, struct buffer *out)
{
    if (snapshot->judged == 0)
        return;
    buffer_printf(out, ",\"judged\":%lld,\"live\":{", (long long)snapshot->judged);
    live_write_state(&snapshot->live, out);
    buffer_puts(out, "}");
}

static void write_header(const struct snapshot *snapshot, struct buffer *out)
{
    buffer_printf(out, "{\"trendline_moments\":%d,\"rows\":%lld,\"offset\":%llu,\"seq\":%lld",
                  snapshot->folds->parts > 1 ? FORMAT_PARTS : FORMAT,
                  (long long)folds_rows(snapshot->folds),
                  (unsigned long long)snapshot->position.offset, (long long)snapshot->position.seq);
    buffer_puts(out, ",\"fingerprint\":");
    json_write_string(out, snapshot->fingerprint, strlen(snapshot->fingerprint));
    buffer_puts(out, ",\"source\":");
    json_write_string(out, snapshot->source, strlen(snapshot->source));
    write_forgetting(snapshot->folds, out);
    write_recent(snapshot->recent, out);
    write_live(snapshot, out);
    buffer_puts(out, ",\"features\":");
    schema_write(snapshot->schema, out);
    levels_write(snapshot->schema, snapshot->folds->encoding, "", out);
    if (strcmp(schema_target(), SCHEMA_TARGET_DEFAULT) != 0) {
        buffer_puts(out, ",\"target\":");
        json_write_string(out, schema_target(), strlen(schema_target()));
    }
    reach_write(snapshot->folds->reach, "", out);
    if (snapshot->folds->maps)
        metric_write(snapshot->folds->maps, "", out);
    buffer_puts(out, "}\n");
}

static bool write_all(const struct snapshot *snapshot, struct pieces *pieces, struct error *error)
{
    write_header(snapshot, &pieces->text);
    snapshot_write_sums(snapshot->folds, pieces);
    return pieces_end(pieces, error);
}

void snapshot_format(const struct snapshot *snapshot, struct buffer *out)
{
    struct pieces pieces = {0};
    struct error no_memory; /* then the buffer has failed */
    write_all(snapshot, &pieces, &no_memory);
    *out = pieces.text;
}

bool snapshot_write(const struct snapshot *snapshot, const char *path, struct error *error)
{
    struct file_writer file;
    struct pieces pieces = {.file = &file};
    if (!file_begin(&file, path, error))
        return false;
    bool ok = write_all(snapshot, &pieces, error);
    buffer_free(&pieces.text);
    if (ok)
        return file_commit(&file, true, error);
    file_abort(&file);
    return false;
}

/* ------------------------------------------------------------------ reading */

static bool is_our_target(const struct json *header)
{
    const struct json *target = json_get_kind(header, "target", JSON_STRING);
    const char *name = target ? json_string(target) : SCHEMA_TARGET_DEFAULT;
    return strcmp(name, schema_target()) == 0;
}

static bool read_forgetting(struct folds *folds, const struct json *header)
{
    double factor;
    const struct json *item = json_get_kind(header, "effective", JSON_ARRAY);
    if (!json_get_number(header, "forget", &factor))
        return true;
    if (!(factor > 0 && factor < 1) || !item || !json_get_number(header, "unit", &folds->unit) ||
        !(folds->unit >= 1 && folds->unit < FOLDS_UNIT_MOST))
        return false;
    folds_begin_forgetting(folds, factor);
    item = json_first(item);
    for (size_t k = 0; k < folds->parts; k++, item = json_next(item)) {
        if (!item || json_kind(item) != JSON_NUMBER ||
            !(json_number(item) >= 0 && json_number(item) < 0x1p53))
            return false;
        folds->effective[k] = json_number(item);
    }
    return !item;
}

static bool read_recent(struct snapshot *snapshot, const struct json *header, struct error *error)
{
    const struct json *recent = json_get_kind(header, "recent", JSON_ARRAY);
    const struct folds *folds = snapshot->folds;
    if (!recent || folds->forget == 0)
        return true;
    snapshot->recent = recent_parse(recent, folds->forget, folds->reach->numbers, error);
    return snapshot->recent != NULL;
}

static bool read_live(struct snapshot *snapshot, const struct json *header, struct error *error)
{
    const struct json *live = json_get_kind(header, "live", JSON_OBJECT);
    return !live ||
           (json_get_count(header, "judged", &snapshot->judged) &&
            live_parse(&snapshot->live, live)) ||
           error_set(error, ERROR_DAMAGED, "the header does not say how events were predicted");
}

static bool read_header(struct snapshot *snapshot, const struct json *header, struct error *error)
{
    int64_t format, rows, offset, seq;
    const struct json *features = json_get_kind(header, "features", JSON_ARRAY);
    if (!json_get_count(header, "trendline_moments", &format) ||
        (format != FORMAT && format != FORMAT_PARTS) || !json_get_count(header, "rows", &rows) ||
        !json_get_count(header, "offset", &offset) || !json_get_count(header, "seq", &seq) ||
        !features ||
        !json_get_text(header, "fingerprint", snapshot->fingerprint,
                       sizeof snapshot->fingerprint) ||
        !json_get_text(header, "source", snapshot->source, sizeof snapshot->source))
        return error_set(error, ERROR_DAMAGED, "the header is not one of moments");
    if (!is_our_target(header))
        return error_set(error, ERROR_DAMAGED, "the target has another name: see TARGET");
    snapshot->position = (struct journal_position){.offset = (uint64_t)offset, .seq = seq};
    snapshot->schema = schema_parse(features, error);
    if (!snapshot->schema)
        return false;
    struct encoding *encoding = levels_parse(snapshot->schema, header, false, error);
    if (!encoding)
        return false;
    snapshot->folds = folds_of(encoding, format == FORMAT_PARTS ? FOLDS : 1);
    if (!snapshot->folds)
        return error_memory(error);
    moments_set_rows(snapshot->folds->moments[0], rows);
    reach_free(snapshot->folds->reach);
    snapshot->folds->reach = reach_parse(header, encoding_numbers(snapshot->folds->encoding));
    if (!snapshot->folds->reach)
        return error_memory(error);
    return (read_forgetting(snapshot->folds, header) ||
            error_set(error, ERROR_DAMAGED, "the header does not say how rows are forgotten")) &&
           read_recent(snapshot, header, error) && read_live(snapshot, header, error);
}

/* The rest of the header, which is about the terms. */
static bool read_metric(struct snapshot *snapshot, const struct json *header, struct error *error)
{
    struct term_maps *maps = snapshot->folds->maps;
    return !maps || metric_parse(maps, json_get_kind(header, "metric", JSON_ARRAY), error);
}

static bool read_sums(struct folds *folds, struct lines *lines, struct error *error)
{
    if (snapshot_read_sums(folds, lines))
        return true;
    return lines->no_memory ? error_memory(error)
                            : error_set(error, ERROR_DAMAGED, "a sum cannot be read");
}

static bool read_lines(struct snapshot *snapshot, struct lines *lines, struct error *error)
{
    char *first = lines_next(lines);
    struct json *header = first ? json_parse(first, strlen(first), error) : NULL;
    bool no_memory = first ? !header && error->kind == ERROR_BUSY : lines->no_memory;
    if (!header)
        return no_memory ? error_memory(error)
                         : error_set(error, ERROR_DAMAGED, "there is no header");
    bool ok = read_header(snapshot, header, error) && read_sums(snapshot->folds, lines, error) &&
              read_metric(snapshot, header, error);
    json_free(header);
    return ok;
}

/* Closes the lines, too. */
static bool read_all(struct snapshot *snapshot, struct lines *lines, struct error *error)
{
    bool ok = read_lines(snapshot, lines, error);
    lines_free(lines);
    if (!ok)
        snapshot_free(snapshot);
    return ok;
}

bool snapshot_parse(struct snapshot *snapshot, struct buffer *text, struct error *error)
{
    struct lines lines;
    *snapshot = (struct snapshot){0};
    return lines_of_text(&lines, text->data, text->length, error) &&
           read_all(snapshot, &lines, error);
}

bool snapshot_read(struct snapshot *snapshot, const char *path, struct error *error)
{
    struct lines lines;
    *snapshot = (struct snapshot){0};
    int fd = file_open_regular(AT_FDCWD, path, O_RDONLY, error);
    if (fd < 0)
        return false;
    bool ok = lines_of_file(&lines, fd, error) && read_all(snapshot, &lines, error);
    close(fd);
    return ok;
}

void snapshot_free(struct snapshot *snapshot)
{
    schema_free(snapshot->schema);
    folds_free(snapshot->folds);
    recent_free(snapshot->recent);
    *snapshot = (struct snapshot){0};
}
