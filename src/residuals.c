#include "residuals.h"

#include "crew.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void residuals_begin(struct residuals *residuals, uint64_t rows, double unit)
{
    *residuals = (struct residuals){
        .unit = unit,
        .least = INFINITY,
        .greatest = -INFINITY,
        .chance = rows > RESIDUALS_SAMPLE ? UINT64_MAX / rows * RESIDUALS_SAMPLE : UINT64_MAX};
}

void residuals_free(struct residuals *residuals)
{
    free(residuals->sample);
    residuals->sample = NULL;
}

static void count(struct residuals *residuals, double residual)
{
    double width = 2 * RESIDUALS_REACH / RESIDUALS_BINS * residuals->unit;
    double bin = floor(residual / width) + RESIDUALS_BINS / 2;
    if (bin >= 0 && bin < RESIDUALS_BINS)
        residuals->bins[(size_t)bin]++;
    else if (residual < 0)
        residuals->below++;
    else
        residuals->above++;
}

static bool reserve(struct residuals *residuals, size_t more)
{
    size_t wanted = residuals->sampled + more;
    if (wanted <= residuals->capacity)
        return true;
    size_t capacity = wanted < 64 ? 64 : 2 * wanted;
    struct residual_row *sample = realloc(residuals->sample, capacity * sizeof *sample);
    if (!sample)
        return false;
    residuals->sample = sample;
    residuals->capacity = capacity;
    return true;
}

bool residuals_add(struct residuals *residuals, const struct residual_row *row)
{
    double residual = row->actual - row->predicted;
    residuals->rows++;
    residuals->least = fmin(residuals->least, residual);
    residuals->greatest = fmax(residuals->greatest, residual);
    count(residuals, residual);
    if (!isfinite(residual) || XXH3_64bits(&row->line, sizeof row->line) > residuals->chance)
        return true;
    if (!reserve(residuals, 1))
        return false;
    residuals->sample[residuals->sampled++] = *row;
    return true;
}

static bool merge(struct residuals *into, const struct residuals *from)
{
    if (!reserve(into, from->sampled))
        return false;
    if (from->sampled > 0)
        memcpy(into->sample + into->sampled, from->sample, from->sampled * sizeof *from->sample);
    into->sampled += from->sampled;
    into->rows += from->rows;
    into->clipped += from->clipped;
    into->least = fmin(into->least, from->least);
    into->greatest = fmax(into->greatest, from->greatest);
    into->below += from->below;
    into->above += from->above;
    for (size_t i = 0; i < RESIDUALS_BINS; i++)
        into->bins[i] += from->bins[i];
    return true;
}

static int by_line(const void *a, const void *b)
{
    const struct residual_row *first = a, *second = b;
    return (first->line > second->line) - (first->line < second->line);
}

/* One thread's share. */
struct reader {
    const struct predictor *model;
    const struct table *table;
    const struct columns *columns;
    struct residuals residuals;
};

static bool read_block(void *own, struct table_block *block, struct error *error)
{
    struct reader *reader = own;
    size_t features = reader->columns->features;
    double row[TABLE_COLUMNS_MAX + 1];
    enum table_result result;
    while ((result = table_block_next(reader->table, block, row, error)) == TABLE_ROW) {
        bool clipped;
        if (!columns_arrange(reader->columns, row, block->line, error))
            return false;
        double predicted = predictor_predict(reader->model, row, &clipped);
        reader->residuals.clipped += clipped;
        if (!residuals_add(&reader->residuals,
                           &(struct residual_row){block->line, predicted, row[features]}))
            return error_memory(error);
    }
    return result == TABLE_END;
}

bool residuals_read(struct residuals *residuals, const struct predictor *model, struct table *table,
                    const struct columns *columns, struct progress *progress, unsigned threads,
                    struct error *error)
{
    static const struct crew_work work = {.work = read_block};
    struct reader readers[CREW_MAX];
    void *own[CREW_MAX];
    for (size_t i = 0; i < threads; i++) {
        readers[i] = (struct reader){model, table, columns, *residuals};
        own[i] = &readers[i];
    }
    bool ok = crew_run(&work, own, threads, table, progress, error);
    for (size_t i = 0; i < threads; i++) {
        ok = ok && (merge(residuals, &readers[i].residuals) || error_memory(error));
        residuals_free(&readers[i].residuals);
    }
    if (ok && residuals->sampled > 0)
        qsort(residuals->sample, residuals->sampled, sizeof *residuals->sample, by_line);
    return ok;
}
