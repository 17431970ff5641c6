#include "report.h"

#include "file.h"
#include "report_page.h"

#include <string.h>

/* Where the figures belong in the page. */
static const char gap[] = "@DATA@";

/* In HTML a script ends at "</script", whatever it says; in JSON "<" stands in strings alone, where
 * it may be written like this. */
static void append_for_script(struct buffer *out, const struct buffer *json)
{
    size_t from = 0;
    for (size_t i = 0; i < json->length; i++)
        if (json->data[i] == '<') {
            buffer_append(out, json->data + from, i - from);
            buffer_puts(out, "\\u003c");
            from = i + 1;
        }
    buffer_append(out, json->data + from, json->length - from);
}

static void append_page(struct buffer *out, const struct buffer *json)
{
    const char *place = memmem(report_page, report_page_length, gap, sizeof gap - 1);
    size_t before = (size_t)(place - report_page), after = before + sizeof gap - 1;
    buffer_append(out, report_page, before);
    append_for_script(out, json);
    buffer_append(out, report_page + after, report_page_length - after);
}

bool report_write(const struct report *report, const char *path, struct error *error)
{
    struct buffer json = {0}, page = {0};
    report_write_json(report, &json);
    if (!json.failed)
        append_page(&page, &json);
    bool ok = !json.failed && !page.failed;
    ok = ok ? file_replace(path, page.data, page.length, true, error) : error_memory(error);
    buffer_free(&json);
    buffer_free(&page);
    return ok;
}
