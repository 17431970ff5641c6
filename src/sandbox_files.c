/* Which files may be opened, by Landlock. See landlock(7); its rules are for what is beneath a
 * directory, and everything they do not name is denied. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights by the version of the interface that brought them. Their names are ours where Debian
 * 12's header is older than they are. */
enum {
    WRITE_FILE = LANDLOCK_ACCESS_FS_WRITE_FILE,
    READ_FILE = LANDLOCK_ACCESS_FS_READ_FILE,
    READ_DIR = LANDLOCK_ACCESS_FS_READ_DIR,
    REMOVE_FILE = LANDLOCK_ACCESS_FS_REMOVE_FILE,
    MAKE_DIR = LANDLOCK_ACCESS_FS_MAKE_DIR,
    MAKE_REG = LANDLOCK_ACCESS_FS_MAKE_REG,
    FILES_1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1, /* all of the first version */
    REFER = 1 << 13,                                  /* 2: rename to another directory */
    TRUNCATE = 1 << 14,                               /* 3 */
    IOCTL_DEVICE = 1 << 15,                           /* 5 */
    BIND_TCP = 1 << 0,                                /* 4 */
    CONNECT_TCP = 1 << 1,                             /* 4 */
    ABSTRACT_SOCKETS = 1 << 0,                        /* 6 */
    SIGNALS = 1 << 1                                  /* 6: to processes outside */
};

enum {
    READ = READ_FILE | READ_DIR,
    /* as every file is written here: beside its name, then renamed; or appended to */
    WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE
};

/* struct landlock_ruleset_attr of version 6. An older kernel takes it when what it does not know is
 * zero. */
struct ruleset {
    uint64_t files, network, scopes;
};

static struct ruleset everything(long version, bool network)
{
    struct ruleset all = {.files = FILES_1};
    if (version >= 2)
        all.files |= REFER;
    if (version >= 3)
        all.files |= TRUNCATE;
    if (version >= 4)
        all.network = network ? BIND_TCP : BIND_TCP | CONNECT_TCP;
    if (version >= 5)
        all.files |= IOCTL_DEVICE;
    if (version >= 6)
        all.scopes = ABSTRACT_SOCKETS | SIGNALS;
    return all;
}

static bool allow(int rules, const char *path, uint64_t rights, struct error *error)
{
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = rights, .parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (beneath.parent_fd < 0)
        return error_errno(error, "cannot open %s", path);
    bool ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 ||
              error_errno(error, "cannot limit the access to %s", path);
    close(beneath.parent_fd);
    return ok;
}

/* The directory in which the train file's name is, and that of the file itself when the name is a
 * link. What is missing now cannot be read before the next start. */
static bool allow_train(int rules, const char *train_path, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", train_path);
    const char *directory = dirname(path);
    if (access(directory, F_OK) == 0 && !allow(rules, directory, READ, error))
        return false;
    char *file = realpath(train_path, NULL);
    bool ok = !file || allow(rules, dirname(file), READ, error);
    free(file);
    return ok;
}

/* Names, addresses, services, users and certificates, as far as this machine has them. */
static bool allow_network(int rules, struct error *error)
{
    static const char *const directories[] = {"/etc", "/usr/lib/ssl", "/usr/share/ca-certificates",
                                              "/usr/local/share/ca-certificates",
                                              "/var/run/postgresql"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (access(directories[i], X_OK) == 0 && !allow(rules, directories[i], READ, error))
            return false;
    return true;
}

static bool allow_role(int rules, const struct ruleset *all, enum sandbox_role role,
                       const struct config *config, struct error *error)
{
    uint64_t rights = (role == SANDBOX_PREDICT ? READ : WRITE) & all->files;
    return allow(rules, config->data_dir, rights, error) &&
           (!sandbox_has_network(role, config) || allow_network(rules, error)) &&
           (role != SANDBOX_BUILD || allow_train(rules, config->train_path, error));
}

bool sandbox_limit_files(enum sandbox_role role, const struct config *config, struct error *error)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) /* not built in, not switched on, or not for a container like this one */
        return true;
    struct ruleset all = everything(version, sandbox_has_network(role, config));
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return error_errno(error, "cannot limit the access to files");
    bool ok = allow_role(rules, &all, role, config, error) &&
              (syscall(SYS_landlock_restrict_self, rules, 0) == 0 ||
               error_errno(error, "cannot limit the access to files"));
    close(rules);
    return ok;
}
