/* Model files: the input is one up to `,\n  "crc"`, and is given the checksum it needs. */
#include "fuzz.h"
#include "model.h"

#include <zlib.h>

static struct model *parse(const struct buffer *text)
{
    struct error error = {0};
    struct model *model = model_parse(text->data, text->length, &error);
    WANT(model || (is_told(&error) && error.kind == ERROR_DAMAGED));
    return model;
}

/* What is accepted, written and read again is what it was; so is its every prediction. */
static void check_model(const struct model *model)
{
    struct buffer written = {0}, again = {0};
    double row[SCHEMA_FEATURES_MAX + 1] = {0}, prediction = 0, wanted = 0;
    bool clipped;
    struct error error;
    model_write(model, &written);
    struct model *copy = parse(&written);
    WANT(copy);
    model_write(copy, &again);
    WANT(same_bytes(&written, &again));
    for (size_t i = 0; i < model->schema->count; i++)
        row[i] = 0.1 * (double)i - 1;
    WANT(model_predict(model, row, &wanted, &clipped, &error) ==
         model_predict(copy, row, &prediction, &clipped, &error));
    WANT(!isfinite(wanted) || same_double(wanted, prediction));
    model_free(copy);
    buffer_free(&written);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = {0};
    buffer_append(&text, data, size);
    model_free(parse(&text));
    buffer_printf(&text, ",\n  \"crc\": \"%08x\"\n}\n", (unsigned)crc32_z(0, data, size));
    struct model *model = parse(&text);
    if (model)
        check_model(model);
    model_free(model);
    buffer_free(&text);
    return 0;
}
