/* The loops of the frame path that NumPy and OpenCV would need several passes for: reducing a
 * frame, fitting the linear model of its alpha, estimating the person's colours, and blending.
 *
 * Called through kernels.py, which describes the functions and checks all shapes. Images are
 * interleaved BGR, arrays are contiguous, and all values are finite. A function returns 0, or -1 if
 * there is no memory for its scratch space; it has then written nothing.
 *
 * All of it is one file, although it is long, so that one command of any compiler builds it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef int16_t i16;
typedef int32_t i32;

static inline int least(int a, int b) { return a < b ? a : b; }
static inline int most(int a, int b) { return a > b ? a : b; }
static inline float lower(float a, float b) { return a < b ? a : b; }
static inline float higher(float a, float b) { return a > b ? a : b; }
static inline float clipped(float value, float top) { return higher(0.0f, lower(value, top)); }

/* The grey levels of a row of pixels (luma of BT.601), not rounded. */
static void grey_row(const u8 *restrict line, float *restrict grey, int width) {
    for (int x = 0; x < width; x++)
        grey[x] = 0.114f * line[3 * x] + 0.587f * line[3 * x + 1] + 0.299f * line[3 * x + 2];
}

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
    float *red = planes, *green = red + (size_t)rows * columns, *blue = green + (size_t)rows * columns;
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
            *blue++ = value[0], *green++ = value[1], *red++ = value[2];
            small += 3;
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
                           i16 *change) {
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
    /* Upsampling needs colours two pixels beyond the edge. In the reach of the windows beyond that,
     * they are wrong, because the part is mirrored at its borders. */
    const int beyond = 2, reach = beyond + WIDE + NARROW;
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

/* ---- Blending ------------------------------------------------------------------------------- */

#define SURE 1e-3f /* an alpha this close to 0 or 1 counts as that: a quarter of a grey level */
enum { ROOM, PERSON, MIXED };

/* The first of `full` pixels in each of the `small` + 1 cells between the samples, then `full`; and
 * the distance of each pixel from the sample before it, in samples. */
static void make_cells(int full, int small, int *start, float *distance) {
    int cell = 0;
    start[0] = 0;
    for (int x = 0; x < full; x++) {
        /* (x + 0.5) * small / full - 0.5, plus 1 to keep it positive, in units of 1 / (2 full) */
        const int64_t place = (int64_t)(2 * x + 1) * small + full;
        const int here = (int)(place / (2 * (int64_t)full));
        while (cell < here)
            start[++cell] = x;
        distance[x] = (float)(place - (int64_t)here * 2 * full) / (float)(2 * (int64_t)full);
    }
    while (cell < small + 1)
        start[++cell] = full;
}

/* Mark the samples at which alpha is 0, and those at which it is 1 and the colours are unchanged,
 * whatever the grey level is. */
static void mark_sure(const float *restrict slope, const float *restrict offset,
                      const i16 *restrict change, float threshold, size_t count, u8 *restrict sure) {
    const float near = SURE * 2.0f * lower(threshold, 1.0f - threshold); /* shifting stretches */
    for (size_t k = 0; k < count; k++) {
        const float white = 255.0f * slope[k];
        const int room = offset[k] + higher(0.0f, white) <= near;
        int person = offset[k] + lower(0.0f, white) >= 1.0f - near;
        if (change)
            person &= !(change[3 * k] | change[3 * k + 1] | change[3 * k + 2]);
        sure[k] = (u8)(room << ROOM | person << PERSON);
    }
}

/* The two samples of one row around a cell, interpolated for its pixels. */
static void spread(float first, float second, const float *restrict distance, float *restrict line,
                   int count) {
    for (int x = 0; x < count; x++)
        line[x] = first + distance[x] * (second - first);
}

static void spread_colours(const i16 *first, const i16 *second, const float *restrict distance,
                           float *restrict line, int count) {
    for (int x = 0; x < count; x++)
        for (int c = 0; c < 3; c++)
            line[3 * x + c] = (float)first[c] + distance[x] * (float)(second[c] - first[c]);
}

/* What the mixed pixels of the present row of cells are computed from, at the width of the frame:
 * slope, offset and colours, each interpolated in the rows of samples above and below. */
typedef struct {
    float *slope[2], *offset[2], *colours[2];
    float *alpha, *grey;
} Lines;

static void mix(const u8 *restrict source, const u8 *restrict behind, const Lines *lines, int first,
                int count, float down, float threshold, int changed, u8 *restrict out) {
    const float *restrict s0 = lines->slope[0] + first, *restrict s1 = lines->slope[1] + first;
    const float *restrict o0 = lines->offset[0] + first, *restrict o1 = lines->offset[1] + first;
    const float *restrict c0 = lines->colours[0] + 3 * (size_t)first;
    const float *restrict c1 = lines->colours[1] + 3 * (size_t)first;
    float *restrict grey = lines->grey, *restrict alpha = lines->alpha;
    const float low = 0.5f / threshold, high = 0.5f / (1.0f - threshold);
    grey_row(source, grey, count);
    for (int x = 0; x < count; x++) {
        const float slope = s0[x] + down * (s1[x] - s0[x]);
        const float offset = o0[x] + down * (o1[x] - o0[x]);
        const float value = clipped(slope * grey[x] + offset, 1.0f);
        grey[x] = value < threshold ? value * low : (value - 1.0f) * high + 1.0f;
    }
    for (int x = 0; x < count; x++)
        alpha[3 * x] = alpha[3 * x + 1] = alpha[3 * x + 2] = grey[x];
    if (changed)
        for (int x = 0; x < 3 * count; x++) {
            const float here = clipped((float)source[x] + c0[x] + down * (c1[x] - c0[x]), 255.0f);
            const float there = behind[x];
            out[x] = (u8)(i32)(there + alpha[x] * (here - there) + 0.5f);
        }
    else
        for (int x = 0; x < 3 * count; x++) {
            const float there = behind[x];
            out[x] = (u8)(i32)(there + alpha[x] * ((float)source[x] - there) + 0.5f);
        }
}

/* Where the processor can shuffle bytes, five pixels are reversed at a time. */
#if !defined(__x86_64__) || defined(__SSSE3__)
#define SHUFFLES
typedef u8 Block __attribute__((vector_size(16)));
#if defined(__clang__) || __GNUC__ >= 12
#define REVERSED(b) \
    __builtin_shufflevector(b, b, 13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0)
#else
#define REVERSED(b) \
    __builtin_shuffle(b, (Block){13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0})
#endif
#endif

/* Write the pixels of a row in reverse order. */
static void reverse(const u8 *line, u8 *out, int width) {
    int left = width;
#ifdef SHUFFLES
    /* A block has one byte before its five pixels when it is read, and one after them when it is
     * written, which the next block overwrites. */
    for (; left > 5; left -= 5, out += 15) {
        Block block;
        memcpy(&block, line + 3 * (size_t)left - 16, 16);
        block = REVERSED(block);
        memcpy(out, &block, 16);
    }
#endif
    for (; left > 0; left--, out += 3)
        memcpy(out, line + 3 * (size_t)(left - 1), 3);
}

/* The four samples around a pixel give bounds for its alpha that hold at any grey level. So the
 * pixels between four samples, a cell, are copied if all of them are room or all are person; only
 * the other cells are computed, usually fewer than a tenth. */
EXPORT int blend(const u8 *frame, int height, int width, const float *slope, const float *offset,
                 const i16 *change, int rows, int columns, float threshold, const u8 *background,
                 int mirror, u8 *out) {
    const size_t samples = (size_t)rows * columns, wide = 3 * (size_t)width;
    float *floats = malloc(sizeof(float) * (4 * (size_t)width + 3 * wide + 2 * (size_t)width
                                            + (size_t)height));
    int *ints = malloc(sizeof(int) * ((size_t)columns + 2 + (size_t)rows + 2));
    u8 *bytes = malloc(samples + (size_t)columns + 1 + wide);
    if (!floats || !ints || !bytes) {
        free(floats);
        free(ints);
        free(bytes);
        return -1;
    }
    Lines lines;
    float *next = floats;
    for (int n = 0; n < 2; n++) {
        lines.slope[n] = next, next += width;
        lines.offset[n] = next, next += width;
        lines.colours[n] = next, next += wide;
    }
    lines.alpha = next, next += wide;
    lines.grey = next, next += width;
    float *across = next, *down = next + width;
    int *start = ints, *begin = ints + columns + 2;
    u8 *sure = bytes, *kind = bytes + samples, *line = kind + columns + 1;
    make_cells(width, columns, start, across);
    make_cells(height, rows, begin, down);
    mark_sure(slope, offset, change, threshold, samples, sure);
    for (int i = 0; i <= rows; i++) {
        if (begin[i] == begin[i + 1])
            continue;
        const size_t pair[2] = {(size_t)most(0, i - 1) * columns,
                                (size_t)least(rows - 1, i) * columns};
        for (int k = 0; k <= columns; k++) {
            const int left = most(0, k - 1), right = least(columns - 1, k);
            const int all = sure[pair[0] + left] & sure[pair[0] + right] & sure[pair[1] + left]
                            & sure[pair[1] + right];
            kind[k] = all & 1 << ROOM ? ROOM : all & 1 << PERSON ? PERSON : MIXED;
            const int first = start[k], count = start[k + 1] - first;
            if (kind[k] != MIXED || !count)
                continue;
            for (int n = 0; n < 2; n++) {
                const size_t a = pair[n] + left, b = pair[n] + right;
                spread(slope[a], slope[b], across + first, lines.slope[n] + first, count);
                spread(offset[a], offset[b], across + first, lines.offset[n] + first, count);
                if (change)
                    spread_colours(change + 3 * a, change + 3 * b, across + first,
                                   lines.colours[n] + 3 * (size_t)first, count);
            }
        }
        for (int y = begin[i]; y < begin[i + 1]; y++) {
            u8 *target = mirror ? line : out + y * wide;
            for (int k = 0, last; k <= columns; k = last) {
                for (last = k + 1; last <= columns && kind[last] == kind[k]; last++)
                    ;
                const int first = start[k], count = start[last] - first;
                const size_t at = y * wide + 3 * (size_t)first;
                u8 *drawn = target + 3 * (size_t)first;
                if (kind[k] == MIXED)
                    mix(frame + at, background + at, &lines, first, count, down[y], threshold,
                        change != NULL, drawn);
                else
                    memcpy(drawn, (kind[k] == ROOM ? background : frame) + at, 3 * (size_t)count);
            }
            if (mirror)
                reverse(line, out + y * wide, width);
        }
    }
    free(floats);
    free(ints);
    free(bytes);
    return 0;
}
