#include "model_terms.h"

#include "places.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A term's own unit and the target's: powers of two, so that nothing is rounded. */
static double outer_weight(const struct predictor *predictor, size_t i)
{
    int unit = terms_unit(predictor->maps->kinds[predictor->kind], i);
    return ldexp(predictor->weights[i], unit - TARGET_BITS);
}

static double inner_weight(const struct predictor *predictor, size_t i, double weight)
{
    int unit = terms_unit(predictor->maps->kinds[predictor->kind], i);
    return ldexp(weight, TARGET_BITS - unit);
}

/* "a", "a*b", "a^2*b"; "term 57" for what is no product of features. */
static void write_name(const struct model *model, size_t i, struct buffer *out)
{
    const struct predictor *predictor = model->predictor;
    size_t factors[TERMS_DEGREE_MAX];
    struct buffer name = {0};
    int degree = terms_factors(predictor->maps->kinds[predictor->kind], i, factors), power;
    if (degree == 0)
        buffer_printf(&name, "term %zu", i + 1);
    for (int d = 0; d < degree; d += power) {
        power = 1;
        while (d + power < degree && factors[d + power] == factors[d])
            power++;
        buffer_puts(&name, d > 0 ? "*" : "");
        buffer_puts(&name, model->schema->names[encoding_number(predictor->encoding, factors[d])]);
        if (power > 1)
            buffer_printf(&name, "^%d", power);
    }
    json_write_string(out, name.data, name.length);
    out->failed |= name.failed;
    buffer_free(&name);
}

void model_write_terms(const struct model *model, struct buffer *out)
{
    const struct predictor *predictor = model->predictor;
    buffer_puts(out, ",\n  \"intercept\": ");
    json_write_number(out, ldexp(predictor->intercept, -TARGET_BITS));
    buffer_puts(out, ",\n  \"coefficients\": {");
    for (size_t i = 0; i < predictor->count; i++) {
        buffer_puts(out, i > 0 ? ",\n    " : "\n    ");
        write_name(model, i, out);
        buffer_puts(out, ": ");
        json_write_number(out, outer_weight(predictor, i));
    }
    buffer_puts(out, "\n  }");
    buffer_puts(out, ",\n  \"places\": ");
    places_write(predictor->maps, out);
    buffer_puts(out, ",\n  \"least\": ");
    json_write_number(out, predictor->least);
    buffer_puts(out, ",\n  \"greatest\": ");
    json_write_number(out, predictor->greatest);
    buffer_puts(out,
                ",\n  \"formula\": \"each column has its place [centre, exponent], the target's "
                "last; t = (x - centre) / 2^exponent within -8 to 8; centre + 2^exponent of the "
                "target * (intercept + sum of coefficient * product of t), within least and "
                "greatest; other terms are functions of all t\"");
}

static bool parse_weights(struct predictor *predictor, const struct json *by_name)
{
    const struct json *member = by_name ? json_first(by_name) : NULL;
    for (size_t i = 0; i < predictor->count; i++, member = json_next(member)) {
        if (!member || json_kind(member) != JSON_NUMBER || !isfinite(json_number(member)))
            return false;
        predictor->weights[i] = inner_weight(predictor, i, json_number(member));
    }
    return !member;
}

bool model_parse_terms(struct model *model, const struct json *json, struct error *error)
{
    struct predictor *predictor = model->predictor;
    double intercept;
    if (!predictor->maps)
        return error_set(error, ERROR_DAMAGED, "the columns' places are not what they should be");
    predictor->kind = candidate_terms(predictor->candidate, predictor->maps, &predictor->count);
    predictor->weights = calloc(predictor->count + 1, sizeof *predictor->weights);
    if (!predictor->weights)
        return error_memory(error);
    if (predictor->count == 0 || !json_get_number(json, "intercept", &intercept) ||
        !json_get_number(json, "least", &predictor->least) ||
        !json_get_number(json, "greatest", &predictor->greatest) ||
        !parse_weights(predictor, json_get_kind(json, "coefficients", JSON_OBJECT)))
        return error_set(error, ERROR_DAMAGED, "a term's coefficient is missing");
    predictor->intercept = ldexp(intercept, TARGET_BITS);
    if (model_is_outdated(model)) /* it told the rank of the columns, not of the terms */
        model->fit->rank = predictor->count + 1;
    return true;
}
