#include "maps_file.h"

#include "file.h"
#include "maps_text.h"
#include "seal.h"

#include <stdio.h>

bool maps_file_write(const char *path, const struct schema *schema, const struct term_maps *maps,
                     struct error *error)
{
    struct buffer text = {0};
    maps_write(schema, maps, &text);
    bool ok =
        text.failed ? error_memory(error) : file_replace(path, text.data, text.length, true, error);
    buffer_free(&text);
    return ok;
}

/* Should that fail, whoever reads it next does the same. */
static void write_again(const char *path, const struct schema *schema, const struct term_maps *maps)
{
    struct error late;
    if (!maps_file_write(path, schema, maps, &late))
        fprintf(stderr, "%s\n", late.text);
}

static bool mend(struct store *store, const char *path, const struct schema *schema,
                 struct known_maps known, struct term_maps **maps, struct error *error)
{
    fprintf(stderr, TERMS_NAME ": %s: %s\n", error->text,
            known.maps ? "writing it again, as the sums and the model have it"
                       : "making it again from the rows");
    if (!known.maps)
        return true;
    write_again(path, known.schema, known.maps);
    return store_take_known(store, schema, known, maps, error);
}

bool maps_file_read(struct store *store, const char *path, const struct schema *schema,
                    struct known_maps known, struct term_maps **maps, struct error *error)
{
    struct buffer text = {0};
    *maps = NULL;
    if (!store->config->has_terms)
        return true;
    bool ok = file_read(path, MODEL_BYTES_MAX, &text, error) &&
              store_parse_maps(store, schema, text.data, text.length, maps, error);
    bool of_before = *maps && seal_check(text.data, text.length) == SEAL_NONE;
    buffer_free(&text);
    if (of_before)
        write_again(path, store->maps_schema, *maps);
    if (!ok && (error->kind == ERROR_DAMAGED || error->kind == ERROR_TOO_LARGE))
        return mend(store, path, schema, known, maps, error);
    return ok || error->kind == ERROR_ABSENT;
}
