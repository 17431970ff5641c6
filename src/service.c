#include "service.h"

#include "access.h"
#include "launch.h"
#include "settings_file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* The sockets' names are one string, "action:build:predict-1:…". */
static int count_sockets(const char *names)
{
    int count = 1;
    for (; *names; names++)
        count += *names == ':';
    return count;
}

/* The descriptor of the socket with that name, -1 if there is none. */
static int find_socket(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (int fd = SOCKETS_FIRST;; fd++) {
        if (strncmp(names, name, length) == 0 && (names[length] == ':' || !names[length]))
            return fd;
        names = strchr(names, ':');
        if (!names)
            return -1;
        names++;
    }
}

/* Tells s6-supervise that the service is ready. It is as good as that: its socket takes requests
 * already, and s6 restarts at once only what has been ready. */
static void notify_ready(int fd)
{
    ssize_t written = write(fd, "\n", 1);
    (void)written; /* without a reader there is no one to tell */
    close(fd);
}

/* Not a moment longer than its supervisor, which would start it anew. To be called last: a change
 * of user resets it. */
static void die_with_supervisor(void)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* When nginx's master is killed its workers stay, and hold the port. They are in its process group,
 * whose number no one else can have while the master itself is gone. */
static void end_leftover_workers(const char *pid_path)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    int master = 0;
    FILE *file = fopen(pid_path, "re");
    if (!file)
        return;
    bool read = fscanf(file, "%d", &master) == 1 && master > 1;
    fclose(file);
    unlink(pid_path);
    if (!read || kill(master, 0) == 0)
        return;
    for (int tries = 0; tries < 500 && kill(-master, SIGKILL) == 0; tries++)
        nanosleep(&moment, NULL);
}

static bool exec_nginx(struct error *error)
{
    const char *nginx = getenv("TRENDLINE_NGINX");
    char run[PATH_MAX];
    if (chdir("../..") != 0 || !getcwd(run, sizeof run)) /* from RUN/services/nginx */
        return error_errno(error, "cannot go to the run directory");
    end_leftover_workers("nginx.pid");
    secret_hide(CONFIG_POSTGRES);
    access_hide(); /* nginx passes tokens on, and need not know them */
    die_with_supervisor();
    execlp(nginx, "nginx", "-e", "stderr", "-p", run, "-c", "nginx.conf", (char *)NULL);
    return error_errno(error, "cannot run %s", nginx);
}

static bool exec_binary(const char *name, struct error *error)
{
    struct owner owner;
    struct launch launch;
    char program[PATH_MAX + NAME_MAX];
    if (!launch_find_home(&launch, error) || !owner_of(getenv("DATA_DIR"), &owner, error))
        return false;
    owner_renounce();
    if (!owner_become(&owner, error))
        return false;
    snprintf(program, sizeof program, "%s/cgi-bin/%.*s", launch.home, (int)strcspn(name, "-"),
             name);
    if (strncmp(name, "predict", strlen("predict")) == 0)
        secret_hide(CONFIG_POSTGRES); /* it never talks to the database */
    die_with_supervisor();
    execl(program, name, (char *)NULL);
    return error_errno(error, "cannot run %s", program);
}

bool service_become(const char *name, struct error *error)
{
    const char *names = getenv("LISTEN_FDNAMES");
    if (!names || !getenv("TRENDLINE_NGINX") || !getenv("DATA_DIR"))
        return error_set(error, ERROR_UNUSABLE, "`service` is for the launcher's own use");
    bool is_nginx = strcmp(name, "nginx") == 0;
    int count = count_sockets(names), fd = find_socket(names, name);
    if (!is_nginx && (fd < 0 || dup2(fd, STDIN_FILENO) < 0))
        return error_errno(error, "cannot find the socket of %s", name);
    for (int other = SOCKETS_FIRST; other < SOCKETS_FIRST + count; other++)
        close(other);
    notify_ready(SOCKETS_FIRST + count);
    if (is_nginx)
        close(SETTINGS_HOLD);
    return is_nginx ? exec_nginx(error) : exec_binary(name, error);
}
