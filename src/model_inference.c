#include "model_inference.h"

#include "inference.h"
#include "levels.h"

#include <math.h>
#include <stdlib.h>

void model_write_figure(struct buffer *out, const char *name, double value)
{
    buffer_printf(out, ",\n  \"%s\": ", name);
    json_write_figure(out, value);
}

double model_parse_figure(const struct json *json, const char *name)
{
    double value;
    return json_get_number(json, name, &value) ? value : NAN;
}

static void write_name(const struct model *model, size_t j, struct buffer *out)
{
    if (j > 0)
        column_write_name(model->schema->names, model->predictor->encoding, j - 1, out);
    else
        buffer_puts(out, "\"intercept\"");
}

/* One line a coefficient. The intercept stands apart, for a feature may have that name too. */
static void write_coefficient(const struct coefficient_inference *coefficient, struct buffer *out)
{
    buffer_puts(out, "{\"standard_error\": ");
    json_write_figure(out, coefficient->error);
    buffer_puts(out, ", \"t\": ");
    json_write_figure(out, coefficient->t);
    buffer_puts(out, ", \"p\": ");
    json_write_figure(out, isfinite(coefficient->t) ? coefficient->p : NAN);
    buffer_puts(out, ", \"confidence_95\": [");
    json_write_figure(out, coefficient->low);
    buffer_puts(out, ", ");
    json_write_figure(out, coefficient->high);
    buffer_puts(out, "]}");
}

static void write_coefficients(const struct model *model, const struct inference *inference,
                               struct buffer *out)
{
    buffer_puts(out, ",\n  \"inference\": {\n    \"intercept\": ");
    for (size_t j = 0; j <= model->fit->features; j++) {
        struct coefficient_inference coefficient = inference_coefficient(model->fit, inference, j);
        if (j > 0) {
            buffer_puts(out, j > 1 ? ",\n      " : ",\n    \"coefficients\": {\n      ");
            write_name(model, j, out);
            buffer_puts(out, ": ");
        }
        write_coefficient(&coefficient, out);
    }
    buffer_puts(out, model->fit->features > 0 ? "\n    }\n  }" : "\n  }");
}

static void write_means(const struct model *model, struct buffer *out)
{
    buffer_puts(out, ",\n  \"means\": [");
    for (size_t j = 0; j < model->fit->features; j++) {
        buffer_puts(out, j > 0 ? ", " : "");
        json_write_figure(out, model->fit->means[j]);
    }
    buffer_puts(out, "]");
}

static void write_inverse(const struct model *model, struct buffer *out)
{
    const char *separator = "";
    model_write_figure(out, "intercept_inverse", model->fit->intercept_inverse);
    buffer_puts(out, ",\n  \"inverse\": [");
    for (size_t j = 0; j < model->fit->features; j++)
        for (size_t k = j; k < model->fit->features; k++) {
            buffer_puts(out, separator);
            json_write_figure(out, fit_inverse(model->fit, j, k));
            separator = ", ";
        }
    buffer_puts(out, "]");
}

static bool is_penalised(const struct model *model)
{
    return model->predictor->candidate != LEAST_SQUARES;
}

void model_write_inference(const struct model *model, struct buffer *out)
{
    struct inference inference;
    inference_of(model->fit, &inference);
    if (is_penalised(model))
        model_write_figure(out, "effective_parameters", model->fit->parameters);
    model_write_figure(out, "degrees_of_freedom", inference.freedom);
    model_write_figure(out, "residual_deviation", inference.deviation);
    model_write_figure(out, "adjusted_r2", inference.adjusted_r2);
    model_write_figure(out, "f", inference.f);
    model_write_figure(out, "f_p", inference.f_p);
    model_write_figure(out, "variance", model->fit->variance);
    model_write_figure(out, "condition", model->fit->condition);
    model_write_figure(out, "target_mean", model->fit->means[model->fit->features]);
    if (model_has_means(model))
        write_means(model, out);
    if (!model->fit->inverse)
        return;
    write_coefficients(model, &inference, out);
    write_inverse(model, out);
}

/* So many numbers, no more and no fewer; null, where it is allowed, is one beyond the doubles. */
static bool parse_numbers(const struct json *list, double *numbers, size_t count, bool or_null)
{
    const struct json *item = list ? json_first(list) : NULL;
    for (size_t i = 0; i < count; i++, item = json_next(item)) {
        bool is_number = item && json_kind(item) == JSON_NUMBER && isfinite(json_number(item));
        if (!is_number && !(or_null && item && json_kind(item) == JSON_NULL))
            return false;
        numbers[i] = is_number ? json_number(item) : NAN;
    }
    return list && !item;
}

/* A model of before there were figures: it predicts, and that is all. */
static bool parse_bare(struct fit *fit)
{
    for (size_t j = 0; j <= fit->features; j++)
        fit->means[j] = NAN;
    free(fit->inverse);
    fit->inverse = NULL;
    return true;
}

/* A penalised model of before there were effective parameters says nothing that goes by them, and
 * one of terms had no means. */
static void forget_means(struct model *model)
{
    for (size_t j = 0; j < model->fit->features; j++)
        model->fit->means[j] = NAN;
}

static bool parse_means(struct model *model, const struct json *json)
{
    bool of_terms = model->predictor->candidate > RIDGE;
    if (!parse_numbers(json_get_kind(json, "means", JSON_ARRAY), model->fit->means,
                       model->fit->features, of_terms))
        return false;
    if (of_terms && isnan(model->fit->parameters))
        forget_means(model);
    return true;
}

bool model_parse_inference(struct model *model, const struct json *json)
{
    struct fit *fit = model->fit;
    size_t count = model->fit->features;
    fit->parameters =
        is_penalised(model) ? model_parse_figure(json, "effective_parameters") : (double)fit->rank;
    fit->variance = model_parse_figure(json, "variance");
    fit->condition = model_parse_figure(json, "condition");
    fit->means[count] = model_parse_figure(json, "target_mean");
    if (!model_has_means(model))
        return parse_bare(fit);
    if (!parse_means(model, json))
        return false;
    if (!json_get(json, "inverse")) { /* too many features, or not by least squares */
        free(fit->inverse);
        fit->inverse = NULL;
        return true;
    }
    fit->intercept_inverse = model_parse_figure(json, "intercept_inverse");
    return fit->inverse && parse_numbers(json_get_kind(json, "inverse", JSON_ARRAY), fit->inverse,
                                         count * (count + 1) / 2, true);
}

void model_write_covariance(const struct model *model, struct buffer *out)
{
    struct inference inference;
    inference_of(model->fit, &inference);
    buffer_puts(out, "{\"names\": [");
    for (size_t j = 0; j <= model->fit->features; j++) {
        buffer_puts(out, j > 0 ? ", " : "");
        write_name(model, j, out);
    }
    buffer_puts(out, "], \"covariance\": [");
    for (size_t j = 0; j <= model->fit->features; j++) {
        buffer_puts(out, j > 0 ? "], [" : "[");
        for (size_t k = 0; k <= model->fit->features; k++) {
            buffer_puts(out, k > 0 ? ", " : "");
            json_write_figure(out, inference_covariance(model->fit, &inference, j, k));
        }
    }
    buffer_puts(out, "]]}\n");
}
