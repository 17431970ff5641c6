#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int open_lock_file(const char *directory, const char *name, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        error_errno(error, "cannot open %s", path);
    return fd;
}

bool lock_open(struct lock *lock, const char *directory, struct error *error)
{
    *lock = (struct lock){.fd = -1, .turn_fd = -1};
    lock->fd = open_lock_file(directory, LOCK_NAME, error);
    if (lock->fd >= 0)
        lock->turn_fd = open_lock_file(directory, LOCK_TURN_NAME, error);
    if (lock->turn_fd >= 0)
        return true;
    lock_close(lock);
    return false;
}

void lock_close(struct lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    if (lock->turn_fd >= 0)
        close(lock->turn_fd);
    *lock = (struct lock){.fd = -1, .turn_fd = -1};
}

static enum lock_result take(int fd, struct error *error)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return LOCK_HELD;
    if (errno == EWOULDBLOCK || errno == EINTR)
        return LOCK_WAIT;
    error_errno(error, "cannot lock the data directory");
    return LOCK_ERROR;
}

enum lock_result lock_try(struct lock *lock, struct error *error)
{
    enum lock_result result;
    if (lock->held)
        return LOCK_HELD;
    if (!lock->has_turn) {
        if ((result = take(lock->turn_fd, error)) != LOCK_HELD)
            return result;
        lock->has_turn = true;
    }
    if ((result = take(lock->fd, error)) != LOCK_HELD)
        return result;
    lock->held = true;
    flock(lock->turn_fd, LOCK_UN);
    lock->has_turn = false;
    return LOCK_HELD;
}

void lock_release(struct lock *lock)
{
    if (lock->held)
        flock(lock->fd, LOCK_UN);
    if (lock->has_turn)
        flock(lock->turn_fd, LOCK_UN);
    lock->held = lock->has_turn = false;
}
