#include "launch.h"

#include "clock.h"
#include "health.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_PATIENCE_SECONDS = 30,
    PROBE_INTERVAL_MS = 10,
    ORPHAN_PATIENCE_MS = 2000,
    /* for nginx to end its requests before the binaries are told to end, so that all is over within
     * the 2 s that `docker stop` is promised; see write_service for what comes after it */
    NGINX_PATIENCE_MS = 900,
};

struct group {
    struct launch *launch;
    pid_t svscan; /* 0 once it is gone */
    bool announced, stopping, failed;
    bool ending;         /* stopping, and svscan has been told so */
    int64_t nginx_limit; /* when it is told at the latest */
    time_t started;
};

static const int SIGNALS[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

sigset_t launch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        sigaddset(&set, SIGNALS[i]);
    return set;
}

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* In a session of its own, so that a terminal's Ctrl-C reaches only the launcher, and the group
 * ends in order: s6-supervise would otherwise leave its service behind. */
static void become_svscan(const struct launch *launch, pid_t launcher)
{
    char services[PATH_MAX];
    snprintf(services, sizeof services, "%s/services", launch->run);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* the group ends even when the launcher is killed */
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != launcher || null < 0 || dup2(null, STDIN_FILENO) < 0)
        _exit(1);
    execlp("s6-svscan", "s6-svscan", services, (char *)NULL);
    fprintf(stderr, "trendline: cannot run s6-svscan: %s\n", strerror(errno));
    _exit(1);
}

/* nginx removes its pid file when it ends. */
static bool nginx_is_gone(const struct launch *launch)
{
    char path[PATH_MAX + 16];
    int pid = 0;
    snprintf(path, sizeof path, "%s/nginx.pid", launch->run);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    bool read = fscanf(file, "%d", &pid) == 1 && pid > 1;
    fclose(file);
    return read && kill(pid, 0) != 0 && errno == ESRCH;
}

/* As `s6-svc -d` does: its supervisor sends the signal, and does not start it again. */
static void bring_nginx_down(const struct launch *launch)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/services/nginx/supervise/control", launch->run);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return; /* it is not up yet */
    ssize_t written = write(fd, "d", 1);
    (void)written;
    close(fd);
}

/* nginx first: a binary that ended before it would leave unanswered what nginx has accepted. */
static void stop(struct group *group)
{
    if (group->stopping)
        return;
    group->stopping = true;
    if (group->launch->preparing)
        kill(group->launch->preparing, SIGTERM);
    group->nginx_limit = clock_ms() + NGINX_PATIENCE_MS;
    bring_nginx_down(group->launch);
}

static void go_on_stopping(struct group *group)
{
    if (group->ending || (!nginx_is_gone(group->launch) && clock_ms() < group->nginx_limit))
        return;
    group->ending = true;
    if (group->svscan)
        kill(group->svscan, SIGTERM);
}

static void end_preparing(struct group *group, int status)
{
    struct launch *launch = group->launch;
    if (group->stopping)
        launch->preparing = 0;
    else if (launch_prepare_ended(launch, status) != 0)
        fprintf(stderr,
                "trendline: the data are not prepared, as said above: predictions come from "
                "the model that is there, and events and builds are told why\n");
    else if (launch->preparing == 0)
        fprintf(stderr, "trendline: the data are prepared: events and builds are taken\n");
}

/* Besides s6-svscan, whatever has lost its parent becomes our child. */
static void reap(struct group *group)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == group->svscan)
            group->svscan = 0;
        else if (pid == group->launch->preparing)
            end_preparing(group, status);
}

/* In a container only its port means something to those outside. */
static void announce(const struct launch *launch)
{
    const struct config *config = &launch->config;
    const char *rest = launch->preparing ? "; still being read: predictions come from the model "
                                           "that is there, events and builds have to wait"
                                         : "";
    if (getpid() == 1)
        printf("trendline " TRENDLINE_VERSION " ready on port %u of this container, data in %s%s\n",
               config->port, config->data_dir, rest);
    else
        printf("trendline " TRENDLINE_VERSION " ready on http://127.0.0.1:%u, data in %s%s\n",
               config->port, config->data_dir, rest);
}

static void announce_when_ready(struct group *group)
{
    const struct config *config = &group->launch->config;
    struct error error;
    if (health_check(config->port, &error)) {
        group->announced = true;
        announce(group->launch);
        fflush(stdout);
    } else if (now() - group->started > START_PATIENCE_SECONDS) {
        fprintf(stderr, "trendline: gave up waiting for the service: %s\n", error.text);
        group->failed = true;
        stop(group);
    }
}

static void watch(struct group *group, const sigset_t *signals)
{
    static const struct timespec interval = {.tv_nsec = PROBE_INTERVAL_MS * 1000000L};
    while (group->svscan) {
        bool waiting = group->stopping ? !group->ending : !group->announced;
        int signal = sigtimedwait(signals, NULL, waiting ? &interval : NULL);
        if (signal == SIGCHLD)
            reap(group);
        else if (signal > 0)
            stop(group);
        else if (waiting && !group->stopping)
            announce_when_ready(group);
        if (group->stopping)
            go_on_stopping(group);
    }
}

static bool signal_children(int signal)
{
    bool any = false;
    FILE *children = fopen("/proc/thread-self/children", "re");
    if (!children)
        return false;
    int pid;
    while (fscanf(children, "%d", &pid) == 1) {
        kill(pid, signal);
        any = true;
    }
    fclose(children);
    return any;
}

/* What a killed supervisor left behind, here or by its own children, must not outlive the group. */
static void end_orphans(struct group *group, const sigset_t *signals)
{
    static const struct timespec interval = {.tv_nsec = 10000000};
    for (int waited = 0; waited < ORPHAN_PATIENCE_MS; waited += 10) {
        reap(group);
        if (!signal_children(SIGTERM))
            return;
        sigtimedwait(signals, NULL, &interval);
    }
    signal_children(SIGKILL);
}

int launch_group(struct launch *launch)
{
    struct group group = {.launch = launch, .started = now()};
    sigset_t signals = launch_signals();
    pid_t launcher = getpid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    group.svscan = fork();
    if (group.svscan == 0)
        become_svscan(launch, launcher);
    if (group.svscan < 0) {
        fprintf(stderr, "trendline: cannot start a process: %s\n", strerror(errno));
        return 1;
    }
    watch(&group, &signals);
    end_orphans(&group, &signals);
    if (!group.stopping)
        fprintf(stderr, "trendline: s6-svscan ended by itself\n");
    return group.stopping && !group.failed ? 0 : 1;
}
