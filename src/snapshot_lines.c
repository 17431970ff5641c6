#include "snapshot_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    PIECE_SIZE = 64 << 10,
    CRC_LINE_LENGTH = 4 + 8 + 1, /* "crc 1a2b3c4d\n" */
    LINE_BYTES_MAX = 64 << 20    /* the header's, with all levels; a longer one is damage */
};

static uint32_t checksum(uint32_t before, const char *text, size_t length)
{
    return (uint32_t)crc32_z(before, (const unsigned char *)text, length);
}

static void format_crc(char line[static CRC_LINE_LENGTH + 1], uint32_t crc)
{
    snprintf(line, CRC_LINE_LENGTH + 1, "crc %08x\n", crc);
}

/* ------------------------------------------------------------------ writing */

static void pass(struct pieces *pieces)
{
    struct buffer *text = &pieces->text;
    if (pieces->error.kind != ERROR_NONE || text->failed)
        return;
    pieces->crc = checksum(pieces->crc, text->data, text->length);
    if (file_write(pieces->file, text->data, text->length, &pieces->error))
        buffer_clear(text);
}

void pieces_pass(struct pieces *pieces)
{
    if (pieces->file && pieces->text.length >= PIECE_SIZE)
        pass(pieces);
}

bool pieces_end(struct pieces *pieces, struct error *error)
{
    struct buffer *text = &pieces->text;
    char line[CRC_LINE_LENGTH + 1];
    if (pieces->file)
        pass(pieces);
    if (text->failed)
        return error_memory(error);
    format_crc(line, checksum(pieces->crc, text->data, text->length));
    buffer_puts(text, line);
    if (pieces->file)
        pass(pieces);
    if (text->failed)
        return error_memory(error);
    if (pieces->error.kind == ERROR_NONE)
        return true;
    *error = pieces->error;
    return false;
}

/* ------------------------------------------------------------------ reading */

static bool damaged(struct error *error)
{
    return error_set(error, ERROR_DAMAGED, "the checksum does not match");
}

bool lines_of_text(struct lines *lines, char *text, size_t length, struct error *error)
{
    char line[CRC_LINE_LENGTH + 1];
    *lines = (struct lines){.at = text, .fd = -1};
    if (length < CRC_LINE_LENGTH)
        return damaged(error);
    lines->end = text + length - CRC_LINE_LENGTH;
    format_crc(line, checksum(0, text, length - CRC_LINE_LENGTH));
    return memcmp(lines->end, line, CRC_LINE_LENGTH) == 0 || damaged(error);
}

static long read_at(int fd, char *data, size_t size, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, data, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool check_file(int fd, uint64_t length, char *room, struct error *error)
{
    uint32_t crc = 0;
    char line[CRC_LINE_LENGTH + 1];
    for (uint64_t at = 0; at < length;) {
        size_t wanted = length - at < PIECE_SIZE ? (size_t)(length - at) : PIECE_SIZE;
        long got = read_at(fd, room, wanted, at);
        if (got <= 0)
            return got < 0 ? error_errno(error, "cannot read the file") : damaged(error);
        crc = checksum(crc, room, (size_t)got);
        at += (uint64_t)got;
    }
    format_crc(line, crc);
    return (read_at(fd, room, CRC_LINE_LENGTH, length) == CRC_LINE_LENGTH &&
            memcmp(room, line, CRC_LINE_LENGTH) == 0) ||
           damaged(error);
}

bool lines_of_file(struct lines *lines, int fd, struct error *error)
{
    struct stat status;
    *lines = (struct lines){.fd = fd};
    if (fstat(fd, &status) != 0)
        return error_errno(error, "cannot look at the file");
    if (status.st_size < CRC_LINE_LENGTH)
        return damaged(error);
    char *room = buffer_reserve(&lines->room, PIECE_SIZE);
    lines->left = (uint64_t)status.st_size - CRC_LINE_LENGTH;
    lines->at = lines->end = room;
    if (room ? check_file(fd, lines->left, room, error) : error_memory(error))
        return true;
    lines_free(lines);
    return false;
}

void lines_free(struct lines *lines)
{
    buffer_free(&lines->room);
}

/* Reads on, behind what is left of the room; false: there is no more, or no memory. */
static bool fill(struct lines *lines)
{
    size_t kept = (size_t)(lines->end - lines->at);
    if (lines->left == 0 || kept > LINE_BYTES_MAX)
        return false;
    if (kept > 0)
        memmove(lines->room.data, lines->at, kept);
    lines->room.length = kept;
    char *room = buffer_reserve(&lines->room, PIECE_SIZE);
    lines->no_memory = !room;
    if (!room)
        return false;
    size_t wanted = lines->left < PIECE_SIZE ? (size_t)lines->left : PIECE_SIZE;
    ssize_t got = read(lines->fd, room, wanted);
    if (got <= 0)
        return false;
    lines->left -= (uint64_t)got;
    lines->at = lines->room.data;
    lines->end = room + got;
    return true;
}

char *lines_next(struct lines *lines)
{
    for (size_t searched = 0;;) {
        size_t length = (size_t)(lines->end - lines->at);
        char *newline =
            length > searched ? memchr(lines->at + searched, '\n', length - searched) : NULL;
        if (newline) {
            char *line = lines->at;
            *newline = '\0';
            lines->at = newline + 1;
            return line;
        }
        searched = length;
        if (!fill(lines))
            return NULL;
    }
}

bool lines_are_over(struct lines *lines)
{
    return lines->at == lines->end && lines->left == 0;
}
