/* The current model as a file: read again whenever somebody has replaced it. */
#ifndef TRENDLINE_MODEL_FILE_H
#define TRENDLINE_MODEL_FILE_H

#include "buffer.h"
#include "error.h"
#include "model.h"
#include "watch.h"

#include <limits.h>
#include <stdbool.h>

struct model_file {
    char path[PATH_MAX];
    struct watch watch;
    struct model *model; /* NULL: there is none, or it is damaged; owned */
    struct buffer text;  /* the file's content */
    struct error damage; /* why there is no model although there is a file */
};

bool model_file_init(struct model_file *file, const char *directory, struct error *error);
void model_file_free(struct model_file *file);

/* Brings `model` up to date; costs one stat when nothing has changed. When the file cannot be
 * opened (out of descriptors, say) the model last read stays. False with `error` set when there is
 * no model: ERROR_NOT_READY, or ERROR_DAMAGED. */
bool model_file_refresh(struct model_file *file, struct error *error);

/* Replaces the file by `model`, which now belongs to `file`; on failure to the caller still. */
bool model_file_publish(struct model_file *file, struct model *model, bool durable,
                        struct error *error);

#endif
