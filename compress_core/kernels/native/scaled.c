/* Numbers of a narrow format times the unit of their group: the twin of kernels/scaled.py. */
#include "blocks.h"
#include "numbers.h"
#include "sums.h"

enum format { NF4 = 0, E2M1 = 1, E4M3 = 2, E5M2 = 3, TERNARY = 4 };

/* Bounds and numbers of NF4, from kernels/codebooks.py; a copy, which no store can change. */
typedef struct {
    float bounds[15], numbers[16];
} table_t;

INLINE table_t table_of(const float *bounds, const float *numbers) {
    table_t nf4;
    memcpy(nf4.bounds, bounds, sizeof nf4.bounds);
    memcpy(nf4.numbers, numbers, sizeof nf4.numbers);
    return nf4;
}

INLINE uint8_t code_of(float units, int format, const table_t *nf4) {
    if (format == NF4) {
        int code = 0;
        for (int k = 0; k < 15; k++) code += units > nf4->bounds[k];
        return (uint8_t)code;
    }
    if (format == E2M1) {
        const float magnitude = fabsf(saturated(units, 6.0f));
        return (uint8_t)(small_float(magnitude, 1, 0) | (units < 0.0f ? 8 : 0));
    }
    if (format == TERNARY) return (uint8_t)(int32_t)(round_small(saturated(units, 1.0f)) + 1.0f);
    return format == E4M3 ? to_e4m3_bits(units) : to_e5m2_bits(units);
}

/* The number nearest to `units`: that of its code. */
INLINE float number_of(float units, int format, const table_t *nf4) {
    if (format == NF4) {
        float number = nf4->numbers[0];
        for (int k = 0; k < 15; k++) {
            const float next = nf4->numbers[k + 1]; /* read in any case: loads in branches stay */
            number = units > nf4->bounds[k] ? next : number;
        }
        return number;
    }
    if (format == E2M1) return small_number(saturated(units, 6.0f), 1, 0);
    if (format == TERNARY) return round_small(saturated(units, 1.0f));
    if (format == E4M3) return small_number(saturated(units, 448.0f), 3, -6);
    return small_number(saturated(units, 57344.0f), 2, -14);
}

INLINE void encode(const float *values, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t width,
                   const float *unit, int inverse, int format, const table_t *nf4,
                   uint8_t *codes) {
    const ptrdiff_t groups = (columns + width - 1) / width;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += BLOCK) {
            const ptrdiff_t end = first + BLOCK < columns ? first + BLOCK : columns;
            float units[BLOCK];
            for (ptrdiff_t at = first, run; at < end; at += run) {
                const float *restrict from = values + row * columns + at;
                float *restrict own = units + at - first;
                const float one = unit[row * groups + at / width], factor = 1.0f / one;
                run = run_of(at, end, width);
                if (inverse)
                    for (ptrdiff_t i = 0; i < run; i++) own[i] = from[i] * factor;
                else
                    for (ptrdiff_t i = 0; i < run; i++) own[i] = from[i] / one;
            }
            uint8_t *restrict to = codes + row * columns + first;
            for (ptrdiff_t i = 0; i < end - first; i++) to[i] = code_of(units[i], format, nf4);
        }
    }
}

/* values: (rows, columns); unit: (rows, groups). */
KERNEL int modelopt_scaled_codes(const float *values, ptrdiff_t rows, ptrdiff_t columns,
                                 ptrdiff_t width, const float *unit, int inverse, int format,
                                 const float *bounds, const float *numbers, uint8_t *codes) {
    const table_t nf4 = table_of(bounds, numbers);
    if (format == NF4) encode(values, rows, columns, width, unit, inverse, NF4, &nf4, codes);
    if (format == E2M1) encode(values, rows, columns, width, unit, inverse, E2M1, &nf4, codes);
    if (format == E4M3) encode(values, rows, columns, width, unit, inverse, E4M3, &nf4, codes);
    if (format == E5M2) encode(values, rows, columns, width, unit, inverse, E5M2, &nf4, codes);
    if (format == TERNARY) encode(values, rows, columns, width, unit, inverse, TERNARY, &nf4, codes);
    return 0;
}

/* table: the numbers of 256 codes; raised: 0, which makes -0 a 0, or -0, which changes nothing. */
KERNEL int modelopt_scaled_values(const uint8_t *restrict codes, ptrdiff_t rows, ptrdiff_t columns,
                                  ptrdiff_t width, const float *restrict unit,
                                  const float *restrict table, float raised,
                                  float *restrict values) {
    ptrdiff_t group = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += width, group++) {
            const ptrdiff_t count = columns - first < width ? columns - first : width;
            const float own = unit[group];
            for (ptrdiff_t i = 0; i < count; i++) values[i] = table[codes[i]] * own + raised;
            values += count;
            codes += count;
        }
    }
    return 0;
}

/* kept: which of the values count, NULL: all. */
INLINE double squared_error(const float *values, const uint8_t *kept, ptrdiff_t count, float unit,
                            int format, const table_t *nf4) {
    double sums[FOLDS];
    for (ptrdiff_t first = 0; first < count; first += FOLDS) {
        const ptrdiff_t here = count - first < FOLDS ? count - first : FOLDS;
        float rest[FOLDS];
        for (ptrdiff_t i = 0; i < here; i++) {
            const float value = values[first + i];
            rest[i] = value - number_of(value / unit, format, nf4) * unit;
        }
        if (kept != NULL)
            for (ptrdiff_t i = 0; i < here; i++) rest[i] = kept[first + i] ? rest[i] : 0.0f;
        if (first)
            for (ptrdiff_t i = 0; i < here; i++) sums[i] += (double)rest[i] * (double)rest[i];
        else
            for (ptrdiff_t i = 0; i < here; i++) sums[i] = (double)rest[i] * (double)rest[i];
    }
    return folded_some(sums, count);
}

INLINE void search(const float *values, const uint8_t *kept, ptrdiff_t rows, ptrdiff_t columns,
                   ptrdiff_t width, const float *units, ptrdiff_t trials, int format, const table_t *nf4,
                   double *errors, ptrdiff_t *best) {
    const ptrdiff_t groups = rows * ((columns + width - 1) / width);
    ptrdiff_t group = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += width, group++) {
            const ptrdiff_t count = columns - first < width ? columns - first : width;
            double least = 0.0;
            ptrdiff_t at = 0;
            for (ptrdiff_t trial = 0; trial < trials; trial++) {
                const float unit = units[trial * groups + group];
                const double error = squared_error(values, kept, count, unit, format, nf4);
                if (trial == 0 || error < least) {
                    least = error;
                    at = trial;
                }
            }
            if (errors != NULL) errors[group] = least;
            if (best != NULL) best[group] = at;
            values += count;
            kept = kept == NULL ? NULL : kept + count;
        }
    }
}

/* units: (trials, rows, groups); errors, best: (rows, groups), or NULL where nobody asks. */
KERNEL int modelopt_best_unit(const float *values, const uint8_t *kept, ptrdiff_t rows,
                              ptrdiff_t columns, ptrdiff_t width, const float *units,
                              ptrdiff_t trials, int format, const float *bounds,
                              const float *numbers, double *errors, ptrdiff_t *best) {
    const table_t nf4 = table_of(bounds, numbers);
#define SEARCH(format) \
    search(values, kept, rows, columns, width, units, trials, format, &nf4, errors, best)
    if (format == NF4) SEARCH(NF4);
    if (format == E2M1) SEARCH(E2M1);
    if (format == E4M3) SEARCH(E4M3);
    if (format == E5M2) SEARCH(E5M2);
    if (format == TERNARY) SEARCH(TERNARY);
#undef SEARCH
    return 0;
}
