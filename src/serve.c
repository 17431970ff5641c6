#include "serve.h"

#include "access.h"
#include "launch.h"
#include "sandbox.h"
#include "settings_file.h"
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FILES_WANTED = 16384 };

static int fail(const struct error *error)
{
    fprintf(stderr, "trendline: %s\n", error->text);
    return 1;
}

/* The first process of a container, or what its --init started. */
static bool in_container(void)
{
    return getpid() == 1 || (getppid() == 1 && (access("/.dockerenv", F_OK) == 0 ||
                                                access("/run/.containerenv", F_OK) == 0));
}

static unsigned long long mount_of(const char *path)
{
    struct statx status;
    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &status) != 0 || !(status.stx_mask & STATX_MNT_ID))
        return 0;
    return status.stx_mnt_id;
}

/* In a database they do not. */
static void warn_without_volume(const struct config *config)
{
    unsigned long long root = mount_of("/");
    if (config->postgres.length == 0 && in_container() && root != 0 &&
        mount_of(config->data_dir) == root)
        fprintf(stderr,
                "trendline: warning: no volume is mounted on DATA_DIR=%s: the data die with this "
                "container\n",
                config->data_dir);
}

/* Said here, once, because every binary would say the same. */
static void warn_without_seccomp(void)
{
    if (!sandbox_has_seccomp())
        fprintf(stderr, "trendline: warning: this kernel has no seccomp: the binaries run without "
                        "their filter of system calls\n");
}

/* Said of the whole service, which shares the memory of its container. */
static bool settle_memory(const struct config *config, struct error *error)
{
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)config->memory);
    if (config->may_choose && !config->has_terms)
        fprintf(stderr,
                "trendline: warning: this container may use %llu MB of memory, and models of terms "
                "need %d: MODEL=auto chooses among linear and ridge (-m %dm gives it all)\n",
                (unsigned long long)(config->memory >> 20), CONFIG_TERMS_MEMORY >> 20,
                CONFIG_TERMS_MEMORY >> 20);
    return setenv(CONFIG_MEMORY, bytes, 1) == 0 || error_memory(error);
}

static void raise_open_files(struct launch *launch)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < OPEN_FILES_WANTED) {
        rlim_t highest = limit.rlim_max;
        limit.rlim_cur = highest < OPEN_FILES_WANTED ? highest : OPEN_FILES_WANTED;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    launch->open_files_max = limit.rlim_cur;
}

static int launch_in_run_directory(struct launch *launch)
{
    struct error error;
    if (launch_bind_sockets(launch, &error) && launch_write_nginx_conf(launch, &error) &&
        launch_write_services(launch, &error))
        return launch_group(launch);
    return fail(&error);
}

/* All processes write there, nginx by a description of its own: each line goes behind the last. */
static void append_to_logs(void)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0)
            fcntl(fd, F_SETFL, flags | O_APPEND);
    }
}

int serve(const struct config *config)
{
    struct launch launch = {.config = *config};
    struct access access;
    struct error error;
    append_to_logs();
    if (!store_check(config, &error) || !access_read(&access, &error) ||
        !access_hand_down(&access, &error) ||
        !secret_hand_down(&launch.config.postgres, CONFIG_POSTGRES, &error) ||
        !settle_memory(&launch.config, &error) || !launch_find_home(&launch, &error) ||
        !launch_find_programs(&error) || !launch_open_data_dir(&launch, &error) ||
        !launch_check_port(&launch, &error))
        return fail(&error);
    warn_without_volume(&launch.config);
    access_warn(&access);
    warn_without_seccomp();
    if (launch.config.postgres.length == 0 &&
        !settings_file_hold(&launch.config, launch.owner.uid, launch.owner.gid, &error))
        return fail(&error);
    int code = launch_prepare(&launch);
    if (code != LAUNCH_GO_ON)
        return code;
    raise_open_files(&launch);
    if (!launch_make_run_directory(&launch, &error))
        return fail(&error);
    code = launch_in_run_directory(&launch);
    launch_remove_run_directory(&launch);
    return code;
}
