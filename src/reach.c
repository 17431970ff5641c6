#include "reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void reach_forget_terms(struct reach *reach)
{
    reach->least[reach->numbers] = INFINITY;
    reach->greatest[reach->numbers] = -INFINITY;
    reach->distance = -1;
}

void reach_clear(struct reach *reach)
{
    reach->known = true;
    for (size_t i = 0; i < reach->numbers; i++) {
        reach->least[i] = INFINITY;
        reach->greatest[i] = -INFINITY;
    }
    reach_forget_terms(reach);
}

struct reach *reach_new(size_t numbers)
{
    struct reach *reach = calloc(1, sizeof *reach);
    double *ends = malloc(2 * (numbers + 1) * sizeof *ends);
    if (!reach || !ends) {
        free(reach);
        free(ends);
        return NULL;
    }
    *reach = (struct reach){.numbers = numbers, .least = ends, .greatest = ends + numbers + 1};
    reach_clear(reach);
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

/* Not if it is missing. */
static void widen(struct reach *reach, size_t i, double value)
{
    if (value < reach->least[i])
        reach->least[i] = value;
    if (value > reach->greatest[i])
        reach->greatest[i] = value;
}

void reach_add(struct reach *reach, const struct encoding *encoding, const double *row)
{
    size_t i = 0;
    for (size_t j = 0; j < encoding->features; j++)
        if (encoding->of[j].kind == CELL_NUMBER)
            widen(reach, i++, row[j]);
}

void reach_add_terms(struct reach *reach, double target, double distance)
{
    widen(reach, reach->numbers, target);
    if (distance > reach->distance)
        reach->distance = distance;
}

void reach_merge(struct reach *into, const struct reach *from)
{
    into->known &= from->known;
    for (size_t i = 0; i <= into->numbers; i++) {
        into->least[i] = fmin(into->least[i], from->least[i]);
        into->greatest[i] = fmax(into->greatest[i], from->greatest[i]);
    }
    if (from->distance > into->distance)
        into->distance = from->distance;
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
