/* Codes on a uniform grid and back: the twin of kernels/integers.py. */
#include "common.h"

/* The codes of some neighbours of one group. Bounds are whole numbers, so they may come before the
 * rounding; NaN becomes the lower one. */
INLINE void encode(const float *restrict values, ptrdiff_t count, float mean, float scale, float before,
                   float after, float low, float high, uint8_t *restrict codes) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float step = (values[i] - mean) / scale + before;
        const float raised = step > low ? step : low;
        const float bounded = raised < high ? raised : high;
        codes[i] = (uint8_t)(int32_t)(round_small(bounded) + after);
    }
}

/* values: (rows, columns); low and high: of codes. */
KERNEL int modelopt_integer_codes(const float *restrict values, ptrdiff_t rows, ptrdiff_t columns,
                                  ptrdiff_t width, const float *mean, const float *scale,
                                  const float *before, const float *after, float low, float high,
                                  uint8_t *restrict codes) {
    ptrdiff_t group = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += width, group++) {
            const ptrdiff_t count = columns - first < width ? columns - first : width;
            const float added = after[group];
            encode(values, count, mean == NULL ? 0.0f : mean[group], scale[group], before[group],
                   added, low - added, high - added, codes);
            values += count;
            codes += count;
        }
    }
    return 0;
}

/* raised: what is added at the end where there are no means, 0 or -0, which changes nothing. */
KERNEL int modelopt_integer_values(const uint8_t *restrict codes, ptrdiff_t rows, ptrdiff_t columns,
                                   ptrdiff_t width, const float *zero, const float *scale,
                                   const float *mean, float raised, float *restrict values) {
    ptrdiff_t group = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += width, group++) {
            const ptrdiff_t count = columns - first < width ? columns - first : width;
            const float from = zero[group], step = scale[group];
            const float last = mean == NULL ? raised : mean[group];
            for (ptrdiff_t i = 0; i < count; i++)
                values[i] = ((float)codes[i] - from) * step + last;
            values += count;
            codes += count;
        }
    }
    return 0;
}
