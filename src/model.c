#include "model.h"

#include "json.h"
#include "model_inference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

static const char crc_key[] = ",\n  \"crc\": \"", text_end[] = "\"\n}\n";

enum { CRC_TAIL = sizeof crc_key - 1 + 8 + sizeof text_end - 1 };

struct model *model_new(const struct schema *schema, const struct moments *moments,
                        struct error *error)
{
    struct model *model = calloc(1, sizeof *model);
    if (!model || !(model->schema = schema_copy(schema))) {
        free(model);
        error_memory(error);
        return NULL;
    }
    size_t column = 0;
    error->kind = ERROR_NONE;
    model->fit = fit_new(moments, &column, error);
    if (model->fit)
        return model;
    if (error->kind == ERROR_UNUSABLE)
        error_set(error, ERROR_UNUSABLE,
                  "the coefficient of \"%s\" is beyond the range of a double",
                  column == 0 ? "intercept" : schema->names[column - 1]);
    model_free(model);
    return NULL;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    schema_free(model->schema);
    fit_free(model->fit);
    free(model);
}

bool model_predict(const struct model *model, const double *row, double *prediction,
                   struct error *error)
{
    *prediction = fit_predict(model->fit->coefficients, row, model->schema->count);
    if (isfinite(*prediction))
        return true;
    return error_set(error, ERROR_UNUSABLE, "the prediction is beyond the range of a double");
}

double model_contribution(const struct model *model, const double *row, size_t j)
{
    const struct fit *fit = model->fit;
    return fit->coefficients[j + 1].hi * (row[j] - fit->means[j]);
}

void model_time(char text[static MODEL_TIME_MAX])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, MODEL_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ------------------------------------------------------------------ writing */

static void write_text(struct buffer *out, const char *text)
{
    json_write_string(out, text, strlen(text));
}

static void write_aliased(const struct model *model, struct buffer *out)
{
    const char *separator = "";
    buffer_puts(out, ",\n  \"aliased\": [");
    for (size_t i = 0; i < model->schema->count; i++)
        if (model->fit->aliased[i]) {
            buffer_puts(out, separator);
            write_text(out, model->schema->names[i]);
            separator = ", ";
        }
    buffer_puts(out, "]");
}

/* The high or the low parts of intercept and coefficients, by name. */
static void write_coefficients(const struct model *model, bool high, const char *indent,
                               struct buffer *out)
{
    const struct coefficient *coefficients = model->fit->coefficients;
    buffer_printf(out, "%s\"intercept\": ", indent);
    json_write_number(out, high ? coefficients[0].hi : coefficients[0].lo);
    buffer_printf(out, ",%s\"coefficients\": {", indent);
    for (size_t i = 0; i < model->schema->count; i++) {
        const struct coefficient *coefficient = &coefficients[i + 1];
        buffer_printf(out, "%s%s  ", i ? "," : "", indent);
        write_text(out, model->schema->names[i]);
        buffer_puts(out, ": ");
        json_write_number(out, high ? coefficient->hi : coefficient->lo);
    }
    buffer_printf(out, "%s}", indent);
}

void model_write(const struct model *model, struct buffer *out)
{
    size_t start = out->length;
    buffer_printf(out, "{\n  \"version\": %lld,\n  \"created\": ", (long long)model->version);
    write_text(out, model->created);
    buffer_puts(out, ",\n  \"model\": \"linear\",\n  \"features\": ");
    schema_write(model->schema, out);
    buffer_puts(out, ",\n  \"target\": \"" SCHEMA_TARGET "\"");
    buffer_printf(out, ",\n  \"rows\": %lld,\n  \"events\": %lld,\n  \"rank\": %zu",
                  (long long)model->fit->rows, (long long)model->events, model->fit->rank);
    write_aliased(model, out);
    buffer_puts(out, ",");
    write_coefficients(model, true, "\n  ", out);
    model_write_figure(out, "mse", model->fit->mse);
    model_write_figure(out, "r2", model->fit->r2);
    model_write_inference(model, out);
    buffer_puts(out,
                ",\n  \"formula\": \"intercept + sum over the features of coefficient * value; "
                "remainder, added to the same names, continues the digits of each\"");
    buffer_puts(out, ",\n  \"remainder\": {");
    write_coefficients(model, false, "\n    ", out);
    buffer_puts(out, "\n  }");
    if (out->failed)
        return;
    uint32_t crc = (uint32_t)crc32_z(0, (unsigned char *)out->data + start, out->length - start);
    buffer_printf(out, "%s%08x%s", crc_key, crc, text_end);
}

/* ------------------------------------------------------------------ reading */

static bool check_crc(const char *text, size_t length)
{
    if (length < CRC_TAIL)
        return false;
    size_t body = length - CRC_TAIL;
    char wanted[CRC_TAIL + 1];
    snprintf(wanted, sizeof wanted, "%s%08x%s", crc_key,
             (uint32_t)crc32_z(0, (const unsigned char *)text, body), text_end);
    return memcmp(text + body, wanted, CRC_TAIL) == 0;
}

/* Reads intercept and coefficients of `json` into the high or low parts. */
static bool parse_coefficients(struct model *model, const struct json *json, bool high)
{
    const struct json *by_name = json_get_kind(json, "coefficients", JSON_OBJECT);
    struct coefficient *coefficients = model->fit->coefficients;
    if (!by_name ||
        !json_get_number(json, "intercept", high ? &coefficients[0].hi : &coefficients[0].lo))
        return false;
    const struct json *member = json_first(by_name);
    for (size_t i = 0; i < model->schema->count; i++, member = json_next(member)) {
        struct coefficient *coefficient = &coefficients[i + 1];
        if (!member || json_kind(member) != JSON_NUMBER ||
            strcmp(json_name(member), model->schema->names[i]) != 0)
            return false;
        *(high ? &coefficient->hi : &coefficient->lo) = json_number(member);
    }
    return true;
}

static bool parse_aliased(struct model *model, const struct json *list)
{
    for (const struct json *item = json_first(list); item; item = json_next(item)) {
        long feature =
            json_kind(item) == JSON_STRING ? schema_find(model->schema, json_string(item)) : -1;
        if (feature < 0)
            return false;
        model->fit->aliased[feature] = true;
    }
    return true;
}

static bool parse_fit(struct model *model, const struct json *json)
{
    struct fit *fit = model->fit;
    int64_t rank;
    const struct json *aliased = json_get_kind(json, "aliased", JSON_ARRAY);
    const struct json *remainder = json_get_kind(json, "remainder", JSON_OBJECT);
    if (!json_get_count(json, "rows", &fit->rows) || !json_get_count(json, "rank", &rank) ||
        !aliased || !remainder)
        return false;
    fit->rank = (size_t)rank;
    fit->mse = model_parse_figure(json, "mse");
    fit->r2 = model_parse_figure(json, "r2");
    return parse_aliased(model, aliased) && parse_coefficients(model, json, true) &&
           parse_coefficients(model, remainder, false) && model_parse_inference(model, json);
}

static bool parse_members(struct model *model, const struct json *json, struct error *error)
{
    const struct json *features = json_get_kind(json, "features", JSON_ARRAY);
    error->kind = ERROR_NONE;
    model->schema = features ? schema_parse(features, error) : NULL;
    model->fit = model->schema ? fit_alloc(model->schema->count, error) : NULL;
    if (error->kind == ERROR_BUSY)
        return false;
    if (!model->fit || !json_get_text(json, "created", model->created, sizeof model->created) ||
        !json_get_count(json, "version", &model->version) ||
        !json_get_count(json, "events", &model->events) || !parse_fit(model, json))
        return error_set(error, ERROR_DAMAGED, "a field is missing or is not what it should be");
    return true;
}

struct model *model_parse(const char *text, size_t length, struct error *error)
{
    if (!check_crc(text, length)) {
        error_set(error, ERROR_DAMAGED, "the checksum does not match");
        return NULL;
    }
    struct json *json = json_parse(text, length, error);
    if (!json) {
        error->kind = error->kind == ERROR_SYNTAX ? ERROR_DAMAGED : error->kind;
        return NULL;
    }
    struct model *model = calloc(1, sizeof *model);
    bool ok = model ? parse_members(model, json, error) : error_memory(error);
    json_free(json);
    if (ok)
        return model;
    model_free(model);
    return NULL;
}
