#include "recent.h"

#include <math.h>
#include <stdlib.h>

static int64_t count_for(double factor)
{
    return (int64_t)ceil(RECENT_BITS / -log2(factor));
}

static int64_t length_for(int64_t count)
{
    return (count + RECENT_PARTS - 1) / RECENT_PARTS;
}

static int64_t before_last(int64_t count, int64_t length, int64_t last)
{
    return last > count ? (last - count) / length * length : 0;
}

int64_t recent_before(double factor, int64_t last)
{
    int64_t count = count_for(factor);
    return before_last(count, length_for(count), last);
}

struct recent *recent_new(double factor, size_t numbers)
{
    struct recent *recent = calloc(1, sizeof *recent);
    int64_t count = count_for(factor);
    bool ok = recent != NULL;
    if (ok)
        *recent = (struct recent){.count = count, .length = length_for(count)};
    for (size_t i = 0; ok && i < RECENT_BLOCKS; i++) {
        recent->blocks[i] = (struct recent_block){-1, reach_new(numbers)};
        ok = recent->blocks[i].reach != NULL;
    }
    if (ok)
        return recent;
    recent_free(recent);
    return NULL;
}

void recent_free(struct recent *recent)
{
    for (size_t i = 0; recent && i < RECENT_BLOCKS; i++)
        reach_free(recent->blocks[i].reach);
    free(recent);
}

struct reach *recent_block(struct recent *recent, int64_t seq)
{
    int64_t index = (seq - 1) / recent->length;
    struct recent_block *block = &recent->blocks[index % RECENT_BLOCKS];
    if (block->index != index)
        reach_clear(block->reach);
    block->index = index;
    return block->reach;
}

void recent_reach(const struct recent *recent, int64_t last, struct reach *reach)
{
    int64_t before = before_last(recent->count, recent->length, last);
    reach_clear(reach);
    for (size_t i = 0; i < RECENT_BLOCKS; i++)
        if (recent->blocks[i].index * recent->length >= before)
            reach_merge(reach, recent->blocks[i].reach);
}
