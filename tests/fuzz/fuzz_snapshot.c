/* Snapshot files: the input is one without its last line, the checksum, which it is given. */
#include "fit.h"
#include "fuzz.h"
#include "snapshot.h"

#include <zlib.h>

static bool read_snapshot(struct snapshot *snapshot, const char *path)
{
    struct error error = {0};
    bool ok = snapshot_read(snapshot, path, &error);
    WANT(ok || is_told(&error));
    return ok;
}

/* What is accepted, written and read again is what it was. */
static void check_snapshot(const struct snapshot *snapshot)
{
    char path[PATH_MAX], path_again[PATH_MAX];
    struct snapshot copy;
    struct error error;
    WANT(snapshot_write(snapshot, scratch("written", path), &error));
    WANT(read_snapshot(&copy, path));
    WANT(moments_equal(snapshot->folds->moments[0], copy.folds->moments[0]));
    WANT(schema_equal(snapshot->schema, copy.schema));
    WANT(snapshot_write(&copy, scratch("again", path_again), &error));
    struct buffer written = get_file(path), again = get_file(path_again);
    WANT(same_bytes(&written, &again));
    snapshot_free(&copy);
    buffer_free(&written);
    buffer_free(&again);
}

/* Sums that no rows can have may have no fit, but must not do harm. */
static void check_fit(const struct moments *moments)
{
    struct error error = {0};
    size_t column;
    if (moments_features(moments) > 4)
        return;
    struct fit *fit = fit_new(moments, &column, &error);
    WANT(fit || is_told(&error));
    fit_free(fit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    struct snapshot snapshot;
    buffer_append(&text, data, size);
    buffer_printf(&text, "crc %08x\n", (unsigned)crc32_z(0, data, size));
    put_file(scratch("input", path), &text);
    buffer_free(&text);
    if (!read_snapshot(&snapshot, path))
        return 0;
    check_snapshot(&snapshot);
    check_fit(snapshot.folds->moments[0]);
    snapshot_free(&snapshot);
    return 0;
}
