/* How far two arrays are apart: the twin of kernels/differences.py. */
#include "numbers.h"
#include "sums.h"

/* Numbers of a storage dtype; table: of 256 patterns, for dtypes of 8 bits. */
typedef struct {
    const void *raw;
    const float *table;
} numbers_t;

typedef struct {
    double error_square, reference_square, largest;
    int64_t same, zeros_a, zeros_b;
} measured_t;

/* FOLDS numbers from element `first` on, as floats. */
INLINE void load(numbers_t from, int dtype, ptrdiff_t first, float *values) {
    const uint16_t *shorts = (const uint16_t *)from.raw + first;
    const uint8_t *bytes = (const uint8_t *)from.raw + first;
    if (dtype == F32) memcpy(values, (const float *)from.raw + first, FOLDS * sizeof(float));
    else if (dtype == BF16) for (int i = 0; i < FOLDS; i++) values[i] = from_bf16(shorts[i]);
    else if (dtype == F16) for (int i = 0; i < FOLDS; i++) values[i] = from_f16(shorts[i]);
    else for (int i = 0; i < FOLDS; i++) values[i] = from.table[bytes[i]];
}

/* The last elements, fewer than FOLDS, and zeros behind them. */
INLINE void load_rest(numbers_t from, int dtype, ptrdiff_t first, ptrdiff_t rest, float *values) {
    const size_t size = dtype == F32 ? 4 : dtype == BF16 || dtype == F16 ? 2 : 1;
    char room[FOLDS * sizeof(float)] = {0};
    memcpy(room, (const char *)from.raw + (size_t)first * size, (size_t)rest * size);
    const numbers_t last = {room, from.table};
    load(last, dtype, 0, values);
    for (ptrdiff_t i = rest; i < FOLDS; i++) values[i] = 0.0f;
}

INLINE int count_zeros(const float *values) {
    int found = 0;
    for (int i = 0; i < FOLDS; i++) found += magnitude_bits(values[i]) == 0;
    return found;
}

INLINE void add_squares(const float *values, double *sums) {
    for (int i = 0; i < FOLDS; i++) sums[i] += (double)values[i] * (double)values[i];
}

INLINE void measure(numbers_t a, int of_a, numbers_t b, int of_b, ptrdiff_t count,
                    measured_t *found) {
    double errors[FOLDS] = {0}, references[FOLDS] = {0};
    uint32_t largest = 0; /* of bits: NaN is larger than all */
    const ptrdiff_t filler = -count & (FOLDS - 1);
    *found = (measured_t){.same = -filler, .zeros_a = -filler, .zeros_b = -filler};
    for (ptrdiff_t first = 0; first < count; first += FOLDS) {
        float before[FOLDS], after[FOLDS];
        if (count - first >= FOLDS) {
            load(a, of_a, first, before);
            load(b, of_b, first, after);
        } else {
            load_rest(a, of_a, first, count - first, before);
            load_rest(b, of_b, first, count - first, after);
        }
        found->zeros_a += count_zeros(before);
        found->zeros_b += count_zeros(after);
        for (int i = 0; i < FOLDS; i++) after[i] = before[i] - after[i];
        found->same += count_zeros(after);
        for (int i = 0; i < FOLDS; i++) {
            const uint32_t bits = magnitude_bits(after[i]);
            largest = bits > largest ? bits : largest;
        }
        add_squares(after, errors);
        add_squares(before, references);
    }
    found->error_square = folded(errors);
    found->reference_square = folded(references);
    found->largest = bits_to_float(largest);
}

/* tables: of dtypes of 8 bits, else NULL. Pairs that files have often are compiled on their own. */
KERNEL int modelopt_measure(const void *raw_a, int of_a, const float *table_a, const void *raw_b,
                            int of_b, const float *table_b, ptrdiff_t count, measured_t *found) {
    const numbers_t a = {raw_a, table_a}, b = {raw_b, table_b};
    if (of_a == BF16 && of_b == BF16) measure(a, BF16, b, BF16, count, found);
    else if (of_a == F16 && of_b == F16) measure(a, F16, b, F16, count, found);
    else if (of_a == F32 && of_b == F32) measure(a, F32, b, F32, count, found);
    else measure(a, of_a, b, of_b, count, found);
    return 0;
}

INLINE void weigh(numbers_t from, int dtype, ptrdiff_t count, double *square, int64_t *zeros) {
    double sums[FOLDS] = {0};
    *zeros = -(-count & (FOLDS - 1));
    for (ptrdiff_t first = 0; first < count; first += FOLDS) {
        float values[FOLDS];
        if (count - first >= FOLDS) load(from, dtype, first, values);
        else load_rest(from, dtype, first, count - first, values);
        *zeros += count_zeros(values);
        add_squares(values, sums);
    }
    *square = folded(sums);
}

KERNEL int modelopt_weigh(const void *raw, int dtype, const float *table, ptrdiff_t count,
                          double *square, int64_t *zeros) {
    const numbers_t from = {raw, table};
    if (dtype == BF16) weigh(from, BF16, count, square, zeros);
    else if (dtype == F16) weigh(from, F16, count, square, zeros);
    else if (dtype == F32) weigh(from, F32, count, square, zeros);
    else weigh(from, dtype, count, square, zeros);
    return 0;
}
