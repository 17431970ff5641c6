/* A growable run of bytes: how every text that we send or store is put together. */
#ifndef TRENDLINE_BUFFER_H
#define TRENDLINE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty buffer. Appending never fails on its own: when memory runs out `failed` is
 * set, later appends do nothing, and the caller checks once at the end. */
struct buffer {
    char *data; /* `length` bytes, not terminated; NULL while empty; owned by the buffer */
    size_t length, capacity;
    bool failed;
};

void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `length` more bytes, to be written at data + length and added to length by the caller;
 * NULL (and failed) when there is no memory. */
char *buffer_reserve(struct buffer *buffer, size_t length);

void buffer_clear(struct buffer *buffer); /* empties it and keeps the memory for the next use */
void buffer_free(struct buffer *buffer);

#endif
