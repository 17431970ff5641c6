#include "recovery.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { SENTENCE_MAX = 200 };

static void open_file(struct recovery *recovery, const char *directory)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" RECOVERY_NAME, directory) < PATH_MAX)
        recovery->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
}

bool recovery_take(struct recovery *recovery, const char *directory)
{
    if (recovery->fd < 0)
        open_file(recovery, directory);
    recovery->held = recovery->fd < 0 || flock(recovery->fd, LOCK_EX | LOCK_NB) == 0;
    return recovery->held;
}

void recovery_tell(const struct recovery *recovery, const char *sentence)
{
    if (!recovery->held || recovery->fd < 0)
        return;
    /* padded, so that each sentence covers the one before it by one write */
    char line[SENTENCE_MAX + 1];
    snprintf(line, sizeof line, "%-*.*s", SENTENCE_MAX, SENTENCE_MAX, sentence);
    line[SENTENCE_MAX - 1] = '\n';
    ssize_t wrote = pwrite(recovery->fd, line, SENTENCE_MAX, 0);
    (void)wrote; /* on a full disk nobody is told how far it is */
}

void recovery_release(struct recovery *recovery)
{
    if (recovery->held && recovery->fd >= 0)
        flock(recovery->fd, LOCK_UN);
    recovery->held = false;
}

void recovery_close(struct recovery *recovery)
{
    if (recovery->fd >= 0)
        close(recovery->fd);
    *recovery = (struct recovery)RECOVERY_INIT;
}

bool recovery_told(const struct recovery *recovery, struct error *error)
{
    char line[SENTENCE_MAX + 1];
    ssize_t got = pread(recovery->fd, line, SENTENCE_MAX, 0);
    size_t length = got > 0 ? (size_t)got : 0;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' '))
        length--;
    if (length == 0)
        return error_set(error, ERROR_BEHIND, "another process is reading what is stored");
    return error_set(error, ERROR_BEHIND, "%.*s", (int)length, line);
}
