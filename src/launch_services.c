#include "launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_text(const char *directory, const char *name, const char *text,
                       struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0)
        written = false;
    return written || error_errno(error, "cannot write %s", path);
}

static bool write_number(const char *directory, const char *name, size_t number,
                         struct error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%zu\n", number);
    return write_text(directory, name, text, error);
}

/* The run directory may forbid execution (/run and /dev/shm often do), so that the scripts in it
 * are links to those beside the executable. */
static bool link_script(const struct launch *launch, const char *name, const char *directory,
                        struct error *error)
{
    char script[PATH_MAX + 32], path[PATH_MAX];
    snprintf(script, sizeof script, "%s/services/%s", launch->home, name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (access(script, X_OK) != 0)
        return error_errno(error, "cannot run %s", script);
    return symlink(script, path) == 0 || error_errno(error, "cannot make %s", path);
}

/* The processes of a service hold a lock as long as they live, so that it never runs twice. s6
 * expects its file to be there, though nothing else makes it. */
static bool prepare_lock(const char *directory, size_t fd, struct error *error)
{
    char supervise[PATH_MAX];
    snprintf(supervise, sizeof supervise, "%s/supervise", directory);
    if (mkdir(supervise, 0700) != 0)
        return error_errno(error, "cannot make %s", supervise);
    return write_text(supervise, "service-lock", "", error) &&
           write_number(directory, "lock-fd", fd, error);
}

static bool write_service(const struct launch *launch, const char *name, struct error *error)
{
    char directory[PATH_MAX - NAME_MAX];
    size_t after_sockets = SOCKETS_FIRST + launch_socket_count(launch);
    snprintf(directory, sizeof directory, "%s/services/%s", launch->run, name);
    if (mkdir(directory, 0700) != 0)
        return error_errno(error, "cannot make %s", directory);
    return link_script(launch, "run", directory, error) &&
           /* the 2 s that `docker stop` is promised: see NGINX_PATIENCE_MS */
           write_number(directory, "timeout-kill", strcmp(name, "nginx") == 0 ? 800 : 1000,
                        error) &&
           /* without a sign of readiness s6 waits for a second before it restarts a service */
           write_number(directory, "notification-fd", after_sockets, error) &&
           prepare_lock(directory, after_sockets + 1, error);
}

/* nginx ends its open requests on SIGQUIT, and cuts them off on SIGTERM. */
static bool let_nginx_quit(const struct launch *launch, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/services/nginx", launch->run);
    return write_number(path, "down-signal", 3 /* SIGQUIT */, error);
}

/* Makes the scan directory, with what s6-svscan does at its own end. */
static bool make_scan_directory(const struct launch *launch, struct error *error)
{
    char path[PATH_MAX];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/services%s", launch->run, i == 0 ? "" : "/.s6-svscan");
        if (mkdir(path, 0700) != 0)
            return error_errno(error, "cannot make %s", path);
    }
    return link_script(launch, "finish", path, error);
}

bool launch_write_services(const struct launch *launch, struct error *error)
{
    if (!make_scan_directory(launch, error))
        return false;
    for (size_t i = 0; i < launch_socket_count(launch); i++) {
        char name[SERVICE_NAME_MAX];
        launch_socket_name(launch, i, name);
        if (!write_service(launch, name, error))
            return false;
    }
    setenv("TRENDLINE", launch->executable, 1);
    setenv("TRENDLINE_NGINX", launch->nginx, 1);
    return write_service(launch, "nginx", error) && let_nginx_quit(launch, error);
}
