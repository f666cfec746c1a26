/* Steps of least squared error for tables of numbers: the twin of kernels/steps.py. */
#include "tally.h"

/* values: (width, groups), with these distances in floats; step: (groups,). 0, or 1 without memory. */
KERNEL int modelopt_steps(const float *values, ptrdiff_t along, ptrdiff_t across, ptrdiff_t width,
                          ptrdiff_t groups, const int32_t *rows, const float *rises,
                          const float *energies, ptrdiff_t steps, ptrdiff_t bounds,
                          int negative, float *step) {
    const matrix_t from = {values, along, across};
    const ladder_t ladder = {rows, rises, energies, steps, bounds};
    block_t block;
    float *room = room_for(width, &block);
    if (room == NULL) return 1;
    for (ptrdiff_t first = 0; first < groups; first += LANES) {
        const ptrdiff_t here = groups - first < LANES ? groups - first : LANES;
        float largest[LANES], found[LANES];
        load(&from, first, here, &block, largest);
        best_step(&block, largest, &ladder, negative, found);
        for (ptrdiff_t j = 0; j < here; j++) step[first + j] = found[j] * largest[j];
    }
    free(room);
    return 0;
}
