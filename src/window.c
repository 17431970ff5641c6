#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct place {
    int64_t seq;
    size_t row;
};

/* The places are a heap by number, the least one first (Williams 1964): events come nearly in
 * order, but not quite. */
struct window {
    size_t rows, cells, used;
    struct place *places;
    double values[];
};

struct window *window_new(size_t rows, size_t cells)
{
    struct window *window = malloc(sizeof *window + rows * cells * sizeof *window->values);
    struct place *places = malloc(rows * sizeof *places);
    if (!window || !places) {
        free(window);
        free(places);
        return NULL;
    }
    *window = (struct window){.rows = rows, .cells = cells, .places = places};
    return window;
}

void window_free(struct window *window)
{
    if (!window)
        return;
    free(window->places);
    free(window);
}

size_t window_count(const struct window *window)
{
    return window->used;
}

const double *window_row(const struct window *window, size_t i)
{
    return window->values + i * window->cells;
}

bool window_takes(const struct window *window, int64_t seq)
{
    return window->used < window->rows || seq > window->places[0].seq;
}

const double *window_oldest(const struct window *window)
{
    return window->used == window->rows ? window_row(window, window->places[0].row) : NULL;
}

/* From a leaf up to where it belongs. */
static void move_up(struct place *places, size_t at)
{
    struct place moved = places[at];
    for (; at > 0 && moved.seq < places[(at - 1) / 2].seq; at = (at - 1) / 2)
        places[at] = places[(at - 1) / 2];
    places[at] = moved;
}

/* From the root down. */
static void move_down(struct place *places, size_t count)
{
    struct place moved = places[0];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < count) {
        child += child + 1 < count && places[child + 1].seq < places[child].seq;
        if (moved.seq <= places[child].seq)
            break;
        places[at] = places[child];
        at = child;
    }
    places[at] = moved;
}

void window_add(struct window *window, int64_t seq, const double *row)
{
    bool full = window->used == window->rows;
    struct place *place = &window->places[full ? 0 : window->used];
    if (!full)
        place->row = window->used;
    place->seq = seq;
    memcpy(window->values + place->row * window->cells, row, window->cells * sizeof *row);
    if (full)
        move_down(window->places, window->used);
    else
        move_up(window->places, window->used++);
}

void window_range(const struct window *window, size_t cell, double *least, double *greatest)
{
    *least = INFINITY;
    *greatest = -INFINITY;
    for (size_t i = 0; i < window->used; i++) {
        double value = window_row(window, i)[cell];
        *least = value < *least ? value : *least;
        *greatest = value > *greatest ? value : *greatest;
    }
}
