/* Groups side by side: LANES of them at a time, so that every step is the same for all. */
#ifndef MODELOPT_LANES_H
#define MODELOPT_LANES_H

#include <stdlib.h>

#include "common.h"

#define LANES 16

/* Values (width, groups): the distance of neighbours in a group, and of neighbouring groups. */
typedef struct {
    const float *values;
    ptrdiff_t along, across;
} matrix_t;

/* Room for one block of groups: values and units are (width, LANES). */
typedef struct {
    ptrdiff_t width;
    float *values, *units;
} block_t;

INLINE float *room_for(ptrdiff_t width, block_t *block) {
    float *room = malloc((size_t)width * LANES * 2 * sizeof(float));
    block->width = width;
    block->values = room;
    block->units = room == NULL ? NULL : room + width * LANES;
    return room;
}

/* Values of up to LANES groups, and the largest magnitude of each; 1 where all are 0. */
INLINE void load(const matrix_t *from, ptrdiff_t first, ptrdiff_t count, block_t *block,
                 float *largest) {
    const float *values = from->values + first * from->across;
    float high[LANES], low[LANES];
    for (int j = 0; j < LANES; j++) high[j] = -INFINITY, low[j] = INFINITY;
    if (count < LANES) memset(block->values, 0, (size_t)block->width * LANES * sizeof(float));
    for (ptrdiff_t i = 0; i < block->width; i++) {
        float *own = block->values + i * LANES;
        const float *next = values + i * from->along;
        if (count == LANES)
            for (int j = 0; j < LANES; j++) own[j] = next[j * from->across];
        else
            for (ptrdiff_t j = 0; j < count; j++) own[j] = next[j * from->across];
        for (int j = 0; j < LANES; j++) {
            high[j] = own[j] > high[j] ? own[j] : high[j];
            low[j] = own[j] < low[j] ? own[j] : low[j];
        }
    }
    for (int j = 0; j < LANES; j++) {
        const float extreme = high[j] > -low[j] ? high[j] : -low[j];
        largest[j] = extreme == 0.0f ? 1.0f : extreme;
    }
}

/* The values in units of the largest of each group. */
INLINE void divide(block_t *block, const float *largest) {
    for (ptrdiff_t i = 0; i < block->width; i++)
        for (int j = 0; j < LANES; j++)
            block->units[i * LANES + j] = block->values[i * LANES + j] / largest[j];
}

#endif
