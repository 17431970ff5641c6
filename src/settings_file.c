#include "settings_file.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, CLAIM_PATIENCE_MS = 5000 };

static void path_of(const struct config *config, const char *name, char path[static PATH_MAX])
{
    /* config.h leaves room for the names of files */
    snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - NAME_MAX, config->data_dir, name);
}

/* What the directory's settings are to ours. None, or damaged ones, are as good as ours. */
static bool compare(const struct config *config, enum settings_result *result,
                    char kept[static SETTINGS_SHOWN_MAX], char own[static SETTINGS_SHOWN_MAX],
                    struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    path_of(config, SETTINGS_NAME, path);
    bool read = file_read(path, TEXT_MAX, &text, error);
    *result = read ? settings_compare(config, text.data, text.length, kept, own) : SETTINGS_SAME;
    buffer_free(&text);
    if (*result == SETTINGS_DAMAGED)
        fprintf(stderr, SETTINGS_NAME ": not what was written: making it again\n");
    return read || error->kind == ERROR_ABSENT;
}

bool settings_file_claim(const struct config *config, struct settings_claim *claim,
                         struct error *error)
{
    char path[PATH_MAX];
    *claim = (struct settings_claim){.lock = -1};
    path_of(config, SETTINGS_LOCK_NAME, path);
    int lock = file_open_regular(AT_FDCWD, path, O_RDWR | O_CREAT, error);
    bool ok = lock >= 0 && compare(config, &claim->was, claim->kept, claim->own, error);
    int operation = ok && settings_differ(claim->was) ? LOCK_EX : LOCK_SH;
    if (ok && flock(lock, operation | LOCK_NB) != 0)
        ok = errno == EWOULDBLOCK
                 ? settings_refuse(config->data_dir, claim->kept, claim->own, error)
                 : error_errno(error, "cannot lock " SETTINGS_LOCK_NAME);
    claim->lock = lock;
    if (!ok)
        settings_file_end(claim);
    return ok;
}

bool settings_file_keep(const struct config *config, struct settings_claim *claim, bool pending,
                        struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    path_of(config, SETTINGS_NAME, path);
    settings_write(config, pending, &text);
    bool ok =
        text.failed ? error_memory(error) : file_replace(path, text.data, text.length, true, error);
    buffer_free(&text);
    if (!ok || !settings_differ(claim->was))
        return ok;
    settings_announce(claim->kept, claim->own);
    claim->was = SETTINGS_SAME;
    return flock(claim->lock, LOCK_SH | LOCK_NB) == 0 ||
           error_errno(error, "cannot lock " SETTINGS_LOCK_NAME);
}

void settings_file_end(struct settings_claim *claim)
{
    if (claim->lock >= 0)
        close(claim->lock);
    claim->lock = -1;
}

/* A start that makes other settings the directory's holds the lock for a moment. */
static bool wait_for(int lock, struct error *error)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int waited = 0; waited < CLAIM_PATIENCE_MS; waited += 5) {
        if (flock(lock, LOCK_SH | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(error, "cannot lock " SETTINGS_LOCK_NAME);
        nanosleep(&pause, NULL);
    }
    return error_set(error, ERROR_BUSY, SETTINGS_LOCK_NAME ": another start holds it");
}

bool settings_file_hold(const struct config *config, int *fd, struct error *error)
{
    char path[PATH_MAX], kept[SETTINGS_SHOWN_MAX], own[SETTINGS_SHOWN_MAX];
    enum settings_result now;
    path_of(config, SETTINGS_LOCK_NAME, path);
    *fd = file_open_regular(AT_FDCWD, path, O_RDONLY, error);
    if (*fd < 0)
        return error->kind == ERROR_ABSENT;
    if (wait_for(*fd, error) && compare(config, &now, kept, own, error) &&
        (!settings_differ(now) || settings_refuse(config->data_dir, kept, own, error)))
        return true;
    close(*fd);
    *fd = -1;
    return false;
}
