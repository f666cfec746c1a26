/* Floats of storage dtypes to float32 and back: the twin of kernels/floats.py. */
#include "numbers.h"

KERNEL int modelopt_widen_bf16(const uint16_t *raw, ptrdiff_t count, float *values) {
    for (ptrdiff_t i = 0; i < count; i++) values[i] = from_bf16(raw[i]);
    return 0;
}

KERNEL int modelopt_widen_f16(const uint16_t *raw, ptrdiff_t count, float *values) {
    for (ptrdiff_t i = 0; i < count; i++) values[i] = from_f16(raw[i]);
    return 0;
}

/* table: what each of 256 patterns stands for. */
KERNEL int modelopt_widen_bytes(const uint8_t *raw, ptrdiff_t count, const float *table,
                                float *values) {
    for (ptrdiff_t i = 0; i < count; i++) values[i] = table[raw[i]];
    return 0;
}

/* found: whether the magnitude of any pattern is `least` or more. */
KERNEL int modelopt_reaches_8(const uint8_t *raw, ptrdiff_t count, int least, int *found) {
    uint8_t most = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const uint8_t magnitude = raw[i] & 0x7F;
        most = magnitude > most ? magnitude : most;
    }
    *found = most >= least;
    return 0;
}

KERNEL int modelopt_reaches_16(const uint16_t *raw, ptrdiff_t count, int least, int *found) {
    uint16_t most = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const uint16_t magnitude = raw[i] & 0x7FFF;
        most = magnitude > most ? magnitude : most;
    }
    *found = most >= least;
    return 0;
}

KERNEL int modelopt_reaches_32(const uint32_t *raw, ptrdiff_t count, int least, int *found) {
    uint32_t most = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const uint32_t magnitude = raw[i] & 0x7FFFFFFF;
        most = magnitude > most ? magnitude : most;
    }
    *found = most >= (uint32_t)least;
    return 0;
}

KERNEL int modelopt_narrow_bf16(const float *values, ptrdiff_t count, uint16_t *raw) {
    for (ptrdiff_t i = 0; i < count; i++) raw[i] = to_bf16_bits(values[i]);
    return 0;
}

KERNEL int modelopt_narrow_f16(const float *values, ptrdiff_t count, uint16_t *raw) {
    for (ptrdiff_t i = 0; i < count; i++) raw[i] = to_f16_bits(values[i]);
    return 0;
}

KERNEL int modelopt_narrow_e4m3(const float *values, ptrdiff_t count, uint8_t *raw) {
    for (ptrdiff_t i = 0; i < count; i++) raw[i] = to_e4m3_bits(values[i]);
    return 0;
}

KERNEL int modelopt_narrow_e5m2(const float *values, ptrdiff_t count, uint8_t *raw) {
    for (ptrdiff_t i = 0; i < count; i++) raw[i] = to_e5m2_bits(values[i]);
    return 0;
}
