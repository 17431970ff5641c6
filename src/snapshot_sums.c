#include "snapshot_sums.h"

#include "number.h"

#include <gmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LIMB_TEXT_MAX = 17 /* 16 digits, and what follows */ };

/* Behind the rows of sums of terms. */
static const char weighted[] = " weighted";

/* ------------------------------------------------------------------ writing */

static void write_sum(struct buffer *out, size_t j, size_t k, const mpz_t value, long exponent)
{
    buffer_printf(out, "%zu %zu ", j, k);
    char *digits = buffer_reserve(out, mpz_sizeinbase(value, 16) + 2);
    if (!digits)
        return;
    mpz_get_str(digits, 16, value);
    out->length += strlen(digits);
    buffer_printf(out, " %ld\n", exponent);
}

static void write_moments(const struct moments *moments, struct pieces *pieces)
{
    size_t columns = moments_features(moments) + 2;
    mpz_t value;
    mpz_init(value);
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns; k++) {
            long exponent = moments_sum(moments, j, k, value);
            write_sum(&pieces->text, j, k, value, exponent);
            pieces_pass(pieces);
        }
    mpz_clear(value);
}

static void write_number(struct buffer *out, double value)
{
    char text[NUMBER_TEXT_MAX];
    buffer_append(out, text, number_format(value, text));
}

static void write_maps(const struct folds *folds, struct buffer *out)
{
    const struct reach *reach = folds->reach;
    buffer_printf(out, "terms %lld ", (long long)folds->term_rows);
    write_number(out, folds->term_rows > 0 ? reach->least[reach->numbers] : 0);
    buffer_puts(out, " ");
    write_number(out, folds->term_rows > 0 ? reach->greatest[reach->numbers] : 0);
    buffer_puts(out, "\n");
    for (size_t j = 0; j <= folds->maps->features; j++) {
        buffer_puts(out, "place ");
        write_number(out, folds->maps->places[j].centre);
        buffer_printf(out, " %d\n", folds->maps->places[j].exponent);
    }
}

/* The most significant limb first, without leading zeros: by hand, since a model of 300 terms has
 * half a million of these numbers in each snapshot. */
static void write_limbs(const uint64_t *limbs, size_t count, struct buffer *out)
{
    char *text = buffer_reserve(out, count * LIMB_TEXT_MAX), *to = text;
    if (!text)
        return;
    for (size_t i = count; i-- > 0;) {
        int shift = limbs[i] ? (63 - __builtin_clzll(limbs[i])) / 4 * 4 : 0;
        for (; shift >= 0; shift -= 4)
            *to++ = "0123456789abcdef"[limbs[i] >> shift & 15];
        *to++ = i > 0 ? ' ' : '\n';
    }
    out->length += (size_t)(to - text);
}

/* Where all rows have weight 1 that is left out, as it was before there were weights. */
static void write_term_sums(struct term_sums *sums, struct pieces *pieces)
{
    bool whole = term_sums_whole(sums);
    buffer_printf(&pieces->text, "sums %lld%s\n", (long long)term_sums_rows(sums),
                  whole ? "" : weighted);
    for (size_t i = whole ? 1 : 0; i < term_sums_numbers(sums); i++) {
        struct term_number number = term_sums_number(sums, i);
        uint64_t *limbs = number.limbs;
        if (whole)
            mpn_rshift(limbs, limbs, 3, TERM_WEIGHT_BITS);
        write_limbs(limbs, whole ? 2 : 3, &pieces->text);
        pieces_pass(pieces);
    }
}

void snapshot_write_sums(struct folds *folds, struct pieces *pieces)
{
    for (size_t k = 0; k < folds->parts; k++) {
        if (folds->parts > 1)
            buffer_printf(&pieces->text, "part %lld\n", (long long)moments_rows(folds->moments[k]));
        write_moments(folds->moments[k], pieces);
    }
    if (!folds->maps)
        return;
    write_maps(folds, &pieces->text);
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; k < folds->parts && folds->sums[kind][k]; k++)
            write_term_sums(folds->sums[kind][k], pieces);
}

/* ------------------------------------------------------------------ reading */

/* What is behind `word` and a space in the next line. */
static char *next_after(struct lines *lines, const char *word)
{
    char *line = lines_next(lines);
    size_t length = strlen(word);
    return line && strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1
                                                                           : NULL;
}

/* The line `j k HEX EXPONENT` of S_jk. */
static bool read_sum(struct moments *moments, size_t j, size_t k, char *line, mpz_t value)
{
    char *at = line;
    if (strtoul(at, &at, 10) != j || strtoul(at, &at, 10) != k || *at != ' ')
        return false;
    char *digits = at + 1;
    at = strchr(digits, ' ');
    if (!at)
        return false;
    *at = '\0';
    long exponent = strtol(at + 1, &at, 10);
    return *at == '\0' && mpz_set_str(value, digits, 16) == 0 &&
           moments_set_sum(moments, j, k, value, exponent);
}

static bool read_moments(struct moments *moments, struct lines *lines)
{
    size_t columns = moments_features(moments) + 2;
    mpz_t value;
    mpz_init(value);
    bool ok = true;
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns && ok; k++) {
            char *line = lines_next(lines);
            ok = line && read_sum(moments, j, k, line, value);
        }
    mpz_clear(value);
    return ok;
}

/* A count that fills the text, or is followed by a space, which is stepped over. */
static bool read_count(char **text, int64_t *count)
{
    char *end;
    *count = strtoll(*text, &end, 10);
    bool ok = end > *text && *count >= 0 && (*end == '\0' || *end == ' ');
    *text = *end == ' ' ? end + 1 : end;
    return ok;
}

static bool read_number(char **text, double *value)
{
    size_t length = strcspn(*text, " ");
    bool ok = number_parse(*text, length, value) == NUMBER_OK;
    *text += length + ((*text)[length] == ' ');
    return ok;
}

static bool read_places(struct folds *folds, struct lines *lines)
{
    struct place places[FOLDS_FEATURES_MAX + 1];
    size_t numbers = encoding_numbers(folds->encoding);
    if (numbers > FOLDS_FEATURES_MAX)
        return false;
    for (size_t j = 0; j <= numbers; j++) {
        char *line = next_after(lines, "place"), *end;
        if (!line || !read_number(&line, &places[j].centre))
            return false;
        long exponent = strtol(line, &end, 10);
        if (end == line || *end || labs(exponent) > PLACE_EXPONENT_MAX)
            return false;
        places[j].exponent = (int)exponent;
    }
    struct term_maps *maps = term_maps_of(places, numbers);
    bool ok = maps && folds_begin_terms(folds, maps);
    lines->no_memory = !ok;
    term_maps_free(maps);
    return ok;
}

/* So many limbs in hexadecimal, the most significant first, which fill the line. */
static bool read_limbs(struct lines *lines, uint64_t *limbs, size_t count)
{
    char *at = lines_next(lines), *end = at;
    for (size_t i = count; at && i-- > 0; at = end) {
        limbs[i] = strtoull(at, &end, 16);
        if (end == at)
            return false;
    }
    return at && *at == '\0';
}

/* What was written with or without weights. */
static bool read_term_number(struct lines *lines, bool whole, struct term_number *number)
{
    uint64_t *limbs = number->limbs;
    if (!read_limbs(lines, limbs, whole ? 2 : 3))
        return false;
    if (!whole)
        return true;
    limbs[2] = limbs[1] >> 63 ? UINT64_MAX : 0;
    mpn_lshift(limbs, limbs, 3, TERM_WEIGHT_BITS);
    return true;
}

static bool read_term_sums(struct term_sums *sums, struct lines *lines)
{
    int64_t rows;
    char *line = next_after(lines, "sums");
    if (!line || !read_count(&line, &rows))
        return false;
    bool whole = *line == '\0';
    if (!whole && strcmp(line, weighted + 1) != 0)
        return false;
    struct term_number number = {{(uint64_t)rows << TERM_WEIGHT_BITS}};
    number.limbs[1] = (uint64_t)rows >> (64 - TERM_WEIGHT_BITS);
    for (size_t i = 0; i < term_sums_numbers(sums); i++)
        if ((!(whole && i == 0) && !read_term_number(lines, whole, &number)) ||
            !term_sums_set_number(sums, i, number))
            return false;
    return term_sums_set_rows(sums, rows);
}

static bool read_terms(struct folds *folds, struct lines *lines)
{
    double least, greatest;
    char *line = next_after(lines, "terms");
    if (!line || !read_count(&line, &folds->term_rows) || !read_number(&line, &least) ||
        !read_number(&line, &greatest) || !read_places(folds, lines))
        return false;
    for (size_t kind = 0; kind < TERMS_KINDS; kind++)
        for (size_t k = 0; k < folds->parts && folds->sums[kind][k]; k++)
            if (!read_term_sums(folds->sums[kind][k], lines))
                return false;
    if (folds->term_rows > 0) {
        reach_add_terms(folds->reach, least, NAN);
        reach_add_terms(folds->reach, greatest, NAN);
    }
    return true;
}

bool snapshot_read_sums(struct folds *folds, struct lines *lines)
{
    for (size_t k = 0; k < folds->parts; k++) {
        int64_t rows;
        char *line = folds->parts > 1 ? next_after(lines, "part") : NULL;
        if (folds->parts > 1 && (!line || !read_count(&line, &rows)))
            return false;
        if (folds->parts > 1)
            moments_set_rows(folds->moments[k], rows);
        if (!read_moments(folds->moments[k], lines))
            return false;
    }
    return lines_are_over(lines) || (read_terms(folds, lines) && lines_are_over(lines));
}
