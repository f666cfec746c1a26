/* Narrow formats of kernels/scaled.py: from quotients by the scale to codes, and to their numbers. */
#ifndef MODELOPT_FORMATS_H
#define MODELOPT_FORMATS_H

#include "numbers.h"

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

#endif
