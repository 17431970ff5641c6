#include "prediction_query.h"

#include "http.h"
#include "number.h"

#include <math.h>
#include <string.h>

struct option_reader {
    struct prediction_options *options;
    struct binding *binding; /* for all else; NULL: there must be nothing else */
    struct error error;      /* ERROR_NONE: all is well */
};

static void read_level(struct option_reader *reader, const char *value)
{
    double level;
    if (number_parse(value, strlen(value), &level) == NUMBER_OK && level > 0 && level < 1)
        reader->options->level = level;
    else
        error_set(&reader->error, ERROR_UNUSABLE,
                  "_interval must be between 0 and 1, such as 0.95");
}

static void read_explained(struct option_reader *reader, const char *value)
{
    reader->options->explained = strcmp(value, "1") == 0;
    if (!reader->options->explained && strcmp(value, "0") != 0)
        error_set(&reader->error, ERROR_UNUSABLE, "_explain must be 0 or 1");
}

static void bind_text(struct binding *binding, const char *name, const char *value)
{
    if (binding_kind(binding, name) == CELL_CATEGORY || value[0] == '\0') {
        if (value[0] == '\0')
            binding_value(binding, name, BINDING_MISSING, 0);
        else
            binding_text(binding, name, value);
        return;
    }
    static const enum binding_value kinds[] = {[NUMBER_OK] = BINDING_NUMBER,
                                               [NUMBER_INVALID] = BINDING_NOT_A_NUMBER,
                                               [NUMBER_TOO_LARGE] = BINDING_TOO_LARGE};
    double number = strcmp(value, "true") == 0;
    enum number_result result = NUMBER_OK;
    if (number == 0 && strcmp(value, "false") != 0)
        result = number_parse(value, strlen(value), &number);
    binding_value(binding, name, kinds[result], number);
}

static void read_pair(void *context, const char *name, const char *value)
{
    struct option_reader *reader = context;
    if (strcmp(name, "_interval") == 0)
        read_level(reader, value);
    else if (strcmp(name, "_explain") == 0)
        read_explained(reader, value);
    else if (reader->binding)
        bind_text(reader->binding, name, value);
    else
        error_set(&reader->error, ERROR_UNUSABLE,
                  "\"%.200s\" is no option here: the features are in the body", name);
}

static bool find_scale(const struct model *model, struct prediction_options *options,
                       struct error *error)
{
    options->scale = model_interval_scale(model, options->level);
    return isfinite(options->scale) ||
           error_set(error, ERROR_UNUSABLE,
                     "there is no interval: it takes more rows than coefficients, and of more than "
                     "%d columns a cross-validated error",
                     FIT_INVERSE_MAX);
}

bool prediction_query(const char *query, const struct model *model, struct binding *binding,
                      struct prediction_options *options, struct error *error)
{
    struct option_reader reader = {.options = options, .binding = binding};
    *options = (struct prediction_options){.level = 0};
    if (!http_query(query, read_pair, &reader, error))
        return false;
    if (reader.error.kind != ERROR_NONE) {
        *error = reader.error;
        return false;
    }
    return options->level == 0 || find_scale(model, options, error);
}
