#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_SIZE = 64 << 10, READ_SIZE = 64 << 10 };

/* "DIRECTORY/.NAME.tmp" for "DIRECTORY/NAME". */
static bool set_paths(struct file_writer *writer, const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int length = snprintf(writer->temporary, sizeof writer->temporary, "%.*s.%s.tmp",
                          (int)(name - path), path, name);
    if ((size_t)length >= sizeof writer->temporary)
        return error_set(error, ERROR_UNUSABLE, "the path is too long: %.100s…", path);
    strcpy(writer->path, path); /* shorter than the temporary one */
    return true;
}

/* Whether the open file is still the one that the path leads to: its last owner may have renamed it
 * between our open and our lock. */
static bool is_at_path(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : "a device or a socket";
}

int file_open_regular(int directory, const char *name, int flags, struct error *error)
{
    struct stat status;
    int fd = openat(directory, name, flags | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd < 0) {
        bool absent = errno == ENOENT && !(flags & O_CREAT);
        error_errno(error, "cannot %s %s", flags & O_CREAT ? "create" : "open", name);
        if (absent)
            error->kind = ERROR_ABSENT;
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    error_set(error, ERROR_SYSTEM, "%s is %s, and must be a regular file", name,
              kind_of(status.st_mode));
    close(fd);
    return -1;
}

/* Opens and locks the temporary file of `path`, or returns -1. */
static int open_locked(const char *temporary, const char *path, struct error *error)
{
    for (;;) {
        int fd = file_open_regular(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_NOFOLLOW, error);
        if (fd < 0)
            return -1;
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && is_at_path(fd, temporary))
            return fd;
        if (!locked && errno == EWOULDBLOCK)
            error_set(error, ERROR_BUSY, "another process is writing %s", path);
        else if (!locked)
            error_errno(error, "cannot lock %s", temporary);
        close(fd);
        if (!locked)
            return -1;
    }
}

bool file_begin(struct file_writer *writer, const char *path, struct error *error)
{
    writer->pending = (struct buffer){0};
    if (!set_paths(writer, path, error))
        return false;
    writer->fd = open_locked(writer->temporary, path, error);
    if (writer->fd < 0)
        return false;
    if (ftruncate(writer->fd, 0) == 0)
        return true;
    error_errno(error, "cannot truncate %s", writer->temporary);
    file_abort(writer);
    return false;
}

static bool write_pending(struct file_writer *writer, struct error *error)
{
    const char *at = writer->pending.data;
    size_t left = writer->pending.length;
    while (left) {
        ssize_t written = write(writer->fd, at, left);
        if (written < 0 && errno != EINTR)
            return error_errno(error, "cannot write %s", writer->path);
        if (written > 0) {
            at += written;
            left -= (size_t)written;
        }
    }
    buffer_clear(&writer->pending);
    return true;
}

bool file_write(struct file_writer *writer, const void *data, size_t length, struct error *error)
{
    buffer_append(&writer->pending, data, length);
    if (writer->pending.failed)
        return error_memory(error);
    return writer->pending.length < WRITE_SIZE || write_pending(writer, error);
}

/* The directory's entry for `path` reaches the disk. Some file systems cannot sync a directory and
 * say EINVAL: there is no more to be had there. */
static bool sync_directory(const char *path, struct error *error)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, "cannot open %s", directory);
    bool synced = fsync(fd) == 0 || errno == EINVAL;
    if (!synced)
        error_errno(error, "cannot sync %s", directory);
    close(fd);
    return synced;
}

static bool write_and_rename(struct file_writer *writer, bool durable, struct error *error)
{
    if (!write_pending(writer, error))
        return false;
    if (durable && fsync(writer->fd) != 0)
        return error_errno(error, "cannot sync %s", writer->temporary);
    if (rename(writer->temporary, writer->path) != 0)
        return error_errno(error, "cannot rename %s to %s", writer->temporary, writer->path);
    return true;
}

/* The lock ends with the descriptor, and so must come last. */
static void finish(struct file_writer *writer)
{
    buffer_free(&writer->pending);
    close(writer->fd);
}

bool file_commit(struct file_writer *writer, bool durable, struct error *error)
{
    if (!write_and_rename(writer, durable, error)) {
        file_abort(writer);
        return false;
    }
    finish(writer);
    return !durable || sync_directory(writer->path, error);
}

void file_abort(struct file_writer *writer)
{
    unlink(writer->temporary);
    finish(writer);
}

bool file_replace(const char *path, const void *data, size_t length, bool durable,
                  struct error *error)
{
    struct file_writer writer;
    if (!file_begin(&writer, path, error))
        return false;
    if (file_write(&writer, data, length, error))
        return file_commit(&writer, durable, error);
    file_abort(&writer);
    return false;
}

static bool read_all(int fd, const char *path, size_t limit, struct buffer *content,
                     struct error *error)
{
    size_t before = content->length;
    for (;;) {
        char *room = buffer_reserve(content, READ_SIZE);
        if (!room)
            return error_memory(error);
        ssize_t got = read(fd, room, READ_SIZE);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return error_errno(error, "cannot read %s", path);
        if (got > 0)
            content->length += (size_t)got;
        if (content->length - before > limit)
            return error_set(error, ERROR_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
    }
}

bool file_read(const char *path, size_t limit, struct buffer *content, struct error *error)
{
    int fd = file_open_regular(AT_FDCWD, path, O_RDONLY, error);
    if (fd < 0)
        return false;
    bool complete = read_all(fd, path, limit, content, error);
    close(fd);
    return complete;
}
