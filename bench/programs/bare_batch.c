/* bare_batch FILE...: the least that `batch` can do on one core: every number of the tables goes
 * through our parser, and into one sum. The files are as `generate` writes them. */
#include "number.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

/* Parses the complete cells; returns how many bytes they took. A header's names count as 0. */
static size_t parse_cells(const char *text, size_t length, double *sum)
{
    const char *start = text, *end = text + length;
    for (;;) {
        double value = 0;
        const char *stop = number_read(start, end, &value);
        for (stop = stop ? stop : start; stop < end && *stop != '\t' && *stop != '\n';)
            stop++;
        if (stop == end)
            return (size_t)(start - text);
        *sum += value;
        start = stop + 1;
    }
}

static bool read_table(const char *path, double *sum)
{
    static char block[BLOCK];
    int fd = open(path, O_RDONLY);
    size_t kept = 0;
    ssize_t got = -1;
    while (fd >= 0 && (got = read(fd, block + kept, sizeof block - kept)) > 0) {
        size_t length = kept + (size_t)got, used = parse_cells(block, length, sum);
        kept = length - used;
        memmove(block, block + used, kept);
    }
    if (got < 0)
        perror(path);
    close(fd);
    return got == 0;
}

int main(int argc, char **argv)
{
    double sum = 0;
    for (int i = 1; i < argc; i++)
        if (!read_table(argv[i], &sum))
            return EXIT_FAILURE;
    printf("%g\n", sum);
    return EXIT_SUCCESS;
}
