#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHILDREN = 64,
    LEVELS_MAX = 5 /* 64^5 rows */
};

struct place {
    int64_t seq;
    size_t row;
};

/* The least and greatest cells of CHILDREN rows, or of as many blocks of the level below. */
struct level {
    size_t blocks;
    double *ends;         /* a block's: its least cells, then its greatest */
    unsigned char *stale; /* by block: something below has changed since */
};

/* The places are a heap by number, the least one first (Williams 1964): events come nearly in
 * order, but not quite. The levels are a tree over the rows where they lie, up to a single block: a
 * row that comes in the place of another changes one block of each. */
struct window {
    size_t rows, cells, used;
    struct place *places;
    size_t levels;
    struct level level[LEVELS_MAX];
    double values[];
};

/* Levels up to a single block. */
static bool make_levels(struct window *window)
{
    size_t below = window->rows;
    bool ok = true;
    do {
        struct level *level = &window->level[window->levels++];
        level->blocks = (below + CHILDREN - 1) / CHILDREN;
        level->ends = malloc(2 * level->blocks * window->cells * sizeof *level->ends);
        level->stale = calloc(level->blocks, 1);
        ok = ok && level->ends && level->stale;
        below = level->blocks;
    } while (ok && below > 1);
    return ok;
}

struct window *window_new(size_t rows, size_t cells)
{
    struct window *window = malloc(sizeof *window + rows * cells * sizeof *window->values);
    if (!window)
        return NULL;
    *window = (struct window){.rows = rows, .cells = cells};
    window->places = malloc(rows * sizeof *window->places);
    if (make_levels(window) && window->places)
        return window;
    window_free(window);
    return NULL;
}

void window_free(struct window *window)
{
    if (!window)
        return;
    for (size_t i = 0; i < window->levels; i++) {
        free(window->level[i].ends);
        free(window->level[i].stale);
    }
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

static void change(struct window *window, size_t row)
{
    window->level[0].stale[row / CHILDREN] = 1;
}

void window_add(struct window *window, int64_t seq, const double *row)
{
    bool full = window->used == window->rows;
    struct place *place = &window->places[full ? 0 : window->used];
    if (!full)
        place->row = window->used;
    place->seq = seq;
    memcpy(window->values + place->row * window->cells, row, window->cells * sizeof *row);
    change(window, place->row);
    if (full)
        move_down(window->places, window->used);
    else
        move_up(window->places, window->used++);
}

void window_set(struct window *window, size_t i, size_t cell, double value)
{
    window->values[i * window->cells + cell] = value;
    change(window, i);
}

/* ------------------------------------------------------------------ reach */

static double *ends_of(const struct window *window, const struct level *level, size_t block)
{
    return level->ends + 2 * block * window->cells;
}

/* Widens the ends by cells that reach from `least` to `greatest`. */
static void widen(double *restrict ends, const double *least, const double *greatest, size_t cells)
{
    for (size_t j = 0; j < cells; j++) {
        if (least[j] < ends[j])
            ends[j] = least[j];
        if (greatest[j] > ends[cells + j])
            ends[cells + j] = greatest[j];
    }
}

/* Anew from its rows, or from the blocks of the level below. */
static void renew_block(struct window *window, size_t at, size_t block)
{
    const struct level *below = at > 0 ? &window->level[at - 1] : NULL;
    size_t cells = window->cells,
           count = below ? (window->used + CHILDREN - 1) / CHILDREN : window->used;
    double *ends = ends_of(window, &window->level[at], block);
    for (size_t level = 1; level < at; level++)
        count = (count + CHILDREN - 1) / CHILDREN;
    for (size_t j = 0; j < cells; j++) {
        ends[j] = INFINITY;
        ends[cells + j] = -INFINITY;
    }
    for (size_t i = block * CHILDREN; i < (block + 1) * CHILDREN && i < count; i++) {
        const double *child = below ? ends_of(window, below, i) : window_row(window, i);
        widen(ends, child, below ? child + cells : child, cells);
    }
}

/* Marks the blocks of the next level that have changed by it. */
static void renew_level(struct window *window, size_t at)
{
    struct level *level = &window->level[at];
    unsigned char *stale = level->stale, *end = stale + level->blocks;
    while (stale < end && (stale = memchr(stale, 1, (size_t)(end - stale)))) {
        size_t block = (size_t)(stale - level->stale);
        renew_block(window, at, block);
        *stale++ = 0;
        if (at + 1 < window->levels)
            window->level[at + 1].stale[block / CHILDREN] = 1;
    }
}

struct window_ends window_reach(struct window *window)
{
    const struct level *top = &window->level[window->levels - 1];
    size_t cells = window->cells;
    if (window->used == 0)
        renew_block(window, window->levels - 1, 0);
    for (size_t at = 0; at < window->levels; at++)
        renew_level(window, at);
    for (size_t j = 0; j < cells; j++)
        if (top->ends[j] > top->ends[cells + j])
            top->ends[j] = top->ends[cells + j] = NAN;
    return (struct window_ends){top->ends, top->ends + cells};
}
