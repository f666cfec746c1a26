/* Numbers of a narrow format times the unit of their group: the twin of kernels/scaled.py. */
#include "blocks.h"
#include "formats.h"
#include "sums.h"

INLINE void encode(const float *values, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t width,
                   const float *divisor, int inverse, int format, const table_t *nf4,
                   uint8_t *codes) {
    const ptrdiff_t groups = (columns + width - 1) / width;
    for (ptrdiff_t row = 0; row < rows; row++) {
        for (ptrdiff_t first = 0; first < columns; first += BLOCK) {
            const ptrdiff_t end = first + BLOCK < columns ? first + BLOCK : columns;
            float units[BLOCK];
            for (ptrdiff_t at = first, run; at < end; at += run) {
                const float *restrict from = values + row * columns + at;
                float *restrict own = units + at - first;
                const float one = divisor[row * groups + at / width], factor = 1.0f / one;
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

/* values: (rows, columns); divisor: (rows, groups). */
KERNEL int modelopt_scaled_codes(const float *values, ptrdiff_t rows, ptrdiff_t columns,
                                 ptrdiff_t width, const float *divisor, int inverse, int format,
                                 const float *bounds, const float *numbers, uint8_t *codes) {
    const table_t nf4 = table_of(bounds, numbers);
    if (format == NF4) encode(values, rows, columns, width, divisor, inverse, NF4, &nf4, codes);
    if (format == E2M1) encode(values, rows, columns, width, divisor, inverse, E2M1, &nf4, codes);
    if (format == E4M3) encode(values, rows, columns, width, divisor, inverse, E4M3, &nf4, codes);
    if (format == E5M2) encode(values, rows, columns, width, divisor, inverse, E5M2, &nf4, codes);
    if (format == TERNARY) encode(values, rows, columns, width, divisor, inverse, TERNARY, &nf4, codes);
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
    const float divisor = unit == 0.0f ? INFINITY : unit; /* all values become 0 */
    double sums[FOLDS];
    for (ptrdiff_t first = 0; first < count; first += FOLDS) {
        const ptrdiff_t here = count - first < FOLDS ? count - first : FOLDS;
        float rest[FOLDS];
        for (ptrdiff_t i = 0; i < here; i++) {
            const float value = values[first + i];
            rest[i] = value - number_of(value / divisor, format, nf4) * unit;
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
                const int wins = trial == 0 || error < least; /* unforeseeable: no branch */
                least = wins ? error : least;
                at = wins ? trial : at;
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
