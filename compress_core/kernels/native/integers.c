/* Codes on a uniform grid and back: the twin of kernels/integers.py. */
#include "blocks.h"

/* What turns the values of a group into steps; bounds are of steps. */
typedef struct {
    float mean, scale, before, after, low, high;
} group_t;

/* Codes of some neighbours of one group, as floats. */
INLINE void encode(const float *restrict values, ptrdiff_t count, group_t group,
                   float *restrict steps) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float step = (values[i] - group.mean) / group.scale + group.before;
        steps[i] = round_between(step, group.low, group.high) + group.after;
    }
}

/* values: (rows, columns); the figures of groups, (rows, groups), mean may be NULL; low and high:
 * of codes. */
KERNEL int modelopt_integer_codes(const float *values, ptrdiff_t rows, ptrdiff_t columns,
                                  ptrdiff_t width, const float *mean, const float *scale,
                                  const float *before, const float *after, float low, float high,
                                  uint8_t *codes) {
    const ptrdiff_t groups = (columns + width - 1) / width;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += BLOCK) {
            const ptrdiff_t end = first + BLOCK < columns ? first + BLOCK : columns;
            float steps[BLOCK];
            for (ptrdiff_t at = first, run; at < end; at += run) {
                const ptrdiff_t g = row * groups + at / width;
                const float own = after[g];
                const group_t group = {mean == NULL ? 0.0f : mean[g], scale[g],   before[g], own,
                                       low - own,                     high - own};
                run = run_of(at, end, width);
                encode(values + row * columns + at, run, group, steps + at - first);
            }
            uint8_t *restrict to = codes + row * columns + first;
            for (ptrdiff_t i = 0; i < end - first; i++) to[i] = (uint8_t)(int32_t)steps[i];
        }
    }
    return 0;
}

/* raised: what is added at the end where there are no means, 0 or -0, which changes nothing. */
KERNEL int modelopt_integer_values(const uint8_t *codes, ptrdiff_t rows, ptrdiff_t columns,
                                   ptrdiff_t width, const float *zero, const float *scale,
                                   const float *mean, float raised, float *values) {
    ptrdiff_t group = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0, run; first < columns; first += run, group++) {
            const float own = zero[group], step = scale[group];
            const float last = mean == NULL ? raised : mean[group];
            const uint8_t *restrict from = codes + row * columns + first;
            float *restrict to = values + row * columns + first;
            run = run_of(first, columns, width);
            for (ptrdiff_t i = 0; i < run; i++) to[i] = ((float)from[i] - own) * step + last;
        }
    }
    return 0;
}
