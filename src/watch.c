#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum watch_result watch_look(struct watch *watch, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && watch->fd >= 0 && status.st_ino == watch->inode &&
        status.st_dev == watch->device)
        return WATCH_SAME;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        watch_close(watch);
        return WATCH_ABSENT;
    }
    if (fd < 0)
        return WATCH_ERROR;
    /* a pipe, say, would make a reader wait for ever */
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        errno = EINVAL;
        return WATCH_ERROR;
    }
    watch_close(watch);
    *watch = (struct watch){.fd = fd, .device = status.st_dev, .inode = status.st_ino};
    return WATCH_CHANGED;
}

void watch_close(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}
