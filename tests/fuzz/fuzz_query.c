/* Query strings: the input is one, bound as GET /predict does. */
#include "binding.h"
#include "fuzz.h"
#include "http.h"
#include "json.h"
#include "number.h"

struct visits {
    struct binding binding;
    struct buffer pairs; /* every name and value, as a query that has all bytes escaped */
};

static void escape(struct buffer *out, const char *text, char end)
{
    for (; *text; text++)
        buffer_printf(out, "%%%02X", (unsigned char)*text);
    buffer_append(out, &end, 1);
}

static void visit(void *context, const char *name, const char *value)
{
    static const enum binding_value kinds[] = {[NUMBER_OK] = BINDING_NUMBER,
                                               [NUMBER_INVALID] = BINDING_NOT_A_NUMBER,
                                               [NUMBER_TOO_LARGE] = BINDING_TOO_LARGE};
    struct visits *visits = context;
    double number = 0;
    enum number_result result = number_parse(value, strlen(value), &number);
    binding_value(&visits->binding, name, kinds[result], number);
    escape(&visits->pairs, name, '=');
    escape(&visits->pairs, value, '&');
}

static bool bind(const char *query, const struct schema *schema, struct visits *visits,
                 struct error *error)
{
    WANT(binding_begin(&visits->binding, schema, false, error));
    buffer_clear(&visits->pairs);
    return http_query(query, visit, visits, error) && binding_end(&visits->binding, error);
}

/* What the client would get is JSON, whatever of its query the sentence quotes. */
static void check_error(const struct error *error)
{
    struct response response = {0};
    struct error ignored;
    WANT(is_told(error));
    response_error(&response, error);
    WANT(response.status == 400 || response.status == 422);
    struct json *json = json_parse(response.body.data, response.body.length, &ignored);
    WANT(json && json_get_kind(json, "error", JSON_STRING));
    json_free(json);
    buffer_free(&response.body);
}

/* The same pairs, escaped throughout, must bind to the same row. */
static void check_escaped(const struct visits *visits, const struct schema *schema)
{
    struct visits again = {0};
    struct error error;
    struct buffer query = {0};
    buffer_append(&query, visits->pairs.data, visits->pairs.length);
    buffer_append(&query, "", 1);
    WANT(bind(query.data, schema, &again, &error));
    WANT(same_bytes(&visits->pairs, &again.pairs));
    WANT(memcmp(visits->binding.row, again.binding.row, schema->count * sizeof(double)) == 0);
    binding_free(&again.binding);
    buffer_free(&again.pairs);
    buffer_free(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "ü &="};
    struct visits visits = {0};
    struct error error = {0};
    struct schema *schema = schema_new(names, NULL, 3, &error);
    char *query = strndup((const char *)data, size);
    bool ok = bind(query, schema, &visits, &error);
    for (size_t i = 0; ok && i < schema->count; i++)
        WANT(visits.binding.seen[i] && isfinite(visits.binding.row[i]));
    if (ok)
        check_escaped(&visits, schema);
    else
        check_error(&error);
    binding_free(&visits.binding);
    buffer_free(&visits.pairs);
    schema_free(schema);
    free(query);
    return 0;
}
