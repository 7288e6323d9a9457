/* Blending a person over a background; see kernels.h.
 *
 * The four samples around a pixel give bounds for its alpha that hold at any grey level. So the
 * pixels between four samples, a cell, are copied if all of them are room or all are person; only
 * the other cells are computed, usually fewer than a tenth. Where the edge is grown or feathered,
 * the alpha is first computed in the part of the frame around those cells.
 */

#include "kernels.h"

#define SURE 1e-3f /* an alpha this close to 0 or 1 counts as that: a quarter of a grey level */

/* What holds at a sample, and everywhere in a cell: alpha is 0, alpha is 1, colours do not change.
 * In the end, a cell is MIXED, or all of it is copied from ROOM or PERSON. */
enum { MIXED = 0, ROOM = 1, PERSON = 2, UNCHANGED = 4 };

/* What the mixed pixels of the present row of cells are computed from, at the width of the frame:
 * slope, offset and colours, each interpolated in the rows of samples above and below. */
typedef struct {
    float *slope[2], *offset[2], *colours[2];
    float *values, *alpha; /* alpha of each pixel, and of each channel */
} Lines;

/* The frame, the maps of its person, and the cells between their samples. */
typedef struct {
    const u8 *frame;
    int height, width;
    const float *slope, *offset;
    const i16 *change; /* or NULL */
    int rows, columns;
    float threshold;
    int *start, *begin;   /* the first pixel of each column and row of cells */
    float *across, *down; /* of each pixel, see make_cells */
    u8 *cells;            /* (rows + 1, columns + 1) */
    Lines lines;
} Scene;

/* A rectangle of the frame and its alpha, (height, width), which lies in `memory`. */
typedef struct {
    int top, left, height, width;
    float *alpha, *memory;
} Part;

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

/* What holds at each sample, whatever the grey level is. */
static void mark_samples(const Scene *scene, u8 *restrict sure) {
    const float *restrict slope = scene->slope, *restrict offset = scene->offset;
    const i16 *restrict change = scene->change;
    const size_t count = (size_t)scene->rows * scene->columns;
    /* Shifting the threshold stretches. */
    const float near = SURE * 2.0f * lower(scene->threshold, 1.0f - scene->threshold);
    for (size_t k = 0; k < count; k++) {
        const float white = 255.0f * slope[k];
        const int room = offset[k] + higher(0.0f, white) <= near;
        const int person = offset[k] + lower(0.0f, white) >= 1.0f - near;
        sure[k] = (u8)(room * ROOM | person * PERSON | UNCHANGED);
    }
    if (change)
        for (size_t k = 0; k < count; k++)
            if (change[3 * k] | change[3 * k + 1] | change[3 * k + 2])
                sure[k] &= ~UNCHANGED;
}

static void mark_cells(const Scene *scene, const u8 *restrict sure) {
    const int columns = scene->columns;
    u8 *cell = scene->cells;
    for (int i = 0; i <= scene->rows; i++) {
        const u8 *above = sure + (size_t)most(0, i - 1) * columns;
        const u8 *below = sure + (size_t)least(scene->rows - 1, i) * columns;
        *cell++ = above[0] & below[0];
        for (int k = 1; k < columns; k++)
            *cell++ = above[k - 1] & above[k] & below[k - 1] & below[k];
        *cell++ = above[columns - 1] & below[columns - 1];
    }
}

/* Keep `bit` in those of `count` cells, `step` apart, that have it also in all cells within `reach`
 * pixels. `held` is scratch. */
static void narrow_line(u8 *cells, size_t step, int count, const int *start, int reach, u8 bit,
                        u8 *held) {
    for (int k = 0; k < count; k++)
        held[k] = cells[k * step] & bit;
    for (int k = 0; k < count; k++) {
        int first = k, last = k;
        while (first > 0 && start[first] > start[k] - reach)
            first--;
        while (last < count - 1 && start[last + 1] < start[k + 1] + reach)
            last++;
        while (first <= last && held[first])
            first++;
        if (first <= last)
            cells[k * step] &= (u8)~bit;
    }
}

static void narrow(const Scene *scene, int reach, u8 bit, u8 *held) {
    const int down = scene->rows + 1, across = scene->columns + 1;
    for (int i = 0; i < down; i++)
        narrow_line(scene->cells + (size_t)i * across, 1, across, scene->start, reach, bit, held);
    for (int k = 0; k < across; k++)
        narrow_line(scene->cells + k, across, down, scene->begin, reach, bit, held);
}

static void settle(const Scene *scene) {
    const size_t count = (size_t)(scene->rows + 1) * (scene->columns + 1);
    u8 *restrict cells = scene->cells;
    for (size_t k = 0; k < count; k++)
        cells[k] = cells[k] & ROOM                        ? ROOM
                   : cells[k] >= (PERSON | UNCHANGED)     ? PERSON
                                                          : MIXED;
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

/* Interpolate the maps across the mixed ones of the `cells` of row `i`. */
static void spread_row(const Scene *scene, const u8 *cells, int i) {
    const Lines *lines = &scene->lines;
    const i16 *change = scene->change;
    const size_t pair[2] = {(size_t)most(0, i - 1) * scene->columns,
                            (size_t)least(scene->rows - 1, i) * scene->columns};
    for (int k = 0; k <= scene->columns; k++) {
        const int first = scene->start[k], count = scene->start[k + 1] - first;
        if (cells[k] != MIXED || !count)
            continue;
        const float *across = scene->across + first;
        const int left = most(0, k - 1), right = least(scene->columns - 1, k);
        for (int n = 0; n < 2; n++) {
            const size_t a = pair[n] + left, b = pair[n] + right;
            spread(scene->slope[a], scene->slope[b], across, lines->slope[n] + first, count);
            spread(scene->offset[a], scene->offset[b], across, lines->offset[n] + first, count);
            if (change)
                spread_colours(change + 3 * a, change + 3 * b, across,
                               lines->colours[n] + 3 * (size_t)first, count);
        }
    }
}

/* The alpha of `count` pixels of a row from `first` on, from the lines. */
static void find_alpha(const Scene *scene, int y, int first, int count, float *restrict alpha) {
    const Lines *lines = &scene->lines;
    const float *restrict s0 = lines->slope[0] + first, *restrict s1 = lines->slope[1] + first;
    const float *restrict o0 = lines->offset[0] + first, *restrict o1 = lines->offset[1] + first;
    const float down = scene->down[y], threshold = scene->threshold;
    const float low = 0.5f / threshold, high = 0.5f / (1.0f - threshold);
    grey_row(scene->frame + 3 * ((size_t)y * scene->width + first), alpha, count);
    for (int x = 0; x < count; x++) {
        const float slope = s0[x] + down * (s1[x] - s0[x]);
        const float offset = o0[x] + down * (o1[x] - o0[x]);
        const float value = clipped(slope * alpha[x] + offset, 1.0f);
        alpha[x] = value < threshold ? value * low : (value - 1.0f) * high + 1.0f;
    }
}

/* Blend `count` pixels of a row from `first` on, of which `source` and `behind` are the colours. */
static void mix(const Scene *scene, const u8 *restrict source, const u8 *restrict behind,
                const float *restrict values, int y, int first, int count, u8 *restrict out) {
    const float down = scene->down[y];
    const float *restrict c0 = scene->lines.colours[0] + 3 * (size_t)first;
    const float *restrict c1 = scene->lines.colours[1] + 3 * (size_t)first;
    float *restrict alpha = scene->lines.alpha;
    for (int x = 0; x < count; x++)
        alpha[3 * x] = alpha[3 * x + 1] = alpha[3 * x + 2] = values[x];
    if (scene->change)
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

/* The rectangle around everything within `reach` pixels of the mixed cells; empty without any. */
static Part part_around(const Scene *scene, int reach) {
    int top = scene->height, bottom = 0, left = scene->width, right = 0;
    const u8 *cell = scene->cells;
    for (int i = 0; i <= scene->rows; i++)
        for (int k = 0; k <= scene->columns; k++, cell++)
            if (*cell == MIXED) {
                top = least(top, scene->begin[i]), bottom = most(bottom, scene->begin[i + 1]);
                left = least(left, scene->start[k]), right = most(right, scene->start[k + 1]);
            }
    top = most(0, top - reach), bottom = least(scene->height, bottom + reach);
    left = most(0, left - reach), right = least(scene->width, right + reach);
    return (Part){top, left, most(0, bottom - top), most(0, right - left), NULL, NULL};
}

/* Compute the alpha of a part; `cells` are MIXED, ROOM or PERSON. */
static void fill_part(const Scene *scene, const u8 *cells, const Part *part) {
    const int columns = scene->columns, right = part->left + part->width;
    for (int i = 0; i <= scene->rows; i++, cells += columns + 1) {
        const int from = most(part->top, scene->begin[i]);
        const int end = least(part->top + part->height, scene->begin[i + 1]);
        if (from < end)
            spread_row(scene, cells, i);
        for (int y = from; y < end; y++) {
            float *line = part->alpha + (size_t)(y - part->top) * part->width;
            for (int k = 0, last; k <= columns; k = last) {
                for (last = k + 1; last <= columns && cells[last] == cells[k]; last++)
                    ;
                const int first = most(part->left, scene->start[k]);
                const int count = least(right, scene->start[last]) - first;
                float *alpha = line + (first - part->left);
                if (cells[k] == MIXED && count > 0)
                    find_alpha(scene, y, first, count, alpha);
                else
                    for (int x = 0; x < count; x++)
                        alpha[x] = cells[k] == PERSON ? 1.0f : 0.0f;
            }
        }
    }
}

/* Grow and feather the edge: narrow what is known of the cells to what stays so, and compute the
 * alpha around the others. `scratch` has twice as many bytes as there are cells. */
static int soften(const Scene *scene, int feather, int grow, const i32 *chords, u8 *scratch,
                  Part *part) {
    const size_t count = (size_t)(scene->rows + 1) * (scene->columns + 1);
    u8 *before = scratch, *held = scratch + count;
    for (size_t k = 0; k < count; k++)
        before[k] = scene->cells[k] & (ROOM | PERSON);
    narrow(scene, feather + most(0, grow), ROOM, held);
    if (grow < 0)
        narrow(scene, -grow, PERSON, held);
    settle(scene);
    *part = part_around(scene, feather + abs(grow));
    const size_t area = (size_t)part->height * part->width;
    if (!area)
        return 0;
    part->memory = malloc(2 * sizeof(float) * area);
    if (!part->memory)
        return -1;
    float *other = part->memory + area;
    part->alpha = part->memory;
    fill_part(scene, before, part);
    int failed = 0;
    if (grow) {
        failed = grow_alpha(part->alpha, part->height, part->width, grow, chords, other);
        part->alpha = other, other = part->memory;
    }
    if (feather && !failed) {
        failed = feather_alpha(part->alpha, part->height, part->width, feather, other);
        part->alpha = other;
    }
    return failed;
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

/* Blend row `y`, which lies in row `kind` of the cells, into `out`. */
static void blend_row(const Scene *scene, const Part *part, const u8 *background, const u8 *kind,
                      int y, u8 *out) {
    const int columns = scene->columns;
    for (int k = 0, last; k <= columns; k = last) {
        for (last = k + 1; last <= columns && kind[last] == kind[k]; last++)
            ;
        const int first = scene->start[k], count = scene->start[last] - first;
        const size_t at = 3 * ((size_t)y * scene->width + first);
        const u8 *source = scene->frame + at, *behind = background + at;
        u8 *drawn = out + 3 * (size_t)first;
        if (kind[k] != MIXED) {
            memcpy(drawn, kind[k] == ROOM ? behind : source, 3 * (size_t)count);
            continue;
        }
        const float *alpha = scene->lines.values;
        if (part->alpha)
            alpha = part->alpha + (size_t)(y - part->top) * part->width + (first - part->left);
        else
            find_alpha(scene, y, first, count, scene->lines.values);
        mix(scene, source, behind, alpha, y, first, count, drawn);
    }
}

EXPORT int blend(const u8 *frame, int height, int width, const float *slope, const float *offset,
                 const i16 *change, int rows, int columns, float threshold, int feather, int grow,
                 const i32 *chords, const u8 *background, int mirror, u8 *out) {
    const size_t wide = 3 * (size_t)width, count = ((size_t)rows + 1) * ((size_t)columns + 1);
    Scene scene = {frame, height, width, slope, offset, change, rows, columns, threshold};
    Part part = {0};
    float *floats = malloc(sizeof(float) * (6 * (size_t)width + 3 * wide + (size_t)height));
    int *ints = malloc(sizeof(int) * ((size_t)columns + 2 + (size_t)rows + 2));
    u8 *bytes = malloc(3 * count + wide);
    int failed = !floats || !ints || !bytes ? -1 : 0;
    if (!failed) {
        Lines *lines = &scene.lines;
        float *next = floats;
        for (int n = 0; n < 2; n++) {
            lines->slope[n] = next, next += width;
            lines->offset[n] = next, next += width;
            lines->colours[n] = next, next += wide;
        }
        lines->alpha = next, next += wide;
        lines->values = next, next += width;
        scene.across = next, scene.down = next + width;
        scene.start = ints, scene.begin = ints + columns + 2;
        scene.cells = bytes;
        u8 *scratch = bytes + count, *line = scratch + 2 * count;
        make_cells(width, columns, scene.start, scene.across);
        make_cells(height, rows, scene.begin, scene.down);
        mark_samples(&scene, scratch);
        mark_cells(&scene, scratch);
        if (feather || grow)
            failed = soften(&scene, feather, grow, chords, scratch, &part);
        else
            settle(&scene);
        for (int i = 0; i <= rows && !failed; i++) {
            const u8 *kind = scene.cells + (size_t)i * (columns + 1);
            if (scene.begin[i] < scene.begin[i + 1])
                spread_row(&scene, kind, i);
            for (int y = scene.begin[i]; y < scene.begin[i + 1]; y++) {
                u8 *target = out + y * wide;
                blend_row(&scene, &part, background, kind, y, mirror ? line : target);
                if (mirror)
                    reverse(line, target, width);
            }
        }
    }
    free(part.memory);
    free(floats);
    free(ints);
    free(bytes);
    return failed;
}
