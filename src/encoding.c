#include "encoding.h"

#include "symbols.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t columns_of(const struct coding *coding)
{
    size_t values = coding->kind == CELL_NUMBER ? 1 : coding->count - (coding->base > 0);
    return values + coding->missing;
}

static void count_columns(struct encoding *encoding)
{
    encoding->columns = 0;
    encoding->is_plain = true;
    for (size_t j = 0; j < encoding->features; j++) {
        const struct coding *coding = &encoding->of[j];
        encoding->columns += columns_of(coding);
        encoding->is_plain &= coding->kind == CELL_NUMBER && !coding->missing;
    }
}

struct encoding *encoding_new(const enum cell_kind *kinds, size_t features)
{
    struct encoding *encoding = malloc(sizeof *encoding);
    if (!encoding)
        return NULL;
    *encoding = (struct encoding){.features = features};
    encoding->of = calloc(features + 1, sizeof *encoding->of);
    if (!encoding->of) {
        free(encoding);
        return NULL;
    }
    for (size_t j = 0; kinds && j < features; j++)
        encoding->of[j].kind = kinds[j];
    count_columns(encoding);
    return encoding;
}

static bool copy_levels(struct coding *into, const struct coding *from)
{
    *into = *from;
    into->levels = NULL;
    if (from->count == 0)
        return true;
    into->levels = malloc(from->count * sizeof *into->levels);
    if (into->levels)
        memcpy(into->levels, from->levels, from->count * sizeof *into->levels);
    return into->levels != NULL;
}

struct encoding *encoding_copy(const struct encoding *encoding)
{
    struct encoding *copy = encoding_new(NULL, encoding->features);
    bool ok = copy != NULL;
    for (size_t j = 0; ok && j < encoding->features; j++)
        ok = copy_levels(&copy->of[j], &encoding->of[j]);
    if (!ok) {
        encoding_free(copy);
        return NULL;
    }
    count_columns(copy);
    return copy;
}

static void drop_levels(struct coding *coding, const bool *unused)
{
    size_t kept = 0;
    for (size_t i = 0; i < coding->count; i++)
        if (!unused[i])
            coding->levels[kept++] = coding->levels[i];
    coding->count = kept;
}

struct encoding *encoding_without(const struct encoding *encoding, const bool *unused)
{
    struct encoding *rest = encoding_copy(encoding);
    size_t used = 0;
    for (size_t j = 0; rest && j < rest->features; j++) {
        struct coding *coding = &rest->of[j];
        size_t columns = columns_of(coding);
        coding->missing = coding->missing && !unused[used + columns - 1];
        drop_levels(coding, unused + used);
        used += columns;
    }
    if (rest)
        count_columns(rest);
    return rest;
}

void encoding_free(struct encoding *encoding)
{
    if (!encoding)
        return;
    for (size_t j = 0; j < encoding->features; j++)
        free(encoding->of[j].levels);
    free(encoding->of);
    free(encoding);
}

bool encoding_equal(const struct encoding *a, const struct encoding *b)
{
    bool equal = a->features == b->features && a->columns == b->columns;
    for (size_t j = 0; equal && j < a->features; j++) {
        const struct coding *x = &a->of[j], *y = &b->of[j];
        equal = x->kind == y->kind && x->missing == y->missing && x->base == y->base &&
                x->count == y->count;
        for (size_t i = 0; equal && i < x->count; i++)
            equal = x->levels[i] == y->levels[i];
    }
    return equal;
}

size_t encoding_numbers(const struct encoding *encoding)
{
    size_t count = 0;
    for (size_t j = 0; j < encoding->features; j++)
        count += encoding->of[j].kind == CELL_NUMBER;
    return count;
}

size_t encoding_number(const struct encoding *encoding, size_t i)
{
    size_t j = 0;
    for (;; j++)
        if (encoding->of[j].kind == CELL_NUMBER && i-- == 0)
            return j;
}

/* ------------------------------------------------------------------ levels */

static bool has_level(const struct coding *coding, double level)
{
    size_t i = 0;
    while (i < coding->count && coding->levels[i] != level)
        i++;
    return i < coding->count;
}

static bool knows_cell(const struct coding *coding, double cell)
{
    if (isnan(cell))
        return coding->missing;
    return coding->kind == CELL_NUMBER || has_level(coding, cell);
}

bool encoding_knows_cell(const struct encoding *encoding, const double *row, size_t j)
{
    return knows_cell(&encoding->of[j], row[j]);
}

bool encoding_knows(const struct encoding *encoding, const double *row)
{
    size_t j = 0;
    while (j < encoding->features && knows_cell(&encoding->of[j], row[j]))
        j++;
    return j == encoding->features;
}

/* Codes whose text is not known come last, by themselves; there are none but in made-up rows. */
static int compare_levels(double a, double b)
{
    const char *x = symbol_text(a), *y = symbol_text(b);
    int by_text = x && y ? strcmp(x, y) : !x - !y;
    return by_text ? by_text : (a > b) - (a < b);
}

static bool add_level(struct coding *coding, double level)
{
    double *levels = realloc(coding->levels, (coding->count + 1) * sizeof *levels);
    if (!levels)
        return false;
    coding->levels = levels;
    size_t at = coding->count++;
    for (; at > 0 && compare_levels(level, levels[at - 1]) < 0; at--)
        levels[at] = levels[at - 1];
    levels[at] = level;
    return true;
}

static bool has_room(const struct encoding *encoding)
{
    return encoding->columns < ENCODING_ROOM - 1;
}

bool encoding_add_level(struct encoding *encoding, size_t j, double level)
{
    struct coding *coding = &encoding->of[j];
    bool ok = has_level(coding, level) || (has_room(encoding) && add_level(coding, level));
    count_columns(encoding);
    return ok;
}

bool encoding_add_missing(struct encoding *encoding, size_t j)
{
    bool ok = encoding->of[j].missing || has_room(encoding);
    encoding->of[j].missing = ok;
    count_columns(encoding);
    return ok;
}

void encoding_set_base(struct encoding *encoding, size_t j, double level)
{
    encoding->of[j].base = level;
    count_columns(encoding);
}

enum encoding_result encoding_extend(struct encoding *encoding, const double *row, bool limited,
                                     size_t *feature)
{
    for (*feature = 0; *feature < encoding->features; ++*feature) {
        size_t j = *feature;
        if (knows_cell(&encoding->of[j], row[j]))
            continue;
        if (limited && !isnan(row[j]) && encoding->of[j].count >= ENCODING_LEVELS_MAX)
            return ENCODING_LEVELS;
        if (limited && encoding->columns >= ENCODING_COLUMNS_MAX)
            return ENCODING_COLUMNS;
        if (!(isnan(row[j]) ? encoding_add_missing(encoding, j)
                            : encoding_add_level(encoding, j, row[j])))
            return ENCODING_NO_MEMORY;
    }
    return ENCODING_OK;
}

static bool unite(struct coding *into, const struct coding *from)
{
    into->missing |= from->missing;
    for (size_t i = 0; i < from->count; i++)
        if (!has_level(into, from->levels[i]) && !add_level(into, from->levels[i]))
            return false;
    return true;
}

struct encoding *encoding_union(const struct encoding *a, const struct encoding *b)
{
    struct encoding *both = encoding_copy(a);
    bool ok = both != NULL;
    for (size_t j = 0; ok && j < both->features; j++)
        ok = unite(&both->of[j], &b->of[j]);
    if (!ok) {
        encoding_free(both);
        return NULL;
    }
    count_columns(both);
    return both;
}

void encoding_set_bases(struct encoding *encoding, const struct encoding *like)
{
    for (size_t j = 0; j < encoding->features; j++) {
        const struct coding *coding = &encoding->of[j];
        double base = like ? like->of[j].base : 0;
        if (coding->count > 0)
            encoding_set_base(encoding, j,
                              base > 0 && has_level(coding, base) ? base : coding->levels[0]);
    }
}

/* ------------------------------------------------------------------ columns */

/* Writes the feature's columns, and returns how many. */
static size_t encode_cell(const struct coding *coding, double cell, double fill, double *columns)
{
    size_t used = 0;
    if (coding->kind == CELL_NUMBER)
        columns[used++] = !isnan(cell) ? cell : coding->missing ? 0 : fill;
    for (size_t i = 0; i < coding->count; i++)
        if (coding->levels[i] != coding->base)
            columns[used++] = coding->levels[i] == cell;
    if (coding->missing)
        columns[used++] = isnan(cell);
    return used;
}

bool encoding_is_complete(const struct encoding *encoding, const double *row)
{
    size_t j = 0;
    while (j < encoding->features && !isnan(row[j]))
        j++;
    return j == encoding->features;
}

const double *encoding_row(const struct encoding *encoding, const double *row, const double *fill,
                           double room[static ENCODING_ROOM])
{
    size_t used = 0;
    if (encoding->is_plain && encoding_is_complete(encoding, row))
        return row;
    for (size_t j = 0; j < encoding->features; j++)
        used += encode_cell(&encoding->of[j], row[j], fill ? fill[used] : 0, room + used);
    room[used] = row[encoding->features];
    return room;
}

struct encoding_column encoding_column(const struct encoding *encoding, size_t j)
{
    struct encoding_column column = {0};
    for (; j >= columns_of(&encoding->of[column.feature]); column.feature++)
        j -= columns_of(&encoding->of[column.feature]);
    const struct coding *coding = &encoding->of[column.feature];
    column.is_missing = coding->missing && j + 1 == columns_of(coding);
    for (size_t i = 0; !column.is_missing && i < coding->count; i++)
        if (coding->levels[i] != coding->base && j-- == 0)
            column.level = coding->levels[i];
    return column;
}

static bool same_column(struct encoding_column a, struct encoding_column b)
{
    return a.feature == b.feature && a.is_missing == b.is_missing && a.level == b.level;
}

/* Both have their columns in the same order. */
void encoding_map(const struct encoding *from, const struct encoding *to, size_t *map)
{
    size_t next = 0;
    for (size_t j = 0; j < to->columns; j++) {
        struct encoding_column wanted = encoding_column(to, j), found = {0};
        size_t i = next;
        while (i < from->columns && (found = encoding_column(from, i)).feature <= wanted.feature &&
               !same_column(found, wanted))
            i++;
        bool known = i < from->columns && same_column(found, wanted);
        map[j] = known ? i : SIZE_MAX;
        next = known ? i + 1 : next;
    }
}

struct encoding *encoding_reorder(const struct encoding *encoding, const size_t *from, size_t *map)
{
    struct encoding *result = encoding_new(NULL, encoding->features);
    bool ok = result != NULL;
    for (size_t j = 0; ok && j < result->features; j++)
        ok = copy_levels(&result->of[j], &encoding->of[from[j]]);
    if (!ok) {
        encoding_free(result);
        return NULL;
    }
    count_columns(result);
    for (size_t j = 0; j < result->columns; j++) {
        struct encoding_column column = encoding_column(result, j);
        column.feature = from[column.feature];
        map[j] = 0;
        while (!same_column(encoding_column(encoding, map[j]), column))
            map[j]++;
    }
    return result;
}
