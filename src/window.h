/* Window: the rows of the last events, so that each can be taken out of the sums when it is no
 * longer one of them. */
#ifndef TRENDLINE_WINDOW_H
#define TRENDLINE_WINDOW_H

#include <stddef.h>

struct window;

/* What the rows of a window may take, in bytes. */
enum { WINDOW_BYTES_MAX = 64 << 20 };

/* Of so many rows of so many cells, and no more than WINDOW_BYTES_MAX. NULL without memory. What
 * no row has come to yet is not touched, and takes none. */
struct window *window_new(size_t rows, size_t cells);
void window_free(struct window *window); /* NULL is fine */

/* The row that the next one takes the place of, until then; NULL while there is room. */
const double *window_oldest(const struct window *window);
void window_add(struct window *window, const double *row);

/* The least and the greatest of one cell over the rows; infinite while there are none. */
void window_range(const struct window *window, size_t cell, double *least, double *greatest);

#endif
