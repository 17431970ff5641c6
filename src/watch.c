#include "watch.h"

#include "file.h"

#include <fcntl.h>
#include <unistd.h>

enum watch_result watch_look(struct watch *watch, const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) == 0 && watch->fd >= 0 && status.st_ino == watch->inode &&
        status.st_dev == watch->device)
        return WATCH_SAME;
    int fd = file_open_regular(AT_FDCWD, path, O_RDONLY, error);
    if (fd < 0 && error->kind == ERROR_ABSENT) {
        watch_close(watch);
        return WATCH_ABSENT;
    }
    if (fd < 0)
        return WATCH_ERROR;
    if (fstat(fd, &status) != 0) {
        error_errno(error, "cannot look at %s", path);
        close(fd);
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
