/* lock, and watch beside it: both are about files that several processes share. */
#include "check.h"
#include "file.h"
#include "lock.h"
#include "scratch.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct error error;

static struct lock open_lock(void)
{
    struct lock lock;
    CHECK(lock_open(&lock, ".", &error), "%s", error.text);
    return lock;
}

static void test_one_at_a_time(void)
{
    struct lock a = open_lock(), b = open_lock();
    CHECK_INT(LOCK_HELD, lock_try(&a, &error));
    CHECK_INT(LOCK_HELD, lock_try(&a, &error));
    CHECK_INT(LOCK_WAIT, lock_try(&b, &error));
    CHECK_INT(LOCK_HELD, lock_try(&a, &error)); /* also while another waits */
    lock_release(&a);
    CHECK_INT(LOCK_HELD, lock_try(&b, &error));
    CHECK_INT(LOCK_WAIT, lock_try(&a, &error));
    lock_release(&b);
    lock_close(&a);
    lock_close(&b);
}

/* Who has just held it comes after those who wait. */
static void test_turns(void)
{
    struct lock a = open_lock(), b = open_lock();
    for (int i = 0; i < 10; i++) {
        CHECK_INT(LOCK_HELD, lock_try(&a, &error));
        CHECK_INT(LOCK_WAIT, lock_try(&b, &error));
        lock_release(&a);
        CHECK_INT(LOCK_WAIT, lock_try(&a, &error));
        CHECK_INT(LOCK_HELD, lock_try(&b, &error));
        lock_release(&b);
    }
    /* who gives up waiting gives up the turn */
    CHECK_INT(LOCK_HELD, lock_try(&a, &error));
    CHECK_INT(LOCK_WAIT, lock_try(&b, &error));
    lock_release(&b);
    lock_release(&a);
    CHECK_INT(LOCK_HELD, lock_try(&a, &error));
    lock_close(&a);
    CHECK_INT(LOCK_HELD, lock_try(&b, &error)); /* closing releases */
    lock_close(&b);
}

/* A killed holder, or one killed while it waits, holds nobody up. */
static void test_killed_holder(void)
{
    struct lock mine = open_lock();
    for (int waits = 0; waits < 2; waits++) {
        int ready[2];
        char byte;
        CHECK(pipe(ready) == 0, "pipe");
        if (waits)
            CHECK_INT(LOCK_HELD, lock_try(&mine, &error));
        pid_t child = fork();
        if (child == 0) {
            struct lock lock;
            lock_open(&lock, ".", &error);
            if (lock_try(&lock, &error) != (waits ? LOCK_WAIT : LOCK_HELD) ||
                write(ready[1], "", 1) != 1)
                _exit(1);
            pause();
        }
        CHECK(read(ready[0], &byte, 1) == 1, "the child has it");
        lock_release(&mine);
        CHECK_INT(LOCK_WAIT, lock_try(&mine, &error));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        CHECK_INT(LOCK_HELD, lock_try(&mine, &error));
        lock_release(&mine);
        close(ready[0]);
        close(ready[1]);
    }
    lock_close(&mine);
}

static void test_lock_failures(void)
{
    struct lock lock;
    CHECK(!lock_open(&lock, "nowhere", &error), "there is no such directory");
    CHECK_STRING("cannot open nowhere: No such file or directory", error.text);
    lock_close(&lock);
    lock_close(&lock);
}

static void replace(const char *text)
{
    CHECK(file_replace("watched", text, strlen(text), false, &error), "%s", error.text);
}

static char first_byte(const struct watch *watch)
{
    char byte = 0;
    return pread(watch->fd, &byte, 1, 0) == 1 ? byte : '?';
}

static void test_watch(void)
{
    struct watch watch = WATCH_INIT;
    CHECK_INT(WATCH_ABSENT, watch_look(&watch, "watched", &error));
    replace("1");
    CHECK_INT(WATCH_CHANGED, watch_look(&watch, "watched", &error));
    CHECK_INT(WATCH_SAME, watch_look(&watch, "watched", &error));
    for (int i = 0; i < 1000; i++) { /* inode numbers recur, but not while the last is open */
        char text[2] = {(char)('a' + i % 26)};
        replace("x");
        replace(text);
        CHECK_INT(WATCH_CHANGED, watch_look(&watch, "watched", &error));
        CHECK_INT(text[0], first_byte(&watch));
    }
    remove("watched");
    CHECK_INT(WATCH_ABSENT, watch_look(&watch, "watched", &error));
    CHECK_INT(WATCH_ABSENT, watch_look(&watch, "watched", &error));
    replace("2");
    CHECK_INT(WATCH_CHANGED, watch_look(&watch, "watched", &error));
    watch_close(&watch);
    watch_close(&watch);
}

static void test_watch_without_descriptors(void)
{
    struct watch watch = WATCH_INIT;
    struct rlimit limit, none;
    replace("1");
    CHECK_INT(WATCH_CHANGED, watch_look(&watch, "watched", &error));
    replace("2");
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    CHECK_INT(WATCH_ERROR, watch_look(&watch, "watched", &error));
    CHECK_STRING("cannot open watched: Too many open files", error.text);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_INT('1', first_byte(&watch));
    CHECK_INT(WATCH_CHANGED, watch_look(&watch, "watched", &error));
    CHECK_INT('2', first_byte(&watch));
    watch_close(&watch);
}

int main(void)
{
    scratch_make();
    test_one_at_a_time();
    test_turns();
    test_killed_holder();
    test_lock_failures();
    test_watch();
    test_watch_without_descriptors();
    scratch_end();
    return check_report("lock");
}
