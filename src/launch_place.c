#include "launch.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool launch_find_home(struct launch *launch, struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", launch->executable, PATH_MAX - 1);
    if (length < 0)
        return error_errno(error, "cannot read /proc/self/exe");
    launch->executable[length] = '\0';
    char path[PATH_MAX];
    memcpy(path, launch->executable, sizeof path);
    snprintf(launch->home, sizeof launch->home, "%s", dirname(path));
    return true;
}

static bool is_in_path(const char *program)
{
    for (const char *at = getenv("PATH"); at && *at; at += *at == ':') {
        char path[PATH_MAX];
        int length = (int)strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", length, at, program);
        if (access(path, X_OK) == 0)
            return true;
        at += length;
    }
    return false;
}

bool launch_find_programs(struct error *error)
{
    static const char *const programs[] = {"nginx", "s6-svscan", "s6-supervise"};
    /* Debian keeps nginx where only root's PATH leads */
    const char *path = getenv("PATH");
    char longer[PATH_MAX];
    snprintf(longer, sizeof longer, "%s:/usr/sbin", path ? path : "/usr/local/bin:/usr/bin:/bin");
    setenv("PATH", longer, 1);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!is_in_path(programs[i]))
            return error_set(error, ERROR_SYSTEM,
                             "%s is not installed (Debian's packages nginx and s6 are needed)",
                             programs[i]);
    return true;
}

/* The services run elsewhere, so that they need the path from the root. */
static bool make_absolute(char path[static PATH_MAX], struct error *error)
{
    if (*path == '/')
        return true;
    char relative[PATH_MAX], directory[PATH_MAX];
    memcpy(relative, path, sizeof relative);
    if (!getcwd(directory, sizeof directory))
        return error_errno(error, "cannot tell the current directory");
    const char *name = strncmp(relative, "./", 2) == 0 ? relative + 2 : relative;
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    if (length >= PATH_MAX)
        return error_set(error, ERROR_UNUSABLE, "the path %s/%s is too long", directory, name);
    return true;
}

/* A directory made by root belongs to whom the directory above it belongs to. */
static bool make_directory(const char *path, struct error *error)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const char *parent = dirname(copy);
    if (access(parent, F_OK) != 0 && !make_directory(parent, error))
        return false;
    struct stat status;
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return error_errno(error, "cannot make the directory DATA_DIR=%s", path);
    if (geteuid() == 0 && stat(parent, &status) == 0 &&
        chown(path, status.st_uid, status.st_gid) != 0 && errno != EPERM)
        return error_errno(error, "cannot give DATA_DIR=%s to its owner", path);
    return true;
}

bool launch_open_data_dir(struct launch *launch, struct error *error)
{
    struct config *config = &launch->config;
    if (!make_absolute(config->data_dir, error) || !make_absolute(config->train_path, error))
        return false;
    if (access(config->data_dir, F_OK) != 0 && !make_directory(config->data_dir, error))
        return false;
    if (!owner_of(config->data_dir, &launch->owner, error))
        return false;
    setenv("DATA_DIR", config->data_dir, 1);
    if (config->train_path_set)
        setenv("TRAIN_FILE_PATH", config->train_path, 1);
    launch->can_switch = owner_can_switch();
    return true;
}

bool launch_make_run_directory(struct launch *launch, struct error *error)
{
    static const char *const places[] = {"/run", "/tmp", "/dev/shm"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(launch->run, sizeof launch->run, "%s/trendline.XXXXXX", places[i]);
        /* nginx's workers, which are another user, must be able to pass */
        if (mkdtemp(launch->run))
            return chmod(launch->run, 0711) == 0 ||
                   error_errno(error, "cannot open %s to others", launch->run);
    }
    return error_errno(error, "cannot make a directory for sockets in /run, /tmp or /dev/shm");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    remove(path);
    return 0;
}

void launch_remove_run_directory(const struct launch *launch)
{
    nftw(launch->run, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
