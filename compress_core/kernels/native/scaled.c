/* Numbers of a narrow format times the unit of their group: the twin of kernels/scaled.py. */
#include "blocks.h"
#include "formats.h"
#include "lanes.h"
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

/* (rows, columns) of values in groups, `each` in a row; kept: which of them count, NULL: all. */
typedef struct {
    const float *values;
    const uint8_t *kept;
    ptrdiff_t columns, width, each, groups;
} searched_t;

/* Units (trials, groups), and what is found: the least error and the trial that has it. */
typedef struct {
    const float *units;
    ptrdiff_t trials;
    double *errors;
    ptrdiff_t *best;
} trials_t;

/* ---- narrow groups, LANES of them side by side: no element shares its running sum ---- */

/* Values (width, LANES); what is missing or does not count is 0, of which all numbers have one. */
INLINE void load_narrow(const searched_t *from, ptrdiff_t first, ptrdiff_t count, float *own) {
    const ptrdiff_t each = from->each;
    for (ptrdiff_t j = 0; j < LANES; j++) {
        const ptrdiff_t group = first + (j < count ? j : 0), column = group % each * from->width;
        const ptrdiff_t at = group / each * from->columns + column, left = from->columns - column;
        const ptrdiff_t here = left < from->width ? left : from->width;
        for (ptrdiff_t i = 0; i < here; i++) own[i * LANES + j] = from->values[at + i];
        if (from->kept != NULL)
            for (ptrdiff_t i = 0; i < here; i++)
                if (!from->kept[at + i]) own[i * LANES + j] = 0.0f;
        for (ptrdiff_t i = here; i < from->width; i++) own[i * LANES + j] = 0.0f;
    }
}

/* Squared errors of four elements of each group, `apart` floats from each other, added up. */
INLINE void square_four(const float *values, ptrdiff_t apart, const float *unit,
                        const float *divisor, int format, const table_t *nf4, double *squares) {
    float rests[4 * LANES];
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < LANES; j++) {
            const float value = values[k * apart + j];
            rests[k * LANES + j] = value - number_of(value / divisor[j], format, nf4) * unit[j];
        }
    for (int j = 0; j < LANES; j++) {
        const double a = rests[j], b = rests[LANES + j];
        const double c = rests[2 * LANES + j], d = rests[3 * LANES + j];
        squares[j] = (a * a + c * c) + (b * b + d * d);
    }
}

/* Sums of FOLDS elements, or of a power of two of at least four, folded twice as they are made. */
INLINE void narrow_errors(const float *own, ptrdiff_t folds, const float *unit, int format,
                          const table_t *nf4, double *error) {
    double sums[FOLDS / 4 * LANES];
    float divisor[LANES];
    ptrdiff_t left = folds / 4;
    for (int j = 0; j < LANES; j++) divisor[j] = unit[j] == 0.0f ? INFINITY : unit[j];
    for (ptrdiff_t i = 0; i < left; i++)
        square_four(own + i * LANES, left * LANES, unit, divisor, format, nf4, sums + i * LANES);
    for (left /= 2; left > 0; left /= 2)
        for (ptrdiff_t i = 0; i < left * LANES; i++) sums[i] += sums[i + left * LANES];
    for (int j = 0; j < LANES; j++) error[j] = sums[j];
}

INLINE void search_narrow(const searched_t *from, int format, const table_t *nf4,
                          const trials_t *tried) {
    float own[FOLDS * LANES];
    ptrdiff_t folds = 4;
    while (folds < from->width) folds *= 2;
    memset(own, 0, sizeof own);
    for (ptrdiff_t first = 0; first < from->groups; first += LANES) {
        const ptrdiff_t left = from->groups - first, here = left < LANES ? left : LANES;
        double least[LANES];
        ptrdiff_t best[LANES];
        load_narrow(from, first, here, own);
        for (ptrdiff_t trial = 0; trial < tried->trials; trial++) {
            const float *units = tried->units + trial * from->groups + first;
            float unit[LANES];
            double error[LANES];
            for (ptrdiff_t j = 0; j < LANES; j++) unit[j] = j < here ? units[j] : 1.0f;
            narrow_errors(own, folds, unit, format, nf4, error);
            for (int j = 0; j < LANES; j++) {
                const int wins = trial == 0 || error[j] < least[j];
                least[j] = wins ? error[j] : least[j];
                best[j] = wins ? trial : best[j];
            }
        }
        for (ptrdiff_t j = 0; j < here; j++) {
            if (tried->errors != NULL) tried->errors[first + j] = least[j];
            if (tried->best != NULL) tried->best[first + j] = best[j];
        }
    }
}

/* ---- wide groups, one at a time ---- */

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

INLINE void search_wide(const searched_t *from, int format, const table_t *nf4,
                        const trials_t *tried) {
    const ptrdiff_t each = from->each;
    for (ptrdiff_t group = 0; group < from->groups; group++) {
        const ptrdiff_t column = group % each * from->width, left = from->columns - column;
        const ptrdiff_t at = group / each * from->columns + column;
        const ptrdiff_t count = left < from->width ? left : from->width;
        const uint8_t *kept = from->kept == NULL ? NULL : from->kept + at;
        double least = 0.0;
        ptrdiff_t best = 0;
        for (ptrdiff_t trial = 0; trial < tried->trials; trial++) {
            const float unit = tried->units[trial * from->groups + group];
            const double error = squared_error(from->values + at, kept, count, unit, format, nf4);
            const int wins = trial == 0 || error < least; /* unforeseeable: no branch */
            least = wins ? error : least;
            best = wins ? trial : best;
        }
        if (tried->errors != NULL) tried->errors[group] = least;
        if (tried->best != NULL) tried->best[group] = best;
    }
}

INLINE void search(const searched_t *from, int format, const table_t *nf4, const trials_t *tried) {
    /* compilers unroll what ternary numbers take before they look for vectors in it */
    if (from->width <= FOLDS && format != TERNARY)
        search_narrow(from, format, nf4, tried);
    else
        search_wide(from, format, nf4, tried);
}

/* units: (trials, rows, groups); errors, best: (rows, groups), or NULL where nobody asks. */
KERNEL int modelopt_best_unit(const float *values, const uint8_t *kept, ptrdiff_t rows,
                              ptrdiff_t columns, ptrdiff_t width, const float *units,
                              ptrdiff_t trials, int format, const float *bounds,
                              const float *numbers, double *errors, ptrdiff_t *best) {
    const table_t nf4 = table_of(bounds, numbers);
    const ptrdiff_t each = (columns + width - 1) / width;
    const searched_t from = {values, kept, columns, width, each, rows * each};
    const trials_t tried = {units, trials, errors, best};
    if (format == NF4) search(&from, NF4, &nf4, &tried);
    if (format == E2M1) search(&from, E2M1, &nf4, &tried);
    if (format == E4M3) search(&from, E4M3, &nf4, &tried);
    if (format == E5M2) search(&from, E5M2, &nf4, &tried);
    if (format == TERNARY) search(&from, TERNARY, &nf4, &tried);
    return 0;
}
