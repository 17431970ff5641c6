/* Moments with their columns in another order, with more of them, or fewer. */
#include "moments_private.h"

#include <stdlib.h>
#include <string.h>

/* Which column of the old sums column j of the new ones is; SIZE_MAX: none. */
static size_t source(const struct moments *from, const size_t *map, size_t features, size_t j)
{
    if (j == 0)
        return 0;
    if (j == features + 1)
        return from->count - 1;
    return map[j - 1] == SIZE_MAX ? SIZE_MAX : map[j - 1] + 1;
}

struct moments *moments_arrange(const struct moments *from, const size_t *map, size_t features)
{
    struct moments *to = moments_new(features);
    if (!to || !moments_widen(to, from->limbs)) {
        moments_free(to);
        return NULL;
    }
    to->rows = from->rows;
    to->fading = from->fading;
    to->weight = from->weight;
    for (size_t j = 0; j < to->count; j++) {
        size_t from_j = source(from, map, features, j);
        if (from_j == SIZE_MAX)
            continue;
        to->columns[j].scale = from->columns[from_j].scale;
        for (size_t k = j; k < to->count; k++) {
            size_t from_k = source(from, map, features, k);
            if (from_k != SIZE_MAX)
                memcpy(moments_entry(to, j, k), moments_entry(from, from_j, from_k),
                       from->limbs * sizeof(mp_limb_t));
        }
    }
    return to;
}
