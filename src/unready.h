/* Unready: why there is no model to predict with, where it is not that none has been built.
 *
 * `predict` knows files only. Who brings it its model (a start, `follow`) and cannot yet says so in
 * a small file of the data directory, one sentence for whoever asks, as long as that is so. */
#ifndef TRENDLINE_UNREADY_H
#define TRENDLINE_UNREADY_H

#include "error.h"

#define UNREADY_NAME "unready.txt"

/* NULL: it is over. On a full disk the sentence may be missing, or stay. */
void unready_tell(const char *directory, const char *sentence);

/* In place of ERROR_NOT_READY: ERROR_BUSY with the sentence, where there is one. */
void unready_explain(const char *directory, struct error *error);

#endif
