#include "prediction.h"

#include "json.h"

#include <math.h>
#include <string.h>

const char *const prediction_flag_names[PREDICTION_FLAGS] = {"unseen", "extrapolating", "clipped"};

bool prediction_make(const struct model *model, const struct prediction_options *options,
                     const double *row, struct prediction *prediction, struct error *error)
{
    const struct predictor *predictor = model->predictor;
    *prediction = (struct prediction){.half = 0};
    bool *flags = prediction->flags;
    if (!model_predict(model, row, &prediction->value, &flags[PREDICTION_CLIPPED], error))
        return false;
    flags[PREDICTION_UNSEEN] = !encoding_knows(predictor->encoding, row);
    flags[PREDICTION_EXTRAPOLATING] = predictor_extrapolates(predictor, row);
    if (options->level > 0)
        prediction->half = model_interval(model, row, options->scale);
    return isfinite(prediction->value - prediction->half + prediction->half) ||
           error_set(error, ERROR_UNUSABLE, "the interval is beyond the range of a double");
}

bool prediction_explain(const struct model *model, const double *row, struct buffer *out,
                        struct error *error)
{
    double contributions[SCHEMA_FEATURES_MAX];
    if (!model_has_means(model))
        return error_set(error, ERROR_UNUSABLE,
                         "there are no contributions: the model is of an earlier version, POST "
                         "/build for one that has them");
    buffer_puts(out, ", \"baseline\": ");
    json_write_number(out, model_contributions(model, row, contributions));
    buffer_puts(out, ", \"contributions\": {");
    for (size_t j = 0; j < model->schema->count; j++) {
        const char *name = model->schema->names[j];
        buffer_puts(out, j > 0 ? ", " : "");
        json_write_string(out, name, strlen(name));
        buffer_puts(out, ": ");
        json_write_number(out, contributions[j]);
    }
    buffer_puts(out, "}");
    return !out->failed || error_memory(error);
}

void prediction_write_interval(const struct prediction *prediction, struct buffer *out)
{
    buffer_puts(out, "[");
    json_write_number(out, prediction->value - prediction->half);
    buffer_puts(out, ", ");
    json_write_number(out, prediction->value + prediction->half);
    buffer_puts(out, "]");
}

void prediction_write(const struct prediction *prediction, const struct prediction_options *options,
                      const struct buffer *explanation, struct buffer *out)
{
    buffer_puts(out, "{\"prediction\": ");
    json_write_number(out, prediction->value);
    if (options->level > 0) {
        buffer_puts(out, ", \"interval\": ");
        prediction_write_interval(prediction, out);
    }
    buffer_append(out, explanation->data, explanation->length);
    for (size_t flag = 0; flag < PREDICTION_FLAGS; flag++)
        if (prediction->flags[flag])
            buffer_printf(out, ", \"%s\": true", prediction_flag_names[flag]);
    buffer_puts(out, "}\n");
}
