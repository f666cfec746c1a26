/* Sums in the order of kernels/sums.py: FOLDS running sums, halved until one is left. */
#ifndef MODELOPT_SUMS_H
#define MODELOPT_SUMS_H

#include "common.h"

#define FOLDS 128

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
