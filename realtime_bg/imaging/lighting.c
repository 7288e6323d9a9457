/* Less noise and other light in a part of a picture, as denoise.py and light.py describe them. Lines
 * of pictures are `stride` bytes apart, because they are parts of larger ones. */

#include "kernels.h"

/* Each value three times, as many as a pixel has channels. */
static void spread_row(const u8 *restrict values, int width, u8 *restrict spread) {
    for (int x = 0; x < width; x++)
        spread[3 * x] = spread[3 * x + 1] = spread[3 * x + 2] = values[x];
}

/* Mix `count` values of `before` into `now`, rounded towards `now`. `still` is the weight, of 255;
 * `weight` is another one, of 256. All of a difference is noise up to twice the noise, and nothing
 * from four times on; `steep` is 2^15 divided by the noise. */
static void settle_row(const u8 *restrict now, u8 *restrict before, const u8 *restrict still,
                       int count, int weight, int steep) {
    for (int k = 0; k < count; k++) {
        const int change = before[k] - now[k], off = abs(change);
        const int trust = most(0, least(256, 512 - (off * steep >> 8)));
        const int taken = off * (weight * still[k] / 255 * trust >> 8) >> 8;
        before[k] = (u8)(now[k] + (change < 0 ? -taken : taken));
    }
}

EXPORT int settle(const u8 *now, int now_stride, u8 *before, int before_stride, const u8 *still,
                  int height, int width, int weight, int steep) {
    u8 *line = malloc(3 * (size_t)width);
    if (!line)
        return -1;
    for (int y = 0; y < height; y++) {
        spread_row(still + (size_t)y * width, width, line);
        settle_row(now + (size_t)y * now_stride, before + (size_t)y * before_stride, line,
                   3 * width, weight, steep);
    }
    free(line);
    return 0;
}

/* `levels`: for each channel (3, 256) the level in the light, and 256 times that outside of it. */
EXPORT int relight(const u8 *image, int stride, const u16 *levels, const u8 *share, int height,
                   int width, u8 *out, int out_stride) {
    for (int y = 0; y < height; y++) {
        const u8 *restrict from = image + (size_t)y * stride;
        const u8 *restrict part = share + (size_t)y * width;
        u8 *restrict to = out + (size_t)y * out_stride;
        for (int x = 0; x < width; x++) {
            const int lit = part[x] + (part[x] >> 7); /* of 256 */
            for (int c = 0; c < 3; c++) {
                const int both = levels[256 * c + from[3 * x + c]];
                to[3 * x + c] = (u8)(((both & 255) * lit + (both >> 8) * (256 - lit) + 128) >> 8);
            }
        }
    }
    return 0;
}
