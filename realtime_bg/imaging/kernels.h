/* What the compiled files share. Images are interleaved BGR, arrays are contiguous, and all values
 * are finite. An exported function returns 0, or -1 if there is no memory for its scratch space; it
 * has then written nothing. kernels.py describes the functions and checks all shapes. */

#ifndef KERNELS_H
#define KERNELS_H

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
static inline void grey_row(const u8 *restrict line, float *restrict grey, int width) {
    for (int x = 0; x < width; x++)
        grey[x] = 0.114f * line[3 * x] + 0.587f * line[3 * x + 1] + 0.299f * line[3 * x + 2];
}

/* In softening.c. Alphas are (height, width). */

/* Enlarge what is not 0 by `by` pixels, or what is not 1 by -`by`, in all directions: the largest
 * or least alpha in a disc whose rows at the distance k from the middle are 2 * chords[k] + 1
 * pixels long. */
int grow_alpha(const float *alpha, int height, int width, int by, const i32 *chords, float *grown);

/* Soften the edge outwards by `radius` pixels. */
int feather_alpha(const float *alpha, int height, int width, int radius, float *soft);

#endif
