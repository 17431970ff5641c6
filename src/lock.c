#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct lock closed = {.directory_fd = -1, .fd = -1, .turn_fd = -1};

static int open_lock_file(int directory_fd, const char *name)
{
    return openat(directory_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

bool lock_open(struct lock *lock, const char *directory, struct error *error)
{
    *lock = closed;
    lock->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock->directory_fd < 0)
        return error_errno(error, "cannot open %s", directory);
    lock->fd = open_lock_file(lock->directory_fd, LOCK_NAME);
    if (lock->fd >= 0)
        lock->turn_fd = open_lock_file(lock->directory_fd, LOCK_TURN_NAME);
    if (lock->turn_fd >= 0)
        return true;
    error_errno(error, "cannot write in %s", directory);
    lock_close(lock);
    return false;
}

static void close_file(int fd)
{
    if (fd >= 0)
        close(fd);
}

void lock_close(struct lock *lock)
{
    close_file(lock->fd);
    close_file(lock->turn_fd);
    close_file(lock->directory_fd);
    *lock = closed;
}

/* Whether `fd` is still the file called `name`: somebody may have removed it, and others lock a new
 * one. */
static bool is_in_place(int directory_fd, const char *name, int fd)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && fstatat(directory_fd, name, &there, 0) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static enum lock_result take(const struct lock *lock, const char *name, int *fd,
                             struct error *error)
{
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK || errno == EINTR)
            return LOCK_WAIT;
        error_errno(error, "cannot lock the data directory");
        return LOCK_ERROR;
    }
    if (is_in_place(lock->directory_fd, name, *fd))
        return LOCK_HELD;
    int fresh = open_lock_file(lock->directory_fd, name);
    if (fresh < 0) {
        error_errno(error, "cannot open the lock of the data directory");
        flock(*fd, LOCK_UN);
        return LOCK_ERROR;
    }
    close(*fd);
    *fd = fresh;
    return LOCK_WAIT;
}

enum lock_result lock_try(struct lock *lock, struct error *error)
{
    enum lock_result result;
    if (lock->held)
        return LOCK_HELD;
    if (!lock->has_turn) {
        if ((result = take(lock, LOCK_TURN_NAME, &lock->turn_fd, error)) != LOCK_HELD)
            return result;
        lock->has_turn = true;
    }
    if ((result = take(lock, LOCK_NAME, &lock->fd, error)) != LOCK_HELD)
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
