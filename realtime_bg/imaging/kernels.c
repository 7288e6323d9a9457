/* The loops of the frame path that NumPy and OpenCV would need several passes for: reducing a
 * frame, fitting the linear model of its alpha, and estimating the person's colours. See kernels.h;
 * blending is in blending.c. */

#include "kernels.h"

/* The x86-64 level of this processor, 1 or 3, for which a library may be compiled; 1 elsewhere. */
EXPORT int processor_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
        && __builtin_cpu_supports("bmi2"))
        return 3;
#endif
    return 1;
}

/* ---- Reducing ------------------------------------------------------------------------------- */

/* The part of a row or column of `full` pixels that one of `small` pixels covers. */
typedef struct {
    int first, count;
    float head, tail, whole; /* shares of its area: of the first, of the last, of each other one */
} Cover;

static Cover cover(int index, int full, int small) {
    /* In units of 1 / small pixel, so that everything is exact. */
    int64_t begin = (int64_t)index * full, end = begin + full;
    Cover part;
    part.first = (int)(begin / small);
    part.count = (int)((end + small - 1) / small) - part.first;
    part.whole = (float)small / (float)full;
    part.head = (float)((int64_t)(part.first + 1) * small - begin) / (float)full;
    part.tail = (float)(end - (int64_t)(part.first + part.count - 1) * small) / (float)full;
    if (part.count == 1)
        part.head = 1.0f;
    return part;
}

enum { MOST_ROWS = 257 }; /* of bytes whose sum fits into 16 bits */

static void add_row(const u8 *restrict row, float weight, float *restrict sums, int count) {
    for (int x = 0; x < count; x++)
        sums[x] += weight * row[x];
}

/* Add `rows` consecutive rows, all with the same weight. They are added up as integers first, of
 * which a processor adds twice as many at a time, without a conversion. */
static void add_rows(const u8 *restrict row, int rows, float weight, u16 *restrict whole,
                     float *restrict sums, int count) {
    memset(whole, 0, sizeof(u16) * count);
    for (int k = 0; k < rows; k++, row += count)
        for (int x = 0; x < count; x++)
            whole[x] += row[x];
    for (int x = 0; x < count; x++)
        sums[x] += weight * whole[x];
}

/* The weighted sum of the rows that one reduced row covers. */
static void sum_rows(const u8 *restrict image, const Cover *down, u16 *restrict whole,
                     float *restrict sums, int count) {
    /* Where the factor is a whole number, the rows at the ends are like all the others. */
    const int from = down->head != down->whole, end = down->count - (down->tail != down->whole);
    const u8 *row = image + (size_t)down->first * count;
    memset(sums, 0, sizeof(float) * count);
    if (from)
        add_row(row, down->head, sums, count);
    for (int k = from; k < end; k += MOST_ROWS)
        add_rows(row + (size_t)k * count, least(MOST_ROWS, end - k), down->whole, whole, sums, count);
    if (end < down->count && down->count > 1)
        add_row(row + (size_t)end * count, down->tail, sums, count);
}

/* Four successive values, at any address: a pixel and the first channel of the next one. */
typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

typedef i32 Whole __attribute__((vector_size(16)));

static inline Four pixel(const float *sums, int index) { return *(const Four *)(sums + 3 * index); }

/* Rows are added up first, many pixels at a time, so that only one sum for each reduced row has to
 * be taken apart into pixels and channels. */
EXPORT int reduce(const u8 *image, int height, int width, u8 *small, float *planes, int rows,
                  int columns) {
    const int wide = 3 * width;
    const float level = 1.0f / 255.0f;
    float *sums = malloc(sizeof(float) * (wide + 1)); /* the last pixel is read with one more */
    u16 *whole = malloc(sizeof(u16) * wide);
    Cover *across = malloc(sizeof(Cover) * columns);
    if (!sums || !whole || !across) {
        free(sums);
        free(whole);
        free(across);
        return -1;
    }
    sums[wide] = 0;
    for (int x = 0; x < columns; x++)
        across[x] = cover(x, width, columns);
    const size_t area = (size_t)rows * columns;
    for (int y = 0; y < rows; y++) {
        const Cover down = cover(y, height, rows);
        sum_rows(image, &down, whole, sums, wide);
        for (int x = 0; x < columns; x++) {
            const Cover *part = &across[x];
            const int first = part->first, last = first + part->count - 1;
            Four sum = {0.5f, 0.5f, 0.5f, 0.0f}, middle = {0};
            for (int k = first + 1; k < last; k++)
                middle += pixel(sums, k);
            sum += part->head * pixel(sums, first) + part->whole * middle;
            if (last > first)
                sum += part->tail * pixel(sums, last);
            const Whole grey = __builtin_convertvector(sum, Whole);
            const Four value = level * __builtin_convertvector(grey, Four);
            small[0] = (u8)grey[0], small[1] = (u8)grey[1], small[2] = (u8)grey[2];
            small += 3;
            if (planes) {
                planes[2 * area] = value[0], planes[area] = value[1], planes[0] = value[2];
                planes++;
            }
        }
    }
    free(sums);
    free(whole);
    free(across);
    return 0;
}

/* ---- The linear model of alpha -------------------------------------------------------------- */

#define MIDDLE 128.0f /* is subtracted from grey levels: squares of small numbers keep more digits */

static void fit_row(const float *restrict g0, const float *restrict g1, const float *restrict g2,
                    const float *restrict a0, const float *restrict a1, const float *restrict a2,
                    float eps, float *restrict sums, float *restrict slope,
                    float *restrict offset, int width) {
    const float ninth = 1.0f / 9.0f;
    float *restrict grey = sums, *restrict alpha = sums + (width + 2);
    float *restrict product = alpha + (width + 2), *restrict square = product + (width + 2);
    for (int x = 0; x < width + 2; x++) {
        grey[x] = g0[x] + g1[x] + g2[x];
        alpha[x] = a0[x] + a1[x] + a2[x];
        product[x] = g0[x] * a0[x] + g1[x] * a1[x] + g2[x] * a2[x];
        square[x] = g0[x] * g0[x] + g1[x] * g1[x] + g2[x] * g2[x];
    }
    for (int x = 0; x < width; x++) {
        const float g = (grey[x] + grey[x + 1] + grey[x + 2]) * ninth;
        const float a = (alpha[x] + alpha[x + 1] + alpha[x + 2]) * ninth;
        const float covariance = (product[x] + product[x + 1] + product[x + 2]) * ninth - g * a;
        const float variance = (square[x] + square[x + 1] + square[x + 2]) * ninth - g * g;
        slope[x] = covariance / (variance + eps);
        offset[x] = a - slope[x] * (g + MIDDLE);
    }
}

EXPORT int fit_linear(const u8 *guide, const float *alpha, int rows, int columns, float eps,
                      float *slope, float *offset) {
    const int wide = columns + 2; /* one column more on each side */
    float *greys = malloc(sizeof(float) * wide * ((size_t)2 * rows + 4));
    if (!greys)
        return -1;
    float *alphas = greys + (size_t)rows * wide, *sums = alphas + (size_t)rows * wide;
    for (int y = 0; y < rows; y++) {
        float *g = greys + (size_t)y * wide, *a = alphas + (size_t)y * wide;
        grey_row(guide + (size_t)3 * y * columns, g + 1, columns);
        for (int x = 1; x <= columns; x++)
            g[x] -= MIDDLE;
        memcpy(a + 1, alpha + (size_t)y * columns, sizeof(float) * columns);
        g[0] = g[1], g[wide - 1] = g[wide - 2], a[0] = a[1], a[wide - 1] = a[wide - 2];
    }
    for (int y = 0; y < rows; y++) {
        const size_t here = (size_t)y * wide, above = (size_t)most(0, y - 1) * wide;
        const size_t below = (size_t)least(rows - 1, y + 1) * wide, at = (size_t)y * columns;
        fit_row(greys + above, greys + here, greys + below, alphas + above, alphas + here,
                alphas + below, eps, sums, slope + at, offset + at, columns);
    }
    free(greys);
    return 0;
}

/* ---- The person's colours ------------------------------------------------------------------- */

#define LITTLE 1e-3f /* weight below which a window has no information */
enum { WIDE = 4, NARROW = 1 }; /* radii of the two windows, applied one after the other */

/* The line that stands for line `index` beyond the border. */
static int mirrored(int index, int count) {
    if (count == 1)
        return 0;
    const int period = 2 * count - 2;
    index = (index % period + period) % period;
    return index < count ? index : period - index;
}

static void accumulate(const float *restrict person, const float *restrict room,
                       const float *restrict weight, float sign, float *restrict persons,
                       float *restrict rooms, float *restrict weights, int count) {
    for (int x = 0; x < count; x++) {
        const float part = sign * weight[x];
        persons[x] += part * person[x];
        rooms[x] += (sign - part) * room[x];
        weights[x] += part;
    }
}

/* Sums over a window's columns, in place; the last 6 * radius values become invalid. */
static void add_columns(float *line, int count, int radius) {
    for (int x = 0; x < count - 6; x++)
        line[x] += line[x + 3] + line[x + 6];
    if (radius == WIDE)
        for (int x = 0; x < count - 24; x++)
            line[x] += line[x + 9] + line[x + 18];
}

/* One step of blur fusion: `persons` are the means of `person` weighted by `weight`, corrected so
 * that blending them gives `seen`; `rooms` those of `room` weighted by the rest. All are (rows,
 * wide); the picture is mirrored at its borders. */
static void fuse(const float *seen, const float *weight, const float *person, const float *room,
                 int rows, int wide, int radius, float *scratch, float *persons, float *rooms) {
    const int pad = 3 * radius, padded = wide + 2 * pad, width = wide / 3;
    const int side = 2 * radius + 1;
    const float part = 1.0f / (float)(side * side);
    float *columns = scratch, *sums = scratch + 3 * wide;
    memset(columns, 0, sizeof(float) * 3 * wide);
    for (int k = -radius; k <= radius; k++) {
        const size_t at = (size_t)mirrored(k, rows) * wide;
        accumulate(person + at, room + at, weight + at, 1.0f, columns, columns + wide,
                   columns + 2 * wide, wide);
    }
    for (int y = 0; y < rows; y++) {
        for (int kind = 0; kind < 3; kind++) {
            float *line = sums + kind * padded;
            const float *from = columns + kind * wide;
            memcpy(line + pad, from, sizeof(float) * wide);
            for (int x = 1; x <= radius; x++)
                for (int c = 0; c < 3; c++) {
                    line[pad - 3 * x + c] = from[3 * mirrored(-x, width) + c];
                    line[pad + wide + 3 * x - 3 + c] =
                        from[3 * mirrored(width - 1 + x, width) + c];
                }
            add_columns(line, padded, radius);
        }
        const size_t at = (size_t)y * wide;
        const float *restrict s = seen + at, *restrict w = weight + at;
        const float *restrict ps = sums, *restrict rs = sums + padded;
        const float *restrict ws = sums + 2 * padded;
        float *restrict p = persons + at, *restrict r = rooms + at;
        for (int x = 0; x < wide; x++) {
            const float blurred = ws[x] * part;
            const float mean = ps[x] * part / (blurred + LITTLE);
            const float there = rs[x] * part / (1.0f - blurred + LITTLE);
            const float off = s[x] - w[x] * mean - (1.0f - w[x]) * there;
            p[x] = clipped(mean + w[x] * off, 255.0f);
            r[x] = there;
        }
        const size_t old = (size_t)mirrored(y - radius, rows) * wide;
        const size_t new = (size_t)mirrored(y + 1 + radius, rows) * wide;
        accumulate(person + old, room + old, weight + old, -1.0f, columns, columns + wide,
                   columns + 2 * wide, wide);
        accumulate(person + new, room + new, weight + new, 1.0f, columns, columns + wide,
                   columns + 2 * wide, wide);
    }
}

EXPORT int estimate_change(const u8 *guide, const float *alpha, int rows, int columns, float solid,
                           int beyond, i16 *change) {
    int top = rows, bottom = 0, left = columns, right = 0; /* of the pixels of the edge */
    for (int y = 0; y < rows; y++) {
        const float *line = alpha + (size_t)y * columns;
        for (int x = 0; x < columns; x++)
            if (line[x] > 0.0f && line[x] <= solid) {
                top = least(top, y), bottom = y + 1;
                left = least(left, x), right = most(right, x + 1);
            }
    }
    if (top >= bottom) {
        memset(change, 0, sizeof(i16) * 3 * rows * columns);
        return 0;
    }
    /* In the reach of the windows beyond what is asked for, colours are wrong, because the part is
     * mirrored at its borders. */
    const int reach = beyond + WIDE + NARROW;
    const int row = most(0, top - reach), end = least(rows, bottom + reach);
    const int column = most(0, left - reach), last = least(columns, right + reach);
    const int height = end - row, width = last - column, wide = 3 * width;
    const size_t area = (size_t)height * wide;
    float *seen = malloc(sizeof(float) * (6 * area + 6 * (size_t)wide + 18 * WIDE));
    if (!seen)
        return -1;
    float *weight = seen + area, *persons = weight + area, *rooms = persons + area;
    float *person = rooms + area, *room = person + area, *scratch = room + area;
    for (int y = 0; y < height; y++) {
        const size_t at = (size_t)(row + y) * columns + column;
        for (int x = 0; x < wide; x++)
            seen[(size_t)y * wide + x] = guide[3 * at + x];
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                weight[(size_t)y * wide + 3 * x + c] = alpha[at + x];
    }
    fuse(seen, weight, seen, seen, height, wide, WIDE, scratch, persons, rooms);
    fuse(seen, weight, persons, rooms, height, wide, NARROW, scratch, person, room);
    memset(change, 0, sizeof(i16) * 3 * rows * columns);
    for (int y = most(0, top - beyond); y < least(rows, bottom + beyond); y++) {
        i16 *out = change + 3 * ((size_t)y * columns + column);
        const size_t at = (size_t)(y - row) * wide;
        for (int x = 0; x < wide; x++)
            out[x] = weight[at + x] <= solid
                         ? (i16)((i32)(person[at + x] + 0.5f) - (i32)seen[at + x])
                         : 0;
    }
    free(seen);
    return 0;
}
