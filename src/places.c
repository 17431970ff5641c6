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

struct term_maps *places_parse(const struct json *list, size_t features)
{
    struct place places[FOLDS_FEATURES_MAX + 1];
    size_t count = 0;
    const struct json *item = list ? json_first(list) : NULL;
    if (features > FOLDS_FEATURES_MAX)
        return NULL;
    for (; item && count <= features; item = json_next(item))
        if (!parse_place(item, &places[count++]))
            return NULL;
    return !item && count == features + 1 ? term_maps_of(places, features) : NULL;
}
