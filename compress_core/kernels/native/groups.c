/* Extremes of groups of neighbours: the twin of kernels/groups.py. */
#include "common.h"

/* The largest magnitude of each group of `width` values; NaN where one is. */
KERNEL int modelopt_largest(const float *values, ptrdiff_t groups, ptrdiff_t width, float *found) {
    for (ptrdiff_t group = 0; group < groups; group++, values += width) {
        uint32_t most = 0; /* of bits: NaN is larger than all */
        for (ptrdiff_t i = 0; i < width; i++) {
            const uint32_t bits = magnitude_bits(values[i]);
            most = bits > most ? bits : most;
        }
        found[group] = bits_to_float(most);
    }
    return 0;
}

/* Whole numbers in the order of the floats, -0 before 0; its own inverse. */
INLINE int32_t ordered(int32_t bits) { return bits ^ (bits >> 31 & 0x7FFFFFFF); }

/* A float of this place in the order; no -0. */
INLINE float in_order(int32_t place) { return bits_to_float((uint32_t)ordered(place)) + 0.0f; }

INLINE void between(const float *values, ptrdiff_t groups, ptrdiff_t width, int32_t least_before,
                    int32_t most_before, float *low, float *high) {
    for (ptrdiff_t group = 0; group < groups; group++, values += width) {
        int32_t least = least_before, most = most_before;
        for (ptrdiff_t i = 0; i < width; i++) {
            const int32_t place = ordered((int32_t)float_to_bits(values[i]));
            least = place < least ? place : least;
            most = place > most ? place : most;
        }
        const int missing = most > 0x7F800000 || least < ordered((int32_t)0xFF800000);
        low[group] = missing ? NAN : in_order(least);
        high[group] = missing ? NAN : in_order(most);
    }
}

/* The smallest and the largest of each group and 0; NaN where one is. */
KERNEL int modelopt_extremes(const float *values, ptrdiff_t groups, ptrdiff_t width, float *low,
                             float *high) {
    between(values, groups, width, 0, 0, low, high);
    return 0;
}

/* The same without 0. */
KERNEL int modelopt_ends(const float *values, ptrdiff_t groups, ptrdiff_t width, float *low,
                         float *high) {
    between(values, groups, width, INT32_MAX, INT32_MIN, low, high);
    return 0;
}
