/* Values beyond the ends of their group: the twin of kernels/clipping.py. */
#include "numbers.h"

INLINE int64_t count(const void *raw, int dtype, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t width,
                     const float *low, const float *high, const uint8_t *gone) {
    int64_t found = 0;
    ptrdiff_t at = 0;
    for (ptrdiff_t row = 0; row < rows; row++)
        for (ptrdiff_t first = 0; first < columns; first += width, low++, high++) {
            const ptrdiff_t end = at + (columns - first < width ? columns - first : width);
            const float least = *low, most = *high;
            int32_t outside = 0; /* of fewer elements than 2^31: a row at the most */
            if (gone == NULL) {
                for (; at < end; at++) {
                    const float value = widened(raw, dtype, at);
                    outside += (value < least) | (value > most);
                }
            } else {
                for (; at < end; at++) {
                    const float value = widened(raw, dtype, at);
                    outside += ((value < least) | (value > most)) & !gone[at];
                }
            }
            found += outside;
        }
    return found;
}

/* raw: (rows, columns) of BF16, F16 or F32; low, high: (rows, groups); gone: which elements do not
 * count, or NULL. */
KERNEL int modelopt_beyond(const void *raw, int dtype, ptrdiff_t rows, ptrdiff_t columns,
                           ptrdiff_t width, const float *low, const float *high,
                           const uint8_t *gone, int64_t *found) {
    if (dtype == BF16) *found = count(raw, BF16, rows, columns, width, low, high, gone);
    else if (dtype == F16) *found = count(raw, F16, rows, columns, width, low, high, gone);
    else *found = count(raw, F32, rows, columns, width, low, high, gone);
    return 0;
}
