/* Witness: how far the journal had come when a batch was written last. A journal that ends before
 * that, or has another event there, has been cut or replaced since.
 *
 * It stands in the lock's file, with a checksum, and is never synced: it outlives processes at
 * once, and a power cut at the latest when the system has written it; what it then says is true
 * still, of an earlier batch. Everything wants the lock. */
#ifndef TRENDLINE_WITNESS_H
#define TRENDLINE_WITNESS_H

#include "journal.h"

/* Where it cannot be written there is none. */
void witness_write(int lock_fd, struct journal_position position);
/* All zero where there is none. */
struct journal_position witness_read(int lock_fd);

#endif
