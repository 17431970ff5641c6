#include "model_file.h"

#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool model_file_init(struct model_file *file, const char *directory, struct error *error)
{
    *file = (struct model_file){.watch = WATCH_INIT};
    if ((size_t)snprintf(file->path, sizeof file->path, "%s/" MODEL_NAME, directory) <
        sizeof file->path)
        return true;
    return error_set(error, ERROR_SYSTEM, "the path of the data directory is too long");
}

void model_file_free(struct model_file *file)
{
    watch_close(&file->watch);
    model_free(file->model);
    buffer_free(&file->text);
}

static bool read_all(int fd, struct buffer *text, struct error *error)
{
    buffer_clear(text);
    for (;;) {
        char *room = buffer_reserve(text, 16 << 10);
        if (!room)
            return error_memory(error);
        ssize_t got = read(fd, room, 16 << 10);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(error, "cannot read " MODEL_NAME);
        if (got == 0)
            return true;
        text->length += (size_t)got;
        if (text->length > MODEL_BYTES_MAX)
            return error_set(error, ERROR_DAMAGED, MODEL_NAME ": larger than any model");
    }
}

static bool read_model(struct model_file *file)
{
    struct error *damage = &file->damage;
    model_free(file->model);
    file->model = NULL;
    if (!read_all(file->watch.fd, &file->text, damage))
        return false;
    struct error why;
    file->model = model_parse(file->text.data, file->text.length, &why);
    if (file->model)
        return true;
    if (why.kind != ERROR_DAMAGED)
        *damage = why;
    else
        error_set(damage, ERROR_DAMAGED,
                  MODEL_NAME ": not a model that was written here: %.300s; "
                             "POST /build makes it anew",
                  why.text);
    return false;
}

bool model_file_refresh(struct model_file *file, struct error *error)
{
    struct error why;
    switch (watch_look(&file->watch, file->path, &why)) {
    case WATCH_CHANGED:
        if (!read_model(file) && file->damage.kind != ERROR_DAMAGED)
            watch_close(&file->watch); /* it may go better next time */
        break;
    case WATCH_ABSENT:
        model_free(file->model);
        file->model = NULL;
        error_set(&file->damage, ERROR_NOT_READY,
                  "no model has been built yet: POST events to /action, then POST /build");
        break;
    case WATCH_ERROR:
        if (!file->model)
            file->damage = why;
        break;
    case WATCH_SAME:
        break;
    }
    if (file->model)
        return true;
    *error = file->damage;
    return false;
}

bool model_file_publish(struct model_file *file, struct model *model, bool durable,
                        struct error *error)
{
    buffer_clear(&file->text);
    model_write(model, &file->text);
    if (file->text.failed)
        return error_memory(error);
    if (!file_replace(file->path, file->text.data, file->text.length, durable, error))
        return false;
    struct error unseen; /* it is read back then */
    watch_look(&file->watch, file->path, &unseen);
    model_free(file->model);
    file->model = model;
    return true;
}
