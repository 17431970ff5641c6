#include "maps_text.h"

#include "json.h"
#include "places.h"
#include "seal.h"

#include <string.h>

void maps_write(const struct schema *schema, const struct term_maps *maps, struct buffer *out)
{
    size_t start = out->length;
    buffer_puts(out, "{\"features\": ");
    schema_write(schema, out);
    buffer_puts(out, ", \"places\": ");
    places_write(maps, out);
    metric_write(maps, "\n", out);
    seal(out, start);
}

/* Nothing but the members that there were before there was a checksum: one whose name is damaged is
 * none of them. */
static bool is_of_before(const struct json *json)
{
    const struct json *member = json_kind(json) == JSON_OBJECT ? json_first(json) : NULL;
    bool known = member != NULL;
    for (; known && member; member = json_next(member)) {
        const char *name = json_name(member);
        known = strcmp(name, "features") == 0 || strcmp(name, "places") == 0 ||
                strcmp(name, "metric") == 0;
    }
    return known;
}

/* NULL: it is not what was written. */
static struct json *parse_sealed(const char *text, size_t length, struct error *error)
{
    enum seal_state state = seal_check(text, length);
    struct json *json = state == SEAL_BROKEN ? NULL : json_parse(text, length, error);
    if (json && (state == SEAL_WHOLE || is_of_before(json)))
        return json;
    if (json || state == SEAL_BROKEN || error->kind != ERROR_BUSY)
        error_set(error, ERROR_DAMAGED,
                  state == SEAL_BROKEN ? "the checksum does not match"
                                       : "these are not the places of terms");
    json_free(json);
    return NULL;
}

static struct term_maps *parse_maps(const struct json *json, const struct schema *schema,
                                    struct error *error)
{
    struct term_maps *maps =
        places_parse(json_get_kind(json, "places", JSON_ARRAY), schema_numbers(schema), error);
    if (!maps || metric_parse(maps, json_get_kind(json, "metric", JSON_ARRAY), error))
        return maps;
    term_maps_free(maps);
    return NULL;
}

static struct schema *parse_features(const struct json *json, struct error *error)
{
    const struct json *names = json_get_kind(json, "features", JSON_ARRAY);
    error->kind = ERROR_NONE;
    struct schema *schema = names ? schema_parse(names, error) : NULL;
    if (!schema && error->kind != ERROR_BUSY)
        error_set(error, ERROR_DAMAGED, "the features are not what they should be");
    return schema;
}

static bool parse_members(const struct json *json, struct schema **schema, struct term_maps **maps,
                          struct error *error)
{
    *schema = parse_features(json, error);
    *maps = *schema ? parse_maps(json, *schema, error) : NULL;
    if (*maps)
        return true;
    schema_free(*schema);
    *schema = NULL;
    return false;
}

bool maps_parse(const char *text, size_t length, struct schema **schema, struct term_maps **maps,
                struct error *error)
{
    *schema = NULL;
    *maps = NULL;
    struct json *json = parse_sealed(text, length, error);
    bool ok = json && parse_members(json, schema, maps, error);
    json_free(json);
    return ok;
}
