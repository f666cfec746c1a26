/* Numbers of storage dtypes, one at a time: to float and back as kernels/floats.py says. */
#ifndef MODELOPT_NUMBERS_H
#define MODELOPT_NUMBERS_H

#include "common.h"

INLINE float from_bf16(uint16_t raw) { return bits_to_float((uint32_t)raw << 16); }

INLINE float from_f16(uint16_t raw) {
    const uint32_t magnitude = (uint32_t)(raw & 0x7FFF) << 13, sign = (uint32_t)(raw & 0x8000) << 16;
    const uint32_t number = float_to_bits(bits_to_float(magnitude) * 0x1p112f);
    return bits_to_float(sign | (magnitude < 0x0F800000 ? number : magnitude | 0x7F800000));
}

/* An element of BF16, F16 or F32. */
INLINE float widened(const void *raw, int dtype, ptrdiff_t at) {
    if (dtype == BF16) return from_bf16(((const uint16_t *)raw)[at]);
    if (dtype == F16) return from_f16(((const uint16_t *)raw)[at]);
    return ((const float *)raw)[at];
}

/* What is beyond `most` becomes it; NaN stays. */
INLINE float saturated(float value, float most) {
    const float below = value > most ? most : value;
    return below < -most ? -most : below;
}

INLINE uint16_t to_bf16_bits(float value) {
    const uint32_t bits = float_to_bits(saturated(value, 0x1.fep127f));
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    return (uint16_t)(value != value ? 0x7FC0 : rounded);
}

/* The magnitude of a float with `mantissa` bits and the smallest exponent `lowest`, half to even.
 *
 * Below the smallest normal number, steps are those of floats near `anchor`, where rounding is the
 * processor's.
 */
INLINE uint32_t small_float(float magnitude, int mantissa, int lowest) {
    const int dropped = 23 - mantissa;
    const uint32_t bits = float_to_bits(magnitude);
    const uint32_t carried = bits + ((1u << (dropped - 1)) - 1) + ((bits >> dropped) & 1);
    const uint32_t normal = (carried >> dropped) - ((uint32_t)(126 + lowest) << mantissa);
    const uint32_t anchor = (uint32_t)(127 + lowest + dropped) << 23;
    const uint32_t tiny = float_to_bits(magnitude + bits_to_float(anchor)) - anchor;
    return bits < (uint32_t)(127 + lowest) << 23 ? tiny : normal;
}

/* The number that small_float codes, with its sign. */
INLINE float small_number(float value, int mantissa, int lowest) {
    const int dropped = 23 - mantissa;
    const uint32_t bits = float_to_bits(value), sign = bits & 0x80000000, magnitude = bits ^ sign;
    const uint32_t carried = magnitude + ((1u << (dropped - 1)) - 1) + ((magnitude >> dropped) & 1);
    const uint32_t normal = carried >> dropped << dropped;
    const float anchor = bits_to_float((uint32_t)(127 + lowest + dropped) << 23);
    const uint32_t tiny = float_to_bits((bits_to_float(magnitude) + anchor) - anchor);
    return bits_to_float(sign | (magnitude < (uint32_t)(127 + lowest) << 23 ? tiny : normal));
}

INLINE uint16_t to_f16_bits(float value) {
    const float near = saturated(value, 65504.0f);
    const uint32_t bits = float_to_bits(near), sign = bits >> 16 & 0x8000;
    const uint32_t number = small_float(bits_to_float(bits & 0x7FFFFFFF), 10, -14);
    const uint32_t missing = 0x7C00 | (bits >> 13 & 0x3FF);
    const uint32_t magnitude = value != value ? (missing == 0x7C00 ? 0x7C01 : missing) : number;
    return (uint16_t)(sign | magnitude);
}

INLINE uint8_t to_e4m3_bits(float value) {
    const float near = saturated(value, 448.0f);
    const uint32_t bits = float_to_bits(near), sign = bits >> 24 & 0x80;
    const uint32_t number = small_float(bits_to_float(bits & 0x7FFFFFFF), 3, -6);
    return (uint8_t)(sign | (value != value ? 0x7F : number));
}

INLINE uint8_t to_e5m2_bits(float value) {
    const float near = saturated(value, 57344.0f);
    const uint32_t bits = float_to_bits(near), sign = bits >> 24 & 0x80;
    const uint32_t number = small_float(bits_to_float(bits & 0x7FFFFFFF), 2, -14);
    return (uint8_t)(sign | (value != value ? 0x7E : number));
}

#endif
