/* Encoding: how a row's features become columns of numbers.
 *
 * A row has one double a feature and then the target; of a category that is the level's code
 * (symbols.h), and what is missing is NaN. A number has one column; a category one for each level,
 * which is 1 where the row has that level, and 0 elsewhere; and each feature that has ever been
 * missing one more, 1 where it is, and then its other columns are 0. So a new level, and the first
 * missing value, is a new column that all earlier rows have 0 in. The columns are in the order of
 * the features, those of a category in the order of the levels' bytes: it does not matter in which
 * order rows came. */
#ifndef TRENDLINE_ENCODING_H
#define TRENDLINE_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

enum cell_kind { CELL_NUMBER, CELL_CATEGORY };

enum {
    ENCODING_LEVELS_MAX = 256,  /* of one feature */
    ENCODING_COLUMNS_MAX = 500, /* of all, unless there are more features already */
    ENCODING_ROOM = 1025        /* doubles that hold any row's columns and target */
};

struct coding {
    enum cell_kind kind;
    bool missing;   /* there is a column for it */
    double base;    /* the level that has no column; 0: all have */
    double *levels; /* count of them, by their text; owned */
    size_t count;
};

struct encoding {
    size_t features, columns;
    bool is_plain; /* the columns are the features */
    struct coding *of;
};

/* Without levels yet; `kinds` NULL: all are numbers. NULL without memory, for these five. */
struct encoding *encoding_new(const enum cell_kind *kinds, size_t features);
struct encoding *encoding_copy(const struct encoding *encoding);
/* One that has all columns of both, which are of the same features. NULL, too, beyond the room. */
struct encoding *encoding_union(const struct encoding *a, const struct encoding *b);
void encoding_free(struct encoding *encoding); /* NULL is fine */

bool encoding_equal(const struct encoding *a, const struct encoding *b);
/* The number of features that are numbers, and which feature the i-th of them is. */
size_t encoding_numbers(const struct encoding *encoding);
size_t encoding_number(const struct encoding *encoding, size_t i);

/* Is there a column for all that the row says of feature j? */
bool encoding_knows_cell(const struct encoding *encoding, const double *row, size_t j);
bool encoding_knows(const struct encoding *encoding, const double *row);

/* Makes a column for a level of feature j, or for its being missing, if there is none. False
 * without memory or beyond the room. */
bool encoding_add_level(struct encoding *encoding, size_t j, double level);
bool encoding_add_missing(struct encoding *encoding, size_t j);
/* Takes away the column of a level that there is, and gives back that of the base before. */
void encoding_set_base(struct encoding *encoding, size_t j, double level);

enum encoding_result { ENCODING_OK, ENCODING_NO_MEMORY, ENCODING_LEVELS, ENCODING_COLUMNS };

/* Makes columns for all that the row says. Without `limited` there may be more than the limits, up
 * to the room. Else ENCODING_LEVELS or ENCODING_COLUMNS: feature *feature would have too many
 * levels, or all of them too many columns; then columns for a part of the row may have been made.
 */
enum encoding_result encoding_extend(struct encoding *encoding, const double *row, bool limited,
                                     size_t *feature);

/* Is nothing of the row missing? */
bool encoding_is_complete(const struct encoding *encoding, const double *row);

/* Lets each category have a level without a column: that of `like`, or where `like` is NULL or has
 * none the first. */
void encoding_set_bases(struct encoding *encoding, const struct encoding *like);

/* The row's columns and target: in `room`, or the row itself. What has no column leaves the others
 * of its feature 0, but a number that is missing is then as `fill` has it, by column; NULL: 0. */
const double *encoding_row(const struct encoding *encoding, const double *row, const double *fill,
                           double room[static ENCODING_ROOM]);

/* Which column of `from` is column j of `to`, or SIZE_MAX, into map[j]. */
void encoding_map(const struct encoding *from, const struct encoding *to, size_t *map);

/* Its features in another order: feature j is what from[j] was. NULL without memory. map[j] becomes
 * which column column j of the result was. */
struct encoding *encoding_reorder(const struct encoding *encoding, const size_t *from, size_t *map);

/* What column j is. */
struct encoding_column {
    size_t feature;
    bool is_missing; /* else the value, or: */
    double level;    /* 0: of a number */
};
struct encoding_column encoding_column(const struct encoding *encoding, size_t j);
bool encoding_has_column(const struct encoding *encoding, struct encoding_column column);

/* Is that a level of any feature? */
bool encoding_has_level(const struct encoding *encoding, double level);

/* A copy that lacks the columns of levels and of missing values that are marked; no category has a
 * base. NULL without memory. */
struct encoding *encoding_without(const struct encoding *encoding, const bool *marked);

#endif
