/* How far two arrays are apart: the twin of kernels/differences.py. */
#include "numbers.h"
#include "sums.h"

/* Numbers of a storage dtype; table: of 256 patterns, for dtypes of 8 bits. */
typedef struct {
    const void *raw;
    const float *table;
} numbers_t;

/* SPAN numbers from element `first` on, as floats. */
INLINE void load(numbers_t from, int dtype, ptrdiff_t first, float *values) {
    const uint16_t *shorts = (const uint16_t *)from.raw + first;
    const uint8_t *bytes = (const uint8_t *)from.raw + first;
    if (dtype == F32) memcpy(values, (const float *)from.raw + first, SPAN * sizeof(float));
    else if (dtype == BF16) for (int i = 0; i < SPAN; i++) values[i] = from_bf16(shorts[i]);
    else if (dtype == F16) for (int i = 0; i < SPAN; i++) values[i] = from_f16(shorts[i]);
    else for (int i = 0; i < SPAN; i++) values[i] = from.table[bytes[i]];
}

/* The last elements, fewer than SPAN, and zeros behind them. */
INLINE void load_rest(numbers_t from, int dtype, ptrdiff_t first, ptrdiff_t rest, float *values) {
    const size_t size = dtype == F32 ? 4 : dtype == BF16 || dtype == F16 ? 2 : 1;
    char room[SPAN * sizeof(float)] = {0};
    memcpy(room, (const char *)from.raw + (size_t)first * size, (size_t)rest * size);
    const numbers_t last = {room, from.table};
    load(last, dtype, 0, values);
    for (ptrdiff_t i = rest; i < SPAN; i++) values[i] = 0.0f;
}

INLINE numbers_t from_element(numbers_t from, int dtype, ptrdiff_t first) {
    const size_t size = dtype == F32 ? 4 : dtype == BF16 || dtype == F16 ? 2 : 1;
    const numbers_t rest = {(const char *)from.raw + (size_t)first * size, from.table};
    return rest;
}

/* sums: squares of errors, of references, and the largest error; counts: elements without one, and
 * zeros of both. */
INLINE void measure(numbers_t a, int of_a, numbers_t b, int of_b, ptrdiff_t count, double *sums,
                    int64_t *counts) {
    double errors[FOLDS] = {0}, references[FOLDS] = {0};
    uint32_t largest = 0;
    const ptrdiff_t filler = -count & (SPAN - 1);
    int64_t same = -filler, zeros_a = -filler, zeros_b = -filler;
    for (ptrdiff_t first = 0; first < count; first += SPAN) {
        float before[SPAN], after[SPAN];
        if (count - first >= SPAN) {
            load(a, of_a, first, before);
            load(b, of_b, first, after);
        } else {
            load_rest(a, of_a, first, count - first, before);
            load_rest(b, of_b, first, count - first, after);
        }
        zeros_a += count_zeros(before);
        zeros_b += count_zeros(after);
        for (int i = 0; i < SPAN; i++) after[i] = before[i] - after[i];
        same += count_zeros(after);
        largest = largest_bits(after, largest);
        add_squares(after, errors);
        add_squares(before, references);
    }
    sums[0] = folded(errors);
    sums[1] = folded(references);
    sums[2] = bits_to_float(largest);
    counts[0] = same;
    counts[1] = zeros_a;
    counts[2] = zeros_b;
}

/* The elements of grains of `grain` elements each; sums, counts: (grains, 3). */
INLINE void measure_grains(numbers_t a, int of_a, numbers_t b, int of_b, ptrdiff_t count,
                           ptrdiff_t grain, double *sums, int64_t *counts) {
    for (ptrdiff_t first = 0; first < count; first += grain, sums += 3, counts += 3) {
        const ptrdiff_t here = count - first < grain ? count - first : grain;
        measure(from_element(a, of_a, first), of_a, from_element(b, of_b, first), of_b, here, sums,
                counts);
    }
}

/* tables: of dtypes of 8 bits, else NULL. Pairs that files have often are compiled on their own. */
KERNEL int modelopt_measure(const void *raw_a, int of_a, const float *table_a, const void *raw_b,
                            int of_b, const float *table_b, ptrdiff_t count, ptrdiff_t grain,
                            double *sums, int64_t *counts) {
    const numbers_t a = {raw_a, table_a}, b = {raw_b, table_b};
#define MEASURE(of_a, of_b) measure_grains(a, of_a, b, of_b, count, grain, sums, counts)
    if (of_a == BF16 && of_b == BF16) MEASURE(BF16, BF16);
    else if (of_a == F16 && of_b == F16) MEASURE(F16, F16);
    else if (of_a == F32 && of_b == F32) MEASURE(F32, F32);
    else MEASURE(of_a, of_b);
#undef MEASURE
    return 0;
}

INLINE void weigh(numbers_t from, int dtype, ptrdiff_t count, double *square, int64_t *zeros) {
    double sums[FOLDS] = {0};
    *zeros = -(-count & (SPAN - 1));
    for (ptrdiff_t first = 0; first < count; first += SPAN) {
        float values[SPAN];
        if (count - first >= SPAN) load(from, dtype, first, values);
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
