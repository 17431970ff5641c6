#include "settings_file.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

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

static int open_lock(const struct config *config, struct error *error)
{
    char path[PATH_MAX];
    path_of(config, SETTINGS_LOCK_NAME, path);
    return file_open_regular(AT_FDCWD, path, O_RDWR | O_CREAT, error);
}

/* The launcher's own, or one that is ours alone. */
static int find_lock(const struct config *config, struct error *error)
{
    char path[PATH_MAX];
    struct stat here, there;
    path_of(config, SETTINGS_LOCK_NAME, path);
    bool held = fstat(SETTINGS_HOLD, &here) == 0 && stat(path, &there) == 0 &&
                here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    int lock = held ? fcntl(SETTINGS_HOLD, F_DUPFD_CLOEXEC, 0) : open_lock(config, error);
    if (held && lock < 0)
        error_errno(error, "cannot hold " SETTINGS_LOCK_NAME);
    return lock;
}

bool settings_file_claim(const struct config *config, struct settings_claim *claim,
                         struct error *error)
{
    *claim = (struct settings_claim){.lock = -1};
    int lock = find_lock(config, error);
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

bool settings_file_keep(const struct config *config, struct settings_claim *claim,
                        struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    path_of(config, SETTINGS_NAME, path);
    settings_write(config, &text);
    bool ok =
        text.failed ? error_memory(error) : file_replace(path, text.data, text.length, true, error);
    buffer_free(&text);
    if (!ok || !settings_differ(claim->was))
        return ok;
    settings_announce(claim->kept, claim->own);
    return flock(claim->lock, LOCK_SH | LOCK_NB) == 0 ||
           error_errno(error, "cannot lock " SETTINGS_LOCK_NAME);
}

void settings_file_end(struct settings_claim *claim)
{
    if (claim->lock >= 0)
        close(claim->lock);
    claim->lock = -1;
}

bool settings_file_hold(const struct config *config, uid_t user, gid_t group, struct error *error)
{
    int lock = open_lock(config, error);
    if (lock < 0)
        return error->kind == ERROR_FULL;
    bool ok = (geteuid() != 0 || fchown(lock, user, group) == 0 || errno == EPERM) &&
              dup2(lock, SETTINGS_HOLD) >= 0;
    if (!ok)
        error_errno(error, "cannot hold " SETTINGS_LOCK_NAME);
    close(lock);
    return ok;
}
