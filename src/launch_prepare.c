/* Preparing the data: `trendline prepare` as the owner of DATA_DIR, in a process of its own, which
 * takes with it what memory the learning took. The group is started when it is done, or after a
 * second all the same: what is stored may take minutes to read, and predictions need not wait. */
#include "launch.h"

#include "access.h"
#include "clock.h"
#include "ids.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 1000,
    QUICK_MS = 1000,    /* whoever dies sooner would do so again and again */
    QUICK_ENDS_MAX = 2, /* but once: a damaged index of ids has been removed by then */
};

static int fail(const struct error *error)
{
    fprintf(stderr, "trendline: %s\n", error->text);
    return 1;
}

static void become_prepare(const struct launch *launch, pid_t launcher)
{
    struct error error;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    access_hide();
    owner_renounce();
    if (!owner_become(&launch->owner, &error))
        _exit(fail(&error));
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* last: a change of user resets it */
    if (getppid() != launcher)
        _exit(1);
    execl(launch->executable, "trendline", "prepare", (char *)NULL);
    fprintf(stderr, "trendline: cannot run %s: %s\n", launch->executable, strerror(errno));
    _exit(1);
}

static bool start(struct launch *launch)
{
    pid_t launcher = getpid(), child = fork();
    if (child == 0)
        become_prepare(launch, launcher);
    if (child < 0)
        fprintf(stderr, "trendline: cannot start a process: %s\n", strerror(errno));
    launch->preparing = child > 0 ? child : 0;
    launch->preparing_since = clock_ms();
    return child > 0;
}

/* A killed process lost no more than seconds' work; a damaged index of ids ends it, and is made
 * again by the next one. */
static bool start_again(struct launch *launch, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "trendline: preparing the data was ended by signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) != IDS_EXIT_DAMAGED)
        return false;
    if (clock_ms() - launch->preparing_since < QUICK_MS)
        launch->quick_ends++;
    return launch->quick_ends < QUICK_ENDS_MAX && start(launch);
}

int launch_prepare_ended(struct launch *launch, int status)
{
    launch->preparing = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (start_again(launch, status))
        return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Waits for one signal. Returns the code to end with, or LAUNCH_GO_ON. */
static int wait_signal(struct launch *launch, int64_t patience)
{
    const sigset_t signals = launch_signals();
    const struct timespec limit = {.tv_sec = patience / 1000, .tv_nsec = patience % 1000 * 1000000};
    int signal = sigtimedwait(&signals, NULL, &limit), status;
    if (signal > 0 && signal != SIGCHLD) {
        kill(launch->preparing, SIGTERM);
        return 0;
    }
    if (waitpid(launch->preparing, &status, WNOHANG) != launch->preparing)
        return LAUNCH_GO_ON;
    int code = launch_prepare_ended(launch, status);
    return code == 0 ? LAUNCH_GO_ON : code;
}

int launch_prepare(struct launch *launch)
{
    const sigset_t signals = launch_signals();
    int64_t end = clock_ms() + PATIENCE_MS, left;
    int code = LAUNCH_GO_ON;
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (!start(launch))
        return 1;
    while (code == LAUNCH_GO_ON && launch->preparing && (left = end - clock_ms()) > 0)
        code = wait_signal(launch, left);
    return code;
}
