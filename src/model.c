#include "model.h"

#include "inference.h"
#include "json.h"
#include "levels.h"
#include "model_inference.h"
#include "model_terms.h"
#include "places.h"
#include "seal.h"
#include "student.h"
#include "timestamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *new_model(const struct schema *schema)
{
    struct model *model = calloc(1, sizeof *model);
    if (!model || !(model->schema = schema_copy(schema))) {
        free(model);
        return NULL;
    }
    for (size_t c = 0; c < CANDIDATES; c++)
        model->tried[c] = NAN;
    return model;
}

static bool fit_model(struct model *model, enum candidate candidate, double penalty,
                      const struct folds_set *rows, struct error *error)
{
    size_t column;
    model->predictor = predictor_new(candidate, penalty, rows, &column, error);
    model->fit = model->predictor ? model->predictor->fit : NULL;
    if (!model->predictor && column != SIZE_MAX)
        column_name_error(model->schema->names, rows->encoding, column, error);
    return model->predictor != NULL;
}

static bool choose_kind(struct model *model, const struct folds_set *rows, struct error *error)
{
    struct choice choice;
    if (!choose(&choice, rows, error))
        return false;
    for (size_t c = 0; c < CANDIDATES; c++)
        if (choice.trials[c].terms > 0)
            model->tried[c] = sqrt(choice.trials[c].error);
    return fit_model(model, choice.candidate, choice.trials[choice.candidate].penalty, rows, error);
}

static bool keep_kind(struct model *model, const struct model *like, const struct folds_set *rows,
                      struct error *error)
{
    memcpy(model->tried, like->tried, sizeof model->tried);
    return fit_model(model, like->predictor->candidate, like->predictor->penalty, rows, error);
}

/* Of the kind and with the bases of `like`, or where that is NULL of the kind that predicts best.
 */
static struct model *make_model(const struct model *like, const struct schema *schema,
                                const struct folds_set *rows, struct error *error)
{
    struct folds_set all = *rows;
    struct model *model = new_model(schema);
    struct encoding *encoding =
        model ? folds_set_encoding(rows, like ? like->predictor->encoding : NULL) : NULL;
    all.encoding = encoding;
    bool ok = encoding
                  ? (like ? keep_kind(model, like, &all, error) : choose_kind(model, &all, error))
                  : error_memory(error);
    encoding_free(encoding);
    if (ok)
        return model;
    model_free(model);
    return NULL;
}

struct model *model_choose(const struct schema *schema, const struct folds_set *rows,
                           struct error *error)
{
    return make_model(NULL, schema, rows, error);
}

struct model *model_like(const struct model *like, const struct schema *schema,
                         const struct folds_set *rows, struct error *error)
{
    return make_model(like, schema, rows, error);
}

struct model *model_share(struct model *model)
{
    model->users++;
    return model;
}

void model_free(struct model *model)
{
    if (!model || model->users-- > 0)
        return;
    schema_free(model->schema);
    predictor_free(model->predictor);
    free(model);
}

bool model_predict(const struct model *model, const double *row, double *prediction, bool *clipped,
                   struct error *error)
{
    *prediction = predictor_predict(model->predictor, row, clipped);
    if (isfinite(*prediction))
        return true;
    return error_set(error, ERROR_UNUSABLE, "the prediction is beyond the range of a double");
}

bool model_has_means(const struct model *model)
{
    return !isnan(model->fit->means[model->fit->features]);
}

bool model_is_outdated(const struct model *model)
{
    return isnan(model->fit->parameters);
}

static double linear_contributions(const struct model *model, const double *row,
                                   double *contributions)
{
    const struct fit *fit = model->fit;
    double room[ENCODING_ROOM];
    const double *columns = predictor_columns(model->predictor, row, room);
    for (size_t i = 0; i < fit->features; i++)
        contributions[encoding_column(model->predictor->encoding, i).feature] +=
            fit->coefficients[i + 1].hi * (columns[i] - fit->means[i]);
    return fit->means[fit->features];
}

enum { PATH_STEPS = 32 };

/* One step of all numbers along the way from the middle, in one order or the other. */
static void step_along(const struct model *model, const double *row, double *point, int step,
                       double *contributions)
{
    const struct predictor *predictor = model->predictor;
    size_t numbers = predictor->maps->features;
    bool clipped;
    double before = predictor_predict(predictor, point, &clipped);
    for (size_t i = 0; i < numbers; i++) {
        size_t number = step % 2 ? i : numbers - 1 - i;
        size_t j = encoding_number(predictor->encoding, number);
        double centre = predictor->maps->places[number].centre;
        if (isnan(row[j]))
            continue;
        point[j] = step == PATH_STEPS ? row[j] : centre + (row[j] - centre) * step / PATH_STEPS;
        double after = predictor_predict(predictor, point, &clipped);
        contributions[j] += after - before;
        before = after;
    }
}

static double terms_contributions(const struct model *model, const double *row,
                                  double *contributions)
{
    const struct predictor *predictor = model->predictor;
    double point[SCHEMA_FEATURES_MAX + 1];
    bool clipped;
    memcpy(point, row, model->schema->count * sizeof *point);
    for (size_t i = 0; i < predictor->maps->features; i++)
        point[encoding_number(predictor->encoding, i)] = predictor->maps->places[i].centre;
    double baseline = predictor_predict(predictor, point, &clipped);
    for (int step = 1; step <= PATH_STEPS; step++)
        step_along(model, row, point, step, contributions);
    return baseline;
}

double model_contributions(const struct model *model, const double *row, double *contributions)
{
    for (size_t j = 0; j < model->schema->count; j++)
        contributions[j] = 0;
    return model->predictor->count > 0 ? terms_contributions(model, row, contributions)
                                       : linear_contributions(model, row, contributions);
}

static bool has_exact_interval(const struct model *model)
{
    return model->predictor->candidate == LEAST_SQUARES && model->fit->inverse;
}

double model_interval_scale(const struct model *model, double level)
{
    double error = model->tried[model->predictor->candidate];
    if (has_exact_interval(model))
        return inference_scale(model->fit, level);
    if (isnan(error) || model->fit->rows < 2)
        return NAN;
    return student_width(level, (double)model->fit->rows - 1) * error;
}

double model_interval(const struct model *model, const double *row, double scale)
{
    double room[ENCODING_ROOM];
    if (!has_exact_interval(model))
        return scale;
    return inference_interval(model->fit, predictor_columns(model->predictor, row, room), scale);
}

void model_time(char text[static MODEL_TIME_MAX])
{
    char now[TIMESTAMP_MAX];
    timestamp_now(now);
    snprintf(text, MODEL_TIME_MAX, "%.19sZ", now); /* without milliseconds */
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
    for (size_t i = 0; i < model->fit->features; i++)
        if (model->fit->aliased[i]) {
            buffer_puts(out, separator);
            column_write_name(model->schema->names, model->predictor->encoding, i, out);
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
    for (size_t i = 0; i < model->fit->features; i++) {
        const struct coefficient *coefficient = &coefficients[i + 1];
        buffer_printf(out, "%s%s  ", i ? "," : "", indent);
        column_write_name(model->schema->names, model->predictor->encoding, i, out);
        buffer_puts(out, ": ");
        json_write_number(out, high ? coefficient->hi : coefficient->lo);
    }
    buffer_printf(out, "%s}", indent);
}

static void write_remainder(const struct model *model, struct buffer *out)
{
    buffer_puts(out,
                ",\n  \"formula\": \"intercept + sum over the features of coefficient * value; "
                "remainder, added to the same names, continues the digits of each\"");
    buffer_puts(out, ",\n  \"remainder\": {");
    write_coefficients(model, false, "\n    ", out);
    buffer_puts(out, "\n  }");
}

/* What was tried, and with what error; and the penalty of what was chosen. */
static void write_tried(const struct model *model, struct buffer *out)
{
    const char *before = ",\n  \"tried\": {";
    if (model->predictor->candidate != LEAST_SQUARES)
        model_write_figure(out, "penalty", model->predictor->penalty);
    for (size_t c = 0; c < CANDIDATES; c++)
        if (!isnan(model->tried[c])) {
            buffer_printf(out, "%s\"%s\": ", before, candidate_name((enum candidate)c));
            json_write_number(out, model->tried[c]);
            before = ", ";
        }
    if (before[1] == ' ')
        buffer_puts(out, "}");
}

/* Where the rows lie and how far they reach. A model of terms has told the places. */
static void write_reach(const struct model *model, struct buffer *out)
{
    const struct predictor *predictor = model->predictor;
    reach_write(predictor->reach, "\n  ", out);
    if (predictor->maps && predictor->maps->metric && predictor->count == 0) {
        buffer_puts(out, ",\n  \"places\": ");
        places_write(predictor->maps, out);
    }
    if (predictor->maps)
        metric_write(predictor->maps, "\n  ", out);
}

void model_write(const struct model *model, struct buffer *out)
{
    size_t start = out->length;
    buffer_printf(out, "{\n  \"version\": %lld,\n  \"created\": ", (long long)model->version);
    write_text(out, model->created);
    buffer_printf(out, ",\n  \"model\": \"%s\"", candidate_name(model->predictor->candidate));
    write_tried(model, out);
    buffer_puts(out, ",\n  \"features\": ");
    schema_write(model->schema, out);
    levels_write(model->schema, model->predictor->encoding, "\n  ", out);
    buffer_puts(out, ",\n  \"target\": ");
    write_text(out, schema_target());
    buffer_printf(out, ",\n  \"rows\": %lld,\n  \"events\": %lld,\n  \"rank\": %zu",
                  (long long)model->fit->rows, (long long)model->events, model->fit->rank);
    if (model->fit->weight != (double)model->fit->rows)
        model_write_figure(out, "weight", model->fit->weight);
    write_aliased(model, out);
    if (model->predictor->count > 0) {
        model_write_terms(model, out);
    } else {
        buffer_puts(out, ",");
        write_coefficients(model, true, "\n  ", out);
    }
    model_write_figure(out, "mse", model->fit->mse);
    model_write_figure(out, "r2", model->fit->r2);
    buffer_puts(out, ",\n  \"live\": ");
    live_write(&model->live, out);
    model_write_inference(model, out);
    write_reach(model, out);
    if (model->predictor->count == 0)
        write_remainder(model, out);
    seal(out, start);
}

/* ------------------------------------------------------------------ reading */

/* Reads intercept and coefficients of `json` into the high or low parts. */
static bool parse_coefficients(struct model *model, const struct json *json, bool high)
{
    const struct json *by_name = json_get_kind(json, "coefficients", JSON_OBJECT);
    struct coefficient *coefficients = model->fit->coefficients;
    if (!by_name ||
        !json_get_number(json, "intercept", high ? &coefficients[0].hi : &coefficients[0].lo))
        return false;
    const struct json *member = json_first(by_name);
    for (size_t i = 0; i < model->fit->features; i++, member = json_next(member)) {
        struct coefficient *coefficient = &coefficients[i + 1];
        if (!member || json_kind(member) != JSON_NUMBER)
            return false;
        *(high ? &coefficient->hi : &coefficient->lo) = json_number(member);
    }
    return true;
}

/* ERROR_BUSY without memory. */
static bool parse_aliased(struct model *model, const struct json *list, struct error *error)
{
    struct buffer name = {0};
    const struct json *item = json_first(list);
    for (size_t i = 0; item && i < model->fit->features; i++) {
        buffer_clear(&name);
        column_name(model->schema->names, model->predictor->encoding, i, &name);
        buffer_append(&name, "", 1);
        if (name.failed)
            break;
        model->fit->aliased[i] =
            json_kind(item) == JSON_STRING && strcmp(json_string(item), name.data) == 0;
        item = model->fit->aliased[i] ? json_next(item) : item;
    }
    if (name.failed)
        error_memory(error);
    buffer_free(&name);
    return !item;
}

static bool parse_fit(struct model *model, const struct json *json, struct error *error)
{
    struct fit *fit = model->fit;
    int64_t rank;
    const struct json *aliased = json_get_kind(json, "aliased", JSON_ARRAY);
    if (!json_get_count(json, "rows", &fit->rows) || !json_get_count(json, "rank", &rank) ||
        !aliased)
        return false;
    if (!json_get_number(json, "weight", &fit->weight))
        fit->weight = (double)fit->rows;
    fit->rank = (size_t)rank;
    fit->mse = model_parse_figure(json, "mse");
    fit->r2 = model_parse_figure(json, "r2");
    const struct json *live = json_get_kind(json, "live", JSON_OBJECT);
    return parse_aliased(model, aliased, error) && (!live || live_parse(&model->live, live)) &&
           model_parse_inference(model, json);
}

static bool parse_reach(struct model *model, const struct json *json, struct error *error)
{
    struct predictor *predictor = model->predictor;
    size_t numbers = schema_numbers(model->schema);
    const struct json *places = json_get_kind(json, "places", JSON_ARRAY);
    predictor->reach = reach_parse(json, numbers);
    if (!predictor->reach)
        return error_memory(error);
    if (places && !(predictor->maps = places_parse(places, numbers, error)))
        return false;
    return !predictor->maps ||
           metric_parse(predictor->maps, json_get_kind(json, "metric", JSON_ARRAY), error);
}

static bool parse_linear(struct model *model, const struct json *json, struct error *error)
{
    const struct json *remainder = json_get_kind(json, "remainder", JSON_OBJECT);
    return (remainder && parse_coefficients(model, json, true) &&
            parse_coefficients(model, remainder, false)) ||
           error_set(error, ERROR_DAMAGED, "a coefficient is missing");
}

/* The kind, its penalty, and what was tried. */
static bool parse_kind(struct model *model, const struct json *json)
{
    struct predictor *predictor = model->predictor;
    char name[16];
    const struct json *tried = json_get_kind(json, "tried", JSON_OBJECT);
    if (!json_get_text(json, "model", name, sizeof name))
        return false;
    predictor->candidate = candidate_named(name);
    for (size_t c = 0; tried && c < CANDIDATES; c++)
        model->tried[c] = model_parse_figure(tried, candidate_name((enum candidate)c));
    return predictor->candidate == LEAST_SQUARES ||
           (predictor->candidate < CANDIDATES &&
            json_get_number(json, "penalty", &predictor->penalty));
}

static bool parse_members(struct model *model, const struct json *json, struct error *error)
{
    const struct json *features = json_get_kind(json, "features", JSON_ARRAY);
    error->kind = ERROR_NONE;
    struct schema *schema = features ? schema_parse(features, error) : NULL;
    if (error->kind == ERROR_BUSY)
        return false;
    if (!schema)
        return error_set(error, ERROR_DAMAGED,
                         "the features are missing or not what they should be");
    model->schema = schema;
    model->predictor = calloc(1, sizeof *model->predictor);
    if (!model->predictor)
        return error_memory(error);
    model->predictor->encoding = levels_parse(schema, json, true, error);
    if (!model->predictor->encoding ||
        !(model->fit = fit_alloc(model->predictor->encoding->columns, error)))
        return false;
    model->predictor->fit = model->fit;
    if (!json_get_text(json, "created", model->created, sizeof model->created) ||
        !json_get_count(json, "version", &model->version) ||
        !json_get_count(json, "events", &model->events) || !parse_kind(model, json) ||
        !parse_fit(model, json, error))
        return error->kind == ERROR_BUSY
                   ? false
                   : error_set(error, ERROR_DAMAGED,
                               "a field is missing or is not what it should be");
    if (!parse_reach(model, json, error))
        return false;
    return model->predictor->candidate > RIDGE ? model_parse_terms(model, json, error)
                                               : parse_linear(model, json, error);
}

struct model *model_parse(const char *text, size_t length, struct error *error)
{
    if (seal_check(text, length) != SEAL_WHOLE) {
        error_set(error, ERROR_DAMAGED, "the checksum does not match");
        return NULL;
    }
    struct json *json = json_parse(text, length, error);
    if (!json) {
        error->kind = error->kind == ERROR_SYNTAX ? ERROR_DAMAGED : error->kind;
        return NULL;
    }
    struct model *model = calloc(1, sizeof *model);
    for (size_t c = 0; model && c < CANDIDATES; c++)
        model->tried[c] = NAN;
    bool ok = model ? parse_members(model, json, error) : error_memory(error);
    json_free(json);
    if (ok)
        return model;
    model_free(model);
    return NULL;
}
