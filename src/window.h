/* Window: the rows of the events with the greatest numbers, so that each can be taken out of the
 * sums when it is no longer one of them, and how far they reach. Replicas learn events in different
 * orders: which rows are in the window follows from the numbers alone. */
#ifndef TRENDLINE_WINDOW_H
#define TRENDLINE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window;

/* What the rows of a window may take, in bytes, besides what their reach takes. */
enum { WINDOW_BYTES_MAX = 64 << 20 };

/* Of so many rows of so many cells. NULL without memory. What
 * no row has come to yet is not touched, and takes none; a 32nd comes to it for the reach. */
struct window *window_new(size_t rows, size_t cells);
void window_free(struct window *window); /* NULL is fine */

size_t window_count(const struct window *window);
const double *window_row(const struct window *window, size_t i); /* in no order */

/* Is event `seq` one of those, or has there been so many later ones already? */
bool window_takes(const struct window *window, int64_t seq);
/* The row that the next one that is taken takes the place of, until then; NULL while there is room.
 */
const double *window_oldest(const struct window *window);
/* Adds a row that is taken. */
void window_add(struct window *window, int64_t seq, const double *row);
/* Another value for a cell of a row. */
void window_set(struct window *window, size_t i, size_t cell, double value);

/* The least and the greatest of each cell over the rows, NaN left out; NaN where there is nothing
 * else. They are the window's, until a row is added. Costs as much as the rows that have been added
 * since the last time, and some hundred cells more. */
struct window_ends {
    const double *least, *greatest;
};
struct window_ends window_reach(struct window *window);

#endif
