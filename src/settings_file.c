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

/* What the settings in a file of the directory are to ours. None are as good as ours. */
static bool compare(const struct config *config, const char *name, enum settings_result *result,
                    char kept[static SETTINGS_SHOWN_MAX], char own[static SETTINGS_SHOWN_MAX],
                    struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    path_of(config, name, path);
    bool read = file_read(path, TEXT_MAX, &text, error);
    bool too_long = !read && error->kind == ERROR_TOO_LARGE; /* we never write so much */
    *result = read       ? settings_compare(config, text.data, text.length, kept, own)
              : too_long ? SETTINGS_DAMAGED
                         : SETTINGS_SAME;
    buffer_free(&text);
    return read || too_long || error->kind == ERROR_ABSENT;
}

/* So are damaged ones. */
static bool compare_kept(const struct config *config, struct settings_claim *claim,
                         struct error *error)
{
    if (!compare(config, SETTINGS_NAME, &claim->was, claim->kept, claim->own, error))
        return false;
    if (claim->was == SETTINGS_DAMAGED)
        fprintf(stderr, SETTINGS_NAME ": not what was written: making it again\n");
    return true;
}

static int open_lock(const struct config *config, struct error *error)
{
    char path[PATH_MAX];
    path_of(config, SETTINGS_LOCK_NAME, path);
    /* a link would have the launcher give away, and a start write, what it leads to */
    return file_open_regular(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, error);
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

/* For whoever comes next. Should it fail, as on a full disk, that one goes by what is kept. */
static void tell(const struct config *config, int lock)
{
    struct buffer text = {0};
    settings_write(config, &text);
    bool told = !text.failed && pwrite(lock, text.data, text.length, 0) == (ssize_t)text.length &&
                ftruncate(lock, (off_t)text.length) == 0;
    (void)told; /* a part of it is damaged */
    buffer_free(&text);
}

/* Whether those who live have the same settings as ours. */
static bool check_others(const struct config *config, const struct settings_claim *claim,
                         struct error *error)
{
    struct settings_claim told = {.lock = -1};
    if (!compare(config, SETTINGS_LOCK_NAME, &told.was, told.kept, told.own, error))
        return false;
    const struct settings_claim *theirs = told.was == SETTINGS_DAMAGED ? claim : &told;
    return !settings_differ(theirs->was) ||
           settings_refuse(config->data_dir, theirs->kept, theirs->own, error);
}

/* Alone, or beside others like us. */
static bool join(const struct config *config, const struct settings_claim *claim,
                 struct error *error)
{
    if (flock(claim->lock, LOCK_EX | LOCK_NB) == 0)
        tell(config, claim->lock);
    else if (errno == EWOULDBLOCK && !check_others(config, claim, error))
        return false;
    return flock(claim->lock, LOCK_SH | LOCK_NB) == 0 ||
           error_errno(error, "cannot lock " SETTINGS_LOCK_NAME);
}

bool settings_file_claim(const struct config *config, struct settings_claim *claim,
                         struct error *error)
{
    *claim = (struct settings_claim){.lock = find_lock(config, error)};
    bool ok = claim->lock >= 0 && compare_kept(config, claim, error) && join(config, claim, error);
    if (!ok)
        settings_file_end(claim);
    return ok;
}

bool settings_file_keep(const struct config *config, const struct settings_claim *claim,
                        struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    path_of(config, SETTINGS_NAME, path);
    settings_write(config, &text);
    bool ok =
        text.failed ? error_memory(error) : file_replace(path, text.data, text.length, true, error);
    buffer_free(&text);
    if (ok && settings_differ(claim->was))
        settings_announce(claim->kept, claim->own);
    return ok;
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
