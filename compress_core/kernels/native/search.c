/* Scales of least squared error for integer codes: the twin of kernels/search.py, which says why.
 *
 * Groups are searched LANES at a time, side by side, so that every step is the same for all of them.
 */
#include "tally.h"

#define FOLDS 128 /* running sums of a group: kernels/sums.py */
#define TURNS 3   /* of least squares, after trials */
#define TURNS_OF_TALLIES 1

typedef struct {
    float low[LANES], high[LANES];
} grid_t;

typedef struct {
    float gain[LANES], step[LANES];
    grid_t grid;
} found_t;

/* ---- sums in the order of kernels/sums.py ---- */

INLINE ptrdiff_t folds_of(ptrdiff_t width) {
    ptrdiff_t folds = 1;
    while (folds < width && folds < FOLDS) folds *= 2;
    return folds;
}

INLINE void fold_floats(float *sums, ptrdiff_t folds) {
    while (folds > 1) {
        folds /= 2;
        for (ptrdiff_t i = 0; i < folds * LANES; i++) sums[i] += sums[i + folds * LANES];
    }
}

INLINE void fold_doubles(double *sums, ptrdiff_t folds) {
    while (folds > 1) {
        folds /= 2;
        for (ptrdiff_t i = 0; i < folds * LANES; i++) sums[i] += sums[i + folds * LANES];
    }
}

/* ---- numbers as they are stored ---- */

INLINE float to_f16(float magnitude) {
    if (magnitude < 6.103515625e-05f) return (magnitude + 0.75f) - 0.75f; /* steps of 2^-24 */
    uint32_t bits = float_to_bits(magnitude);
    bits += 0xFFF + ((bits >> 13) & 1);
    return bits_to_float(bits & ~(uint32_t)0x1FFF);
}

INLINE float to_bf16(float magnitude) {
    uint32_t bits = float_to_bits(magnitude);
    bits += 0x7FFF + ((bits >> 16) & 1);
    return bits_to_float(bits & ~(uint32_t)0xFFFF);
}

INLINE float nearest_scale(float scale, int dtype) {
    static const float smallest[] = {0x1p-126f, 0x1p-24f, 0x1p-126f};
    static const float largest[] = {0x1.fffffep127f, 65504.0f, 0x1.fep127f};
    float magnitude = fabsf(scale);
    magnitude = magnitude < smallest[dtype] ? smallest[dtype] : magnitude;
    magnitude = magnitude > largest[dtype] ? largest[dtype] : magnitude;
    if (dtype == F16) magnitude = to_f16(magnitude);
    if (dtype == BF16) magnitude = to_bf16(magnitude);
    return copysignf(magnitude, scale);
}

/* ---- codes ---- */

/* The nearest code of a quotient: bounds are whole numbers, so they may come before the rounding. */
INLINE float code_of(float quotient, float low, float high) {
    float bounded = quotient < low ? low : quotient;
    bounded = bounded > high ? high : bounded;
    return round_small(bounded);
}

/* Products and energies of the elements begin … end - 1, added to running sums if there are any. */
INLINE void add_worth(const block_t *block, const float *inverse, const grid_t *grid,
                      ptrdiff_t begin, ptrdiff_t end, float *products, float *energies) {
    for (ptrdiff_t i = begin; i < end; i++) {
        const float *units = block->units + i * LANES;
        float *product = products + (i - begin) * LANES, *energy = energies + (i - begin) * LANES;
        for (int j = 0; j < LANES; j++) {
            const float code = code_of(units[j] * inverse[j], grid->low[j], grid->high[j]);
            const float first = begin ? product[j] : 0.0f, second = begin ? energy[j] : 0.0f;
            product[j] = first + units[j] * code;
            energy[j] = second + code * code;
        }
    }
}

/* Those of all elements, where each has a running sum of its own, folded twice at once: the sums
 * stay in the first cache. */
INLINE void fold_worth(const block_t *block, const float *inverse, const grid_t *grid,
                       float *products, float *energies) {
    const ptrdiff_t quarter = block->width / 4, step = quarter * LANES;
    for (ptrdiff_t i = 0; i < quarter; i++) {
        const float *units = block->units + i * LANES;
        for (int j = 0; j < LANES; j++) {
            const float low = grid->low[j], high = grid->high[j];
            const float a = units[j], b = units[step + j];
            const float c = units[2 * step + j], d = units[3 * step + j];
            const float of_a = code_of(a * inverse[j], low, high);
            const float of_b = code_of(b * inverse[j], low, high);
            const float of_c = code_of(c * inverse[j], low, high);
            const float of_d = code_of(d * inverse[j], low, high);
            products[i * LANES + j] = (a * of_a + c * of_c) + (b * of_b + d * of_d);
            energies[i * LANES + j] = (of_a * of_a + of_c * of_c) + (of_b * of_b + of_d * of_d);
        }
    }
}

/* Whether each element has a running sum of its own, in numbers that fold_worth takes. */
INLINE int folds_at_once(const block_t *block) {
    return block->width >= 4 && block->width == folds_of(block->width);
}

INLINE void gain_of(float *products, float *energies, ptrdiff_t folds, float *gain) {
    fold_floats(products, folds);
    fold_floats(energies, folds);
    for (int j = 0; j < LANES; j++) {
        const float energy = energies[j] > 1.0f ? energies[j] : 1.0f;
        gain[j] = products[j] * products[j] / energy;
    }
}

/* What the codes of one step are worth, for each group. */
INLINE void trial(const block_t *block, const float *step, const grid_t *grid, float *gain) {
    float products[FOLDS * LANES], energies[FOLDS * LANES], inverse[LANES];
    const ptrdiff_t width = block->width, folds = folds_of(width);
    for (int j = 0; j < LANES; j++) inverse[j] = 1.0f / step[j];
    if (folds_at_once(block)) {
        fold_worth(block, inverse, grid, products, energies);
        gain_of(products, energies, folds / 4, gain);
        return;
    }
    for (ptrdiff_t begin = 0; begin < width; begin += folds) {
        const ptrdiff_t end = begin + folds < width ? begin + folds : width;
        add_worth(block, inverse, grid, begin, end, products, energies);
    }
    for (ptrdiff_t i = width * LANES; i < folds * LANES; i++) products[i] = energies[i] = 0.0f;
    gain_of(products, energies, folds, gain);
}

/* What the codes -half ... half - 1 of a step are worth, and those of its negative, which are the
 * negative of what is rounded here: products only change their sign, which squares do not have. */
INLINE void trial_of_both(const block_t *block, float step, float half, float *gain,
                          float *gain_of_negative) {
    float products[2][FOLDS / 4 * LANES], energies[2][FOLDS / 4 * LANES];
    const float inverse = 1.0f / step, most = half - 1.0f;
    const ptrdiff_t quarter = block->width / 4;
    for (ptrdiff_t i = 0; i < quarter; i++) {
        const float *units = block->units + i * LANES;
        for (int j = 0; j < LANES; j++) {
            float worth[2][4], code[2][4];
            for (int k = 0; k < 4; k++) {
                const float unit = units[k * quarter * LANES + j];
                const float nearest = code_of(unit * inverse, -half, half);
                code[0][k] = nearest > most ? most : nearest;
                code[1][k] = nearest < -most ? -most : nearest;
                for (int sign = 0; sign < 2; sign++) {
                    worth[sign][k] = unit * code[sign][k];
                    code[sign][k] *= code[sign][k];
                }
            }
            for (int sign = 0; sign < 2; sign++) {
                const float *of = worth[sign], *squared = code[sign];
                products[sign][i * LANES + j] = (of[0] + of[2]) + (of[1] + of[3]);
                energies[sign][i * LANES + j] =
                    (squared[0] + squared[2]) + (squared[1] + squared[3]);
            }
        }
    }
    gain_of(products[0], energies[0], quarter, gain);
    gain_of(products[1], energies[1], quarter, gain_of_negative);
}

/* Put a trial in the place of what was found, for the groups where it is better. */
INLINE void keep_better(const float *gain, const float *step, const grid_t *grid, found_t *found) {
    for (int j = 0; j < LANES; j++) {
        const int wins = gain[j] > found->gain[j];
        found->gain[j] = wins ? gain[j] : found->gain[j];
        found->step[j] = wins ? step[j] : found->step[j];
        found->grid.low[j] = wins ? grid->low[j] : found->grid.low[j];
        found->grid.high[j] = wins ? grid->high[j] : found->grid.high[j];
    }
}

INLINE void try_step(const block_t *block, const float *step, const grid_t *grid, found_t *found) {
    float gain[LANES];
    trial(block, step, grid, gain);
    keep_better(gain, step, grid, found);
}

INLINE void try_beside(const block_t *block, float gap, found_t *found) {
    static const float shares[] = {-0.66f, -0.33f, 0.33f, 0.66f};
    const grid_t grid = found->grid;
    for (int k = 0; k < 4; k++) {
        float step[LANES];
        for (int j = 0; j < LANES; j++) step[j] = found->step[j] * (1.0f + gap * shares[k]);
        try_step(block, step, &grid, found);
    }
}

/* ---- least squares with scales as they are stored ---- */

/* Running sums of squared errors and, where it `fits`, of what least squares need. */
typedef struct {
    double errors[FOLDS * LANES], products[FOLDS * LANES], energies[FOLDS * LANES];
} sums_t;

/* What the codes of a scale leave, and give, for each group. */
typedef struct {
    double error[LANES], product[LANES], energy[LANES];
} measured_t;

/* The elements begin … end - 1, added to running sums if there are any. */
INLINE void add_errors(const block_t *block, const float *scale, const grid_t *grid,
                       ptrdiff_t begin, ptrdiff_t end, int fits, sums_t *sums) {
    for (ptrdiff_t i = begin; i < end; i++) {
        const float *values = block->values + i * LANES;
        const ptrdiff_t at = (i - begin) * LANES;
        double *errors = sums->errors + at, *products = sums->products + at;
        double *energies = sums->energies + at;
        float codes[LANES];
        for (int j = 0; j < LANES; j++) {
            codes[j] = code_of(values[j] / scale[j], grid->low[j], grid->high[j]);
            const float rest = codes[j] * scale[j] - values[j];
            errors[j] = (begin ? errors[j] : 0.0) + (double)rest * (double)rest;
        }
        if (!fits) continue;
        for (int j = 0; j < LANES; j++) {
            products[j] = (begin ? products[j] : 0.0) + (double)values[j] * (double)codes[j];
            energies[j] = (begin ? energies[j] : 0.0) + (double)(codes[j] * codes[j]);
        }
    }
}

/* All elements, where each has a running sum of its own, folded twice at once as in fold_worth. */
INLINE void fold_errors(const block_t *block, const float *scale, const grid_t *grid, int fits,
                        sums_t *sums) {
    const ptrdiff_t quarter = block->width / 4, step = quarter * LANES;
    for (ptrdiff_t i = 0; i < quarter; i++) {
        const float *values = block->values + i * LANES;
        float codes[4 * LANES], rests[4 * LANES];
        for (int k = 0; k < 4; k++) {
            for (int j = 0; j < LANES; j++) {
                const float value = values[k * step + j];
                const float code = code_of(value / scale[j], grid->low[j], grid->high[j]);
                codes[k * LANES + j] = code;
                rests[k * LANES + j] = code * scale[j] - value;
            }
        }
        for (int j = 0; j < LANES; j++) {
            const double a = rests[j], b = rests[LANES + j];
            const double c = rests[2 * LANES + j], d = rests[3 * LANES + j];
            sums->errors[i * LANES + j] = (a * a + c * c) + (b * b + d * d);
        }
        if (!fits) continue;
        for (int j = 0; j < LANES; j++) {
            const double of_a = codes[j], of_b = codes[LANES + j];
            const double of_c = codes[2 * LANES + j], of_d = codes[3 * LANES + j];
            const double a = values[j], b = values[step + j];
            const double c = values[2 * step + j], d = values[3 * step + j];
            sums->products[i * LANES + j] = (a * of_a + c * of_c) + (b * of_b + d * of_d);
        }
        for (int j = 0; j < LANES; j++) { /* whole numbers, exact in any order */
            const float a = codes[j], b = codes[LANES + j];
            const float c = codes[2 * LANES + j], d = codes[3 * LANES + j];
            sums->energies[i * LANES + j] = (double)((a * a + c * c) + (b * b + d * d));
        }
    }
}

INLINE void fold_to(double *sums, ptrdiff_t begun, ptrdiff_t folds, double *to) {
    for (ptrdiff_t i = begun * LANES; i < folds * LANES; i++) sums[i] = 0.0;
    fold_doubles(sums, folds);
    for (int j = 0; j < LANES; j++) to[j] = sums[j];
}

/* Squared error with these scales, and, where it `fits`, the sums that least squares need. */
INLINE void measure(const block_t *block, const float *scale, const grid_t *grid, int fits,
                    measured_t *found) {
    sums_t sums;
    const ptrdiff_t width = block->width;
    ptrdiff_t folds = folds_of(width), begun = width < folds ? width : folds;
    if (folds_at_once(block)) {
        fold_errors(block, scale, grid, fits, &sums);
        begun = folds /= 4;
    } else {
        for (ptrdiff_t begin = 0; begin < width; begin += folds) {
            const ptrdiff_t end = begin + folds < width ? begin + folds : width;
            add_errors(block, scale, grid, begin, end, fits, &sums);
        }
    }
    fold_to(sums.errors, begun, folds, found->error);
    if (!fits) return;
    fold_to(sums.products, begun, folds, found->product);
    fold_to(sums.energies, begun, folds, found->energy);
}

/* Put a scale in the place of the best one, for the groups where it leaves less. */
INLINE void keep_least(const float *scale, const double *error, float *best, double *least) {
    for (int j = 0; j < LANES; j++) {
        const int wins = error[j] < least[j];
        best[j] = wins ? scale[j] : best[j];
        least[j] = wins ? error[j] : least[j];
    }
}

/* The best of `scale` and of what least squares make of it; and its squared error. */
INLINE void polish(const block_t *block, float *scale, const grid_t *grid, int dtype, int turns,
                   double *least) {
    float best[LANES];
    measured_t found;
    for (int j = 0; j < LANES; j++) {
        best[j] = scale[j];
        least[j] = INFINITY;
    }
    for (int turn = 0; turn < turns; turn++) {
        measure(block, scale, grid, 1, &found);
        keep_least(scale, found.error, best, least);
        for (int j = 0; j < LANES; j++) {
            const double energy = found.energy[j] > 1.0 ? found.energy[j] : 1.0;
            const float fitted = (float)(found.product[j] / energy);
            if (fitted != 0.0f) scale[j] = nearest_scale(fitted, dtype);
        }
    }
    measure(block, scale, grid, 0, &found);
    keep_least(scale, found.error, best, least);
    for (int j = 0; j < LANES; j++) scale[j] = best[j];
}

/* `given` or what was found, whichever has less error; the first where they have the same.
 *
 * largest: what the step is in units of; `on` are the codes that go with it.
 */
INLINE void settle(const block_t *block, const float *largest, const float *step, const grid_t *on,
                   int dtype, int turns, float *scale, const grid_t *given, int *wins) {
    float better[LANES];
    double least[LANES];
    measured_t before;
    for (int j = 0; j < LANES; j++) better[j] = nearest_scale(step[j] * largest[j], dtype);
    polish(block, better, on, dtype, turns, least);
    measure(block, scale, given, 0, &before);
    for (int j = 0; j < LANES; j++) {
        wins[j] = least[j] < before.error[j];
        scale[j] = wins[j] ? better[j] : scale[j];
    }
}

/* ---- blocks of groups ---- */

INLINE void load_some(const float *from, ptrdiff_t first, ptrdiff_t count, float *to) {
    for (ptrdiff_t j = 0; j < LANES; j++) to[j] = j < count ? from[first + j] : 1.0f;
}

INLINE void nothing_found(const float *step, const grid_t *grid, found_t *found) {
    for (int j = 0; j < LANES; j++) {
        found->gain[j] = -INFINITY;
        found->step[j] = step[j];
    }
    found->grid = *grid;
}

INLINE void all_of(float value, float *lanes) {
    for (int j = 0; j < LANES; j++) lanes[j] = value;
}

/* The codes 0 … top, counted from the whole number nearest to `zero` among them. */
INLINE void grid_at(const float *zero, float top, grid_t *grid) {
    for (int j = 0; j < LANES; j++) {
        const float at = code_of(zero[j], 0.0f, top);
        grid->low[j] = -at;
        grid->high[j] = top - at;
    }
}

/* A share of the largest value as the outermost code, and its negative. */
INLINE void try_share(const block_t *block, float share, float half, int negative,
                      const grid_t *grid, found_t *found) {
    float step[LANES], other[LANES];
    all_of(share / half, step);
    all_of(-share / half, other);
    if (negative && folds_at_once(block)) {
        float gain[LANES], gain_of_negative[LANES];
        trial_of_both(block, step[0], half, gain, gain_of_negative);
        keep_better(gain, step, grid, found);
        keep_better(gain_of_negative, other, grid, found);
    } else {
        try_step(block, step, grid, found);
        if (negative) try_step(block, other, grid, found);
    }
}

/* values: (width, groups), with these distances in floats; scale: (groups,), as it was and as it becomes. 0, or 1 without memory. */
KERNEL int modelopt_symmetric_scale(const float *values, ptrdiff_t along, ptrdiff_t across,
                                    ptrdiff_t width, ptrdiff_t groups,
                                    const float *shares, int count, float gap, float half,
                                    int negative, int dtype, float *scale) {
    const matrix_t from = {values, along, across};
    block_t block;
    float *room = room_for(width, &block);
    if (room == NULL) return 1;
    grid_t grid;
    all_of(-half, grid.low);
    all_of(half - 1.0f, grid.high);
    for (ptrdiff_t first = 0; first < groups; first += LANES) {
        const ptrdiff_t here = groups - first < LANES ? groups - first : LANES;
        float largest[LANES], own[LANES], step[LANES];
        int wins[LANES];
        found_t found;
        load(&from, first, here, &block, largest);
        divide(&block, largest);
        load_some(scale, first, here, own);
        all_of(shares[0] / half, step);
        nothing_found(step, &grid, &found);
        for (int k = 0; k < count; k++) try_share(&block, shares[k], half, negative, &grid, &found);
        try_beside(&block, gap, &found);
        settle(&block, largest, found.step, &grid, dtype, TURNS, own, &grid, wins);
        memcpy(scale + first, own, (size_t)here * sizeof(float));
    }
    free(room);
    return 0;
}

/* As above, by tallies; rows, rises and energies are a ladder. */
KERNEL int modelopt_tallied_scale(const float *values, ptrdiff_t along, ptrdiff_t across,
                                  ptrdiff_t width, ptrdiff_t groups, const int32_t *rows,
                                  const float *rises, const float *energies, ptrdiff_t steps,
                                  ptrdiff_t bounds, float half, int negative, int dtype,
                                  float *scale) {
    const matrix_t from = {values, along, across};
    const ladder_t ladder = {rows, rises, energies, steps, bounds};
    block_t block;
    float *room = room_for(width, &block);
    if (room == NULL) return 1;
    grid_t grid;
    all_of(-half, grid.low);
    all_of(half - 1.0f, grid.high);
    for (ptrdiff_t first = 0; first < groups; first += LANES) {
        const ptrdiff_t here = groups - first < LANES ? groups - first : LANES;
        float largest[LANES], own[LANES], step[LANES];
        int wins[LANES];
        load(&from, first, here, &block, largest);
        load_some(scale, first, here, own);
        best_step(&block, largest, &ladder, negative, step);
        settle(&block, largest, step, &grid, dtype, TURNS_OF_TALLIES, own, &grid, wins);
        memcpy(scale + first, own, (size_t)here * sizeof(float));
    }
    free(room);
    return 0;
}

/* As the first; zero: (groups,) whole numbers from 0 to top. */
KERNEL int modelopt_asymmetric_scale(const float *values, ptrdiff_t along, ptrdiff_t across,
                                    ptrdiff_t width, ptrdiff_t groups,
                                     const float *shares, int count, float gap, float top,
                                     int dtype, float *scale, float *zero) {
    const matrix_t from = {values, along, across};
    block_t block;
    float *room = room_for(width, &block);
    if (room == NULL) return 1;
    for (ptrdiff_t first = 0; first < groups; first += LANES) {
        const ptrdiff_t here = groups - first < LANES ? groups - first : LANES;
        float largest[LANES], own[LANES], begin[LANES], reach[LANES], step[LANES], moved[LANES];
        int wins[LANES];
        grid_t grid, given;
        found_t found;
        load(&from, first, here, &block, largest);
        divide(&block, largest);
        load_some(scale, first, here, own);
        load_some(zero, first, here, begin);
        grid_at(begin, top, &given);
        float high[LANES], low[LANES];
        all_of(0.0f, high);
        all_of(0.0f, low);
        for (ptrdiff_t i = 0; i < width; i++) {
            for (int j = 0; j < LANES; j++) {
                const float unit = block.units[i * LANES + j];
                high[j] = unit > high[j] ? unit : high[j];
                low[j] = unit < low[j] ? unit : low[j];
            }
        }
        for (int j = 0; j < LANES; j++) {
            reach[j] = (high[j] - low[j]) / top;
            reach[j] = reach[j] == 0.0f ? 1.0f : reach[j];
            step[j] = reach[j] * shares[0];
        }
        nothing_found(step, &given, &found);
        for (int k = 0; k < count; k++) {
            for (int j = 0; j < LANES; j++) step[j] = reach[j] * shares[k];
            for (int way = 0; way < 3; way++) {
                for (int j = 0; j < LANES; j++) {
                    const float lower = begin[j] / shares[k];
                    const float upper = top - (top - begin[j]) / shares[k];
                    moved[j] = way == 0 ? begin[j] : way == 1 ? lower : upper;
                }
                grid_at(moved, top, &grid);
                try_step(&block, step, &grid, &found);
            }
        }
        for (int shift = -1; shift <= 1; shift += 2) {
            for (int j = 0; j < LANES; j++) {
                moved[j] = (float)shift - found.grid.low[j];
                step[j] = found.step[j];
            }
            grid_at(moved, top, &grid);
            try_step(&block, step, &grid, &found);
        }
        try_beside(&block, gap, &found);
        settle(&block, largest, found.step, &found.grid, dtype, TURNS, own, &given, wins);
        for (int j = 0; j < LANES; j++) begin[j] = wins[j] ? -found.grid.low[j] : begin[j];
        memcpy(scale + first, own, (size_t)here * sizeof(float));
        memcpy(zero + first, begin, (size_t)here * sizeof(float));
    }
    free(room);
    return 0;
}
