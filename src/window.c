#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct window {
    size_t rows, cells;
    size_t used,
        next; /* how many there are; where the next one goes, which is the oldest's place */
    double values[];
};

struct window *window_new(size_t rows, size_t cells)
{
    struct window *window = malloc(sizeof *window + rows * cells * sizeof *window->values);
    if (window)
        *window = (struct window){.rows = rows, .cells = cells};
    return window;
}

void window_free(struct window *window)
{
    free(window);
}

const double *window_oldest(const struct window *window)
{
    return window->used == window->rows ? window->values + window->next * window->cells : NULL;
}

void window_add(struct window *window, const double *row)
{
    memcpy(window->values + window->next * window->cells, row, window->cells * sizeof *row);
    window->next = (window->next + 1) % window->rows;
    window->used += window->used < window->rows;
}

void window_range(const struct window *window, size_t cell, double *least, double *greatest)
{
    const double *value = window->values + cell;
    *least = INFINITY;
    *greatest = -INFINITY;
    for (size_t i = 0; i < window->used; i++, value += window->cells) {
        *least = *value < *least ? *value : *least;
        *greatest = *value > *greatest ? *value : *greatest;
    }
}
