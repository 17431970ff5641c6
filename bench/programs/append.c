/* append FILE SECONDS LINE: appends LINE and calls fdatasync, one after the other, for that long;
 * prints how many a second. What durability costs without group commit. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: append FILE SECONDS LINE\n");
        return EXIT_FAILURE;
    }
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
    size_t length = strlen(argv[3]);
    argv[3][length] = '\n'; /* in place of the NUL */
    double begun = now(), end = begun + atof(argv[2]), at = begun;
    long count = 0;
    for (; at < end; at = now(), count++)
        if (write(fd, argv[3], length + 1) != (ssize_t)length + 1 || fdatasync(fd) != 0) {
            perror(argv[1]);
            return EXIT_FAILURE;
        }
    printf("%.1f\n", (double)count / (at - begun));
    return EXIT_SUCCESS;
}
