/* Growing and feathering an alpha of full size, as refine.py describes them. */

#include "kernels.h"

#define NOTHING (-2.0f) /* less than every alpha, and than every negated one */

/* The exponent of the largest power of 2 that is not greater than `value`. */
static int log2_of(int value) {
    int exponent = 0;
    while (value >> (exponent + 1))
        exponent++;
    return exponent;
}

static void raise_row(float *restrict row, const float *restrict first,
                      const float *restrict second, int width) {
    for (int x = 0; x < width; x++)
        row[x] = higher(row[x], higher(first[x], second[x]));
}

/* Two overlapping windows whose length is a power of 2 cover any chord, and windows of twice the
 * length are made of two. So the cost of a row of the disc does not grow with its length. */
int grow_alpha(const float *alpha, int height, int width, int by, const i32 *chords, float *grown) {
    const int radius = abs(by), padded = width + 2 * radius, most_log = log2_of(2 * radius + 1);
    const float sign = by > 0 ? 1.0f : -1.0f; /* the least of values is the largest negated one */
    const size_t area = (size_t)height * width;
    float *windows = malloc(sizeof(float) * padded * (most_log + 1)); /* of 1, 2, 4 ... values */
    if (!windows)
        return -1;
    for (size_t k = 0; k < area; k++)
        grown[k] = NOTHING;
    for (int x = 0; x < radius; x++)
        windows[x] = windows[padded - 1 - x] = NOTHING;
    for (int y = 0; y < height; y++) {
        const float *line = alpha + (size_t)y * width;
        for (int x = 0; x < width; x++)
            windows[radius + x] = sign * line[x];
        for (int log = 1; log <= most_log; log++) {
            const int half = 1 << (log - 1);
            const float *restrict from = windows + (size_t)(log - 1) * padded;
            float *restrict to = windows + (size_t)log * padded;
            for (int x = 0; x <= padded - 2 * half; x++)
                to[x] = higher(from[x], from[x + half]);
        }
        for (int k = 0; k <= radius; k++) {
            const int length = 2 * chords[k] + 1, log = log2_of(length);
            const float *first = windows + (size_t)log * padded + radius - chords[k];
            const float *second = first + length - (1 << log);
            if (y >= k)
                raise_row(grown + (size_t)(y - k) * width, first, second, width);
            if (k && y + k < height)
                raise_row(grown + (size_t)(y + k) * width, first, second, width);
        }
    }
    free(windows);
    if (by < 0)
        for (size_t k = 0; k < area; k++)
            grown[k] = -grown[k];
    return 0;
}

/* The sums of `length` successive values from each of the first `count` on, made of sums whose
 * length is a power of 2. `line`, which is overwritten, and `spare` have count + length - 1. */
static void sum_windows(float *restrict line, int count, int length, float *restrict spare,
                        float *restrict sums) {
    int done = 0, held = count + length - 1;
    memset(sums, 0, sizeof(float) * count);
    for (int size = 1; size <= length; size *= 2) {
        if (length & size) {
            for (int x = 0; x < count; x++)
                sums[x] += line[x + done];
            done += size;
        }
        held -= size;
        for (int x = 0; x < held; x++)
            spare[x] = line[x] + line[x + size];
        memcpy(line, spare, sizeof(float) * most(0, held));
    }
}

int feather_alpha(const float *alpha, int height, int width, int radius, float *soft) {
    const int side = 2 * radius + 1, padded = width + 2 * radius;
    /* A blur puts half of the ramp inside the person; doubling moves all of it outside. */
    const float part = 2.0f / ((float)side * (float)side);
    float *columns = calloc(2 * ((size_t)width + padded), sizeof(float));
    if (!columns)
        return -1;
    float *sums = columns + width, *line = sums + width, *spare = line + padded;
    for (int k = -radius; k <= radius; k++) {
        const float *row = alpha + (size_t)least(most(0, k), height - 1) * width;
        for (int x = 0; x < width; x++)
            columns[x] += row[x];
    }
    for (int y = 0; y < height; y++) {
        const float *restrict old = alpha + (size_t)most(0, y - radius) * width;
        const float *restrict new = alpha + (size_t)least(height - 1, y + 1 + radius) * width;
        const float *restrict here = alpha + (size_t)y * width;
        float *restrict out = soft + (size_t)y * width;
        for (int x = 0; x < radius; x++)
            line[x] = columns[0], line[radius + width + x] = columns[width - 1];
        memcpy(line + radius, columns, sizeof(float) * width);
        sum_windows(line, width, side, spare, sums);
        for (int x = 0; x < width; x++) {
            out[x] = higher(here[x], lower(part * sums[x], 1.0f));
            columns[x] += new[x] - old[x];
        }
    }
    free(columns);
    return 0;
}
