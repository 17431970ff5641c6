#include "witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* "SEQ OFFSET CRC-32\n", always of one length, so that each covers the one before it. */
#define LINE "%020" PRId64 " %020" PRIu64
enum { TEXT_LENGTH = 41, LINE_LENGTH = TEXT_LENGTH + 10 };

static void format_line(struct journal_position position, char line[static LINE_LENGTH + 1])
{
    snprintf(line, LINE_LENGTH + 1, LINE, position.seq, position.offset);
    unsigned long check = crc32_z(0, (const unsigned char *)line, TEXT_LENGTH);
    snprintf(line + TEXT_LENGTH, LINE_LENGTH + 1 - TEXT_LENGTH, " %08lx\n", check);
}

void witness_write(int lock_fd, struct journal_position position)
{
    char line[LINE_LENGTH + 1];
    format_line(position, line);
    ssize_t wrote = pwrite(lock_fd, line, LINE_LENGTH, 0);
    (void)wrote;
}

struct journal_position witness_read(int lock_fd)
{
    char line[LINE_LENGTH + 1] = "", wanted[LINE_LENGTH + 1];
    struct journal_position position = {0};
    if (pread(lock_fd, line, LINE_LENGTH, 0) == LINE_LENGTH &&
        sscanf(line, "%" SCNd64 " %" SCNu64, &position.seq, &position.offset) == 2) {
        format_line(position, wanted);
        if (memcmp(line, wanted, LINE_LENGTH) == 0)
            return position;
    }
    return (struct journal_position){0};
}
