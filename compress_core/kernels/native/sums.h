/* Sums in the order of kernels/sums.py: FOLDS running sums, halved until one is left. */
#ifndef MODELOPT_SUMS_H
#define MODELOPT_SUMS_H

#include "common.h"

#define FOLDS 128

/* Fewer elements than FOLDS are as good as filled up with zeros: halves of nothing but zeros come
 * first, and to add a zero changes no sum of squares. */
INLINE double folded(double *sums) {
    for (int folds = FOLDS / 2; folds > 0; folds /= 2)
        for (int i = 0; i < folds; i++) sums[i] += sums[i + folds];
    return sums[0];
}

/* The same where only the first `count` sums, if these are fewer, have been begun. */
INLINE double folded_some(double *sums, ptrdiff_t count) {
    for (ptrdiff_t i = count; i < FOLDS; i++) sums[i] = 0.0;
    return folded(sums);
}

#endif
