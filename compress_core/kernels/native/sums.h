/* Sums in the order of kernels/sums.py: FOLDS running sums, halved until one is left. */
#ifndef MODELOPT_SUMS_H
#define MODELOPT_SUMS_H

#include "common.h"

#define FOLDS 128

/* Elements that are looked at together: some times FOLDS. */
#define SPAN (4 * FOLDS)

INLINE int count_zeros(const float *values) {
    int found = 0;
    for (int i = 0; i < SPAN; i++) found += magnitude_bits(values[i]) == 0;
    return found;
}

/* The largest magnitude and `most`, as bits, of which those of NaN are larger than all. */
INLINE uint32_t largest_bits(const float *values, uint32_t most) {
    for (int i = 0; i < SPAN; i++) {
        const uint32_t bits = magnitude_bits(values[i]);
        most = bits > most ? bits : most;
    }
    return most;
}

/* Each running sum is loaded once for the elements of a span that it gets, in their order. */
INLINE void add_squares(const float *values, double *sums) {
    for (int i = 0; i < FOLDS; i++) {
        double sum = sums[i];
        for (int first = 0; first < SPAN; first += FOLDS)
            sum += (double)values[first + i] * (double)values[first + i];
        sums[i] = sum;
    }
}

/* Fewer elements than FOLDS are as good as filled up with zeros: halves of nothing but zeros come
 * first, and to add a zero changes no sum of squares. */
INLINE void fold_from(double *sums, int folds) {
    for (folds /= 2; folds > 0; folds /= 2)
        for (int i = 0; i < folds; i++) sums[i] += sums[i + folds];
}

INLINE double folded(double *sums) {
    fold_from(sums, FOLDS);
    return sums[0];
}

/* The same where only the first `count` sums, if these are fewer, have been begun. */
INLINE double folded_some(double *sums, ptrdiff_t count) {
    const int folds = count <= 16 ? 16 : count <= 32 ? 32 : count <= 64 ? 64 : FOLDS;
    for (ptrdiff_t i = count; i < folds; i++) sums[i] = 0.0;
    if (folds == FOLDS) fold_from(sums, FOLDS);
    else if (folds == 64) fold_from(sums, 64);
    else if (folds == 32) fold_from(sums, 32);
    else fold_from(sums, 16);
    return sums[0];
}

#endif
