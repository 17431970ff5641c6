#include "reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reach *reach_new(size_t numbers)
{
    struct reach *reach = calloc(1, sizeof *reach);
    double *ends = malloc((2 * numbers + 1) * sizeof *ends);
    if (!reach || !ends) {
        free(reach);
        free(ends);
        return NULL;
    }
    *reach = (struct reach){.numbers = numbers,
                            .known = true,
                            .least = ends,
                            .greatest = ends + numbers,
                            .distance = -1};
    for (size_t i = 0; i < numbers; i++) {
        reach->least[i] = INFINITY;
        reach->greatest[i] = -INFINITY;
    }
    return reach;
}

struct reach *reach_copy(const struct reach *reach)
{
    struct reach *copy = reach_new(reach->numbers);
    if (copy)
        reach_merge(copy, reach);
    return copy;
}

void reach_free(struct reach *reach)
{
    if (!reach)
        return;
    free(reach->least);
    free(reach);
}

void reach_add(struct reach *reach, const struct encoding *encoding, const double *row)
{
    size_t i = 0;
    for (size_t j = 0; j < encoding->features; j++) {
        if (encoding->of[j].kind != CELL_NUMBER)
            continue;
        if (row[j] < reach->least[i]) /* not if it is missing */
            reach->least[i] = row[j];
        if (row[j] > reach->greatest[i])
            reach->greatest[i] = row[j];
        i++;
    }
}

void reach_add_distance(struct reach *reach, double distance)
{
    if (distance > reach->distance)
        reach->distance = distance;
}

void reach_merge(struct reach *into, const struct reach *from)
{
    into->known &= from->known;
    for (size_t i = 0; i < into->numbers; i++) {
        into->least[i] = fmin(into->least[i], from->least[i]);
        into->greatest[i] = fmax(into->greatest[i], from->greatest[i]);
    }
    reach_add_distance(into, from->distance);
}

bool reach_exceeded(const struct reach *reach, const struct encoding *encoding, const double *row,
                    double distance)
{
    size_t i = 0;
    bool beyond = reach->distance >= 0 && distance > reach->distance;
    if (!reach->known)
        return false;
    for (size_t j = 0; j < encoding->features; j++)
        if (encoding->of[j].kind == CELL_NUMBER) {
            beyond |= row[j] < reach->least[i] || row[j] > reach->greatest[i];
            i++;
        }
    return beyond;
}
