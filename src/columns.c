#include "columns.h"

#include <string.h>

bool columns_is_weight(const char *name)
{
    return strcmp(name, "_weight") == 0;
}

/* Features, target and weight of all columns, by their names. */
static bool sort_columns(struct columns *columns, const struct table *table, struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < table_columns(table); i++) {
        char *name = table_column_names(table)[i];
        if (columns_is_weight(name))
            columns->weight = i;
        else if (name[0] == '_')
            return error_set(error, ERROR_UNUSABLE,
                             "%s:1: column %s: a name that begins with _ is an option, and of "
                             "these only _weight is known here; rename the column, or leave it out",
                             columns->file, name);
        else
            columns->names[count++] = name;
    }
    columns->features = count > 0 ? count - 1 : 0;
    return columns->features > 0 ||
           error_set(error, ERROR_UNUSABLE,
                     "%s:1: one column is not enough: features, then the target", columns->file);
}

bool columns_find(struct columns *columns, struct table *table, const char *file,
                  struct error *error)
{
    *columns = (struct columns){.weight = SIZE_MAX, .file = file};
    if (!sort_columns(columns, table, error))
        return false;
    table_set_target(table, columns_of_feature(columns, columns->features));
    if (columns->weight != SIZE_MAX)
        table_set_target(table, columns->weight);
    return true;
}

size_t columns_of_feature(const struct columns *columns, size_t feature)
{
    return feature + (feature >= columns->weight);
}

bool columns_arrange(const struct columns *columns, double *row, uint64_t line, struct error *error)
{
    double weight = 1;
    size_t at = columns->weight;
    if (at != SIZE_MAX) {
        weight = row[at];
        memmove(row + at, row + at + 1, (columns->features + 1 - at) * sizeof *row);
    }
    row[columns->features + 1] = weight;
    return weight > 0 ||
           error_set(error, ERROR_UNUSABLE, "%s:%llu: column _weight: must be a number above 0",
                     columns->file, (unsigned long long)line);
}
