#include "places.h"

#include <math.h>

void places_write(const struct term_maps *maps, struct buffer *out)
{
    for (size_t j = 0; j <= maps->features; j++) {
        buffer_puts(out, j > 0 ? ", [" : "[[");
        json_write_number(out, maps->places[j].centre);
        buffer_printf(out, ", %d]", maps->places[j].exponent);
    }
    buffer_puts(out, "]");
}

static bool parse_place(const struct json *json, struct place *place)
{
    const struct json *centre = json_kind(json) == JSON_ARRAY ? json_first(json) : NULL;
    const struct json *exponent = centre ? json_next(centre) : NULL;
    if (!exponent || json_kind(centre) != JSON_NUMBER || json_kind(exponent) != JSON_NUMBER ||
        !isfinite(json_number(centre)) || !(fabs(json_number(exponent)) <= PLACE_EXPONENT_MAX))
        return false;
    *place = (struct place){json_number(centre), (int)json_number(exponent)};
    return true;
}

static bool parse_places(const struct json *list, struct place *places, size_t count)
{
    size_t used = 0;
    const struct json *item = list ? json_first(list) : NULL;
    for (; item && used < count; item = json_next(item))
        if (!parse_place(item, &places[used++]))
            return false;
    return !item && used == count;
}

struct term_maps *places_parse(const struct json *list, size_t features, struct error *error)
{
    struct place places[FOLDS_FEATURES_MAX + 1];
    if (features > FOLDS_FEATURES_MAX || !parse_places(list, places, features + 1)) {
        error_set(error, ERROR_DAMAGED, "the columns' places are not what they should be");
        return NULL;
    }
    struct term_maps *maps = term_maps_of(places, features);
    if (!maps)
        error_memory(error);
    return maps;
}

void metric_write(const struct term_maps *maps, const char *indent, struct buffer *out)
{
    size_t count = maps->features * (maps->features + 1) / 2;
    if (!maps->metric)
        return;
    buffer_printf(out, ",%s\"metric\": [", indent);
    for (size_t i = 0; i < count; i++) {
        buffer_puts(out, i > 0 ? ", " : "");
        json_write_number(out, maps->metric[i]);
    }
    buffer_puts(out, "]");
}

static bool parse_metric(const struct json *list, double *metric, size_t count)
{
    size_t used = 0;
    const struct json *item = json_first(list);
    for (; item && used < count; item = json_next(item)) {
        if (json_kind(item) != JSON_NUMBER || !isfinite(json_number(item)))
            return false;
        metric[used++] = json_number(item);
    }
    return !item && used == count;
}

bool metric_parse(struct term_maps *maps, const struct json *list, struct error *error)
{
    double metric[METRIC_MAX * (METRIC_MAX + 1) / 2];
    if (!list)
        return true;
    if (maps->features > METRIC_MAX ||
        !parse_metric(list, metric, maps->features * (maps->features + 1) / 2))
        return error_set(error, ERROR_DAMAGED, "the metric is not what it should be");
    return term_maps_set_metric(maps, metric) || error_memory(error);
}

/* null where it was missing in all rows. */
static void write_range(const struct reach *reach, size_t i, struct buffer *out)
{
    bool any = reach->least[i] <= reach->greatest[i];
    buffer_puts(out, "[");
    json_write_figure(out, any ? reach->least[i] : NAN);
    buffer_puts(out, ", ");
    json_write_figure(out, any ? reach->greatest[i] : NAN);
    buffer_puts(out, "]");
}

void reach_write(const struct reach *reach, const char *indent, struct buffer *out)
{
    if (!reach->known)
        return;
    buffer_printf(out, ",%s\"reach\": [", indent);
    for (size_t i = 0; i < reach->numbers; i++) {
        buffer_puts(out, i > 0 ? ", " : "");
        write_range(reach, i, out);
    }
    buffer_puts(out, "]");
    if (reach->distance >= 0) {
        buffer_printf(out, ",%s\"distance\": ", indent);
        json_write_figure(out, reach->distance);
    }
}

/* null is an end of nothing. */
static double end_of(const struct json *item, double nothing)
{
    return item && json_kind(item) == JSON_NUMBER ? json_number(item) : nothing;
}

static bool parse_range(const struct json *range, double *least, double *greatest)
{
    const struct json *low = json_kind(range) == JSON_ARRAY ? json_first(range) : NULL;
    const struct json *high = low ? json_next(low) : NULL;
    *least = end_of(low, INFINITY);
    *greatest = end_of(high, -INFINITY);
    return high != NULL;
}

struct reach *reach_parse(const struct json *json, size_t numbers)
{
    struct reach *reach = reach_new(numbers);
    const struct json *list = json_get_kind(json, "reach", JSON_ARRAY);
    const struct json *item = list ? json_first(list) : NULL;
    if (!reach)
        return NULL;
    for (size_t i = 0; item && i < numbers; i++, item = json_next(item))
        if (!parse_range(item, &reach->least[i], &reach->greatest[i]))
            break;
    reach->known = list && !item;
    const struct json *distance = json_get(json, "distance");
    if (distance)
        reach->distance = end_of(distance, INFINITY);
    return reach;
}

void recent_write(const struct recent *recent, struct buffer *out)
{
    const char *before = "[";
    for (size_t i = 0; i < RECENT_BLOCKS; i++) {
        const struct recent_block *block = &recent->blocks[i];
        if (block->index < 0)
            continue;
        buffer_printf(out, "%s{\"block\":%lld,\"target\":", before, (long long)block->index);
        write_range(block->reach, block->reach->numbers, out);
        reach_write(block->reach, "", out);
        buffer_puts(out, "}");
        before = ",";
    }
    buffer_puts(out, before[0] == ',' ? "]" : "[]");
}

static bool parse_block(struct recent *recent, const struct json *json, size_t numbers,
                        struct error *error)
{
    int64_t index = 0;
    struct reach *reach = reach_parse(json, numbers);
    if (!reach)
        return error_memory(error);
    const struct json *target = json_get_kind(json, "target", JSON_ARRAY);
    bool ok = target && json_get_count(json, "block", &index) && reach->known &&
              index < INT64_MAX / recent->length &&
              parse_range(target, &reach->least[numbers], &reach->greatest[numbers]);
    if (ok)
        reach_merge(recent_block(recent, index * recent->length + 1), reach);
    reach_free(reach);
    return ok || error_set(error, ERROR_DAMAGED, "a block of recent rows cannot be read");
}

struct recent *recent_parse(const struct json *list, double factor, size_t numbers,
                            struct error *error)
{
    struct recent *recent = recent_new(factor, numbers);
    const struct json *item = json_first(list);
    if (!recent) {
        error_memory(error);
        return NULL;
    }
    while (item && parse_block(recent, item, numbers, error))
        item = json_next(item);
    if (!item)
        return recent;
    recent_free(recent);
    return NULL;
}
