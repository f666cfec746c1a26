/* Steps of least squared error from tallies of the values: kernels/steps.py, which says why. */
#ifndef MODELOPT_TALLY_H
#define MODELOPT_TALLY_H

#include "lanes.h"

#define PARTS 127
#define ROWS (PARTS + 2)
#define RUN 8 /* divides PARTS + 1 */
#define LEAST 1e-6f

/* As the class of this name: rows are (steps, 2, bounds), the others (2, bounds). */
typedef struct {
    const int32_t *rows;
    const float *rises, *energies;
    ptrdiff_t steps, bounds;
} ladder_t;

/* Of values above 0 and below, how many are beyond each row, and the sum of their magnitudes. */
typedef struct {
    float many[2 * ROWS * LANES], sums[2 * ROWS * LANES];
} tally_t;

/* Each value counts in the row of its magnitude; those that round to 0 in rows that nobody reads. */
INLINE void count_values(const block_t *block, const float *largest, tally_t *tally) {
    memset(tally->many, 0, sizeof tally->many);
    for (ptrdiff_t i = 0; i < block->width; i++) {
        const float *values = block->values + i * LANES;
        int32_t places[LANES];
        for (int j = 0; j < LANES; j++) {
            const float parts = round_small(values[j] / largest[j] * (float)PARTS);
            const float magnitude = fabsf(parts) <= (float)PARTS ? fabsf(parts) : 0.0f;
            places[j] = ((int32_t)magnitude + (parts < 0.0f ? ROWS : 0)) * LANES + j;
        }
        for (int j = 0; j < LANES; j++) tally->many[places[j]] += 1.0f;
    }
}

/* From what is in each row to what is in it or beyond; RUN rows at a time, in registers. */
INLINE void sum_inwards(tally_t *tally) {
    for (int side = 0; side < 2; side++) {
        float count[LANES], sum[LANES];
        for (int j = 0; j < LANES; j++) count[j] = sum[j] = 0.0f;
        for (int row = PARTS + 1; row > 0; row -= RUN) {
            float *many = tally->many + (side * ROWS + row) * LANES;
            float *sums = tally->sums + (side * ROWS + row) * LANES;
            for (int j = 0; j < LANES; j++) {
                float here[RUN], above = count[j], weight = sum[j];
                for (int k = 0; k < RUN; k++) here[k] = many[j - k * LANES];
                for (int k = 0; k < RUN; k++) {
                    above += here[k];
                    weight += here[k] * (float)(row - k);
                    many[j - k * LANES] = above;
                    sums[j - k * LANES] = weight;
                }
                count[j] = above;
                sum[j] = weight;
            }
        }
    }
}

/* Put a step in the place of the best one, for the groups where it is better. */
INLINE void keep_step(const float *product, const float *energy, float sign, float *most,
                      float *step) {
    for (int j = 0; j < LANES; j++) {
        const float fitted = product[j] / (energy[j] > LEAST ? energy[j] : LEAST);
        const float gain = product[j] * fitted;
        const int wins = gain > most[j];
        most[j] = wins ? gain : most[j];
        step[j] = wins ? sign * fitted : step[j];
    }
}

/* Four bounds of values on one side, to what was summed before. */
INLINE void add_bounds(const float *many, const float *sums, const int32_t *rows,
                       const float *rises, const float *energies, float *product, float *energy) {
    const float *sum[4], *count[4];
    for (int k = 0; k < 4; k++) {
        sum[k] = sums + rows[k] * LANES;
        count[k] = many + rows[k] * LANES;
    }
    for (int j = 0; j < LANES; j++) {
        product[j] += (rises[0] * sum[0][j] + rises[1] * sum[1][j]) +
                      (rises[2] * sum[2][j] + rises[3] * sum[3][j]);
        energy[j] += (energies[0] * count[0][j] + energies[1] * count[1][j]) +
                     (energies[2] * count[2][j] + energies[3] * count[3][j]);
    }
}

/* Products and energies of a step, or of its negative. */
INLINE void try_rows(const tally_t *tally, const ladder_t *ladder, const int32_t *rows, int negative,
                     float *product, float *energy) {
    for (int j = 0; j < LANES; j++) product[j] = energy[j] = 0.0f;
    for (int side = 0; side < 2; side++) {
        const ptrdiff_t values = (negative ? 1 - side : side) * ROWS * LANES;
        for (ptrdiff_t k = side * ladder->bounds; k < (side + 1) * ladder->bounds; k += 4)
            add_bounds(tally->many + values, tally->sums + values, rows + k, ladder->rises + k,
                       ladder->energies + k, product, energy);
    }
}

/* The step that takes most off the energy of each group, in units of its largest value. */
INLINE void best_step(const block_t *block, const float *largest, const ladder_t *ladder,
                      int negative, float *step) {
    tally_t tally;
    float most[LANES];
    count_values(block, largest, &tally);
    sum_inwards(&tally);
    for (int j = 0; j < LANES; j++) most[j] = -1.0f, step[j] = 0.0f;
    for (ptrdiff_t k = 0; k < ladder->steps; k++) {
        const int32_t *rows = ladder->rows + k * 2 * ladder->bounds;
        for (int sign = 0; sign <= negative; sign++) {
            float product[LANES], energy[LANES];
            try_rows(&tally, ladder, rows, sign, product, energy);
            keep_step(product, energy, sign ? -1.0f : 1.0f, most, step);
        }
    }
    for (int j = 0; j < LANES; j++) step[j] /= (float)PARTS;
}

#endif
