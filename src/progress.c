#include "progress.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BAR_WIDTH = 40, STEPS = 200, COUNT_STEP = 10000 };

void progress_begin(struct progress *progress, const char *label, const char *path)
{
    struct stat status;
    *progress = (struct progress){.label = label, .next = UINT64_MAX};
    if (!isatty(STDERR_FILENO) || stat(path, &status) != 0 || status.st_size <= 0)
        return;
    progress->total = (uint64_t)status.st_size;
    progress->step = progress->total / STEPS + 1;
    progress->next = progress->step;
}

void progress_begin_count(struct progress *progress, const char *label, uint64_t total)
{
    *progress = (struct progress){.label = label, .total = total, .next = UINT64_MAX};
    if (!isatty(STDERR_FILENO))
        return;
    progress->step = total ? total / STEPS + 1 : COUNT_STEP;
    progress->next = progress->step;
}

static void draw_bar(const struct progress *progress, uint64_t done)
{
    static const char full[] = "########################################";
    if (done > progress->total) /* the file is growing */
        done = progress->total;
    double share = (double)done / (double)progress->total;
    int width = (int)(share * BAR_WIDTH);
    fprintf(stderr, "\r%s [%-*.*s] %3d%%", progress->label, BAR_WIDTH, width, full,
            (int)(share * 100));
}

void progress_draw(struct progress *progress, uint64_t done)
{
    if (progress->total)
        draw_bar(progress, done);
    else
        fprintf(stderr, "\r%s %llu", progress->label, (unsigned long long)done);
    fflush(stderr);
    progress->drawn = true;
    progress->next = done + progress->step;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\x1B[K", stderr); /* clears the line */
    progress->drawn = false;
    progress->next = UINT64_MAX;
}
