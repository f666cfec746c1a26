/* What all kernels share: how they are compiled, and arithmetic in the words of the NumPy functions
 * that specify them.
 *
 * No intrinsics: loops over LANES neighbours are written so that compilers turn them into vectors.
 * Nothing here may be contracted or reordered (-ffp-contract=off, no -ffast-math): results are those of
 * NumPy, bit for bit.
 */
#ifndef MODELOPT_COMMON_H
#define MODELOPT_COMMON_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__ELF__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__clang__) && !defined(MODELOPT_NO_CLONES)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* A kernel: exported, once for each kind of processor. */
#define KERNEL EXPORT CLONES

/* Small functions become part of every clone, or they would be compiled for the oldest processor. */
#define INLINE static inline __attribute__((always_inline))

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files hold the low byte first, and so do these kernels"
#endif

enum dtype { F32 = 0, F16 = 1, BF16 = 2, F8_E4M3 = 3, F8_E5M2 = 4 };

INLINE float bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE uint32_t magnitude_bits(float value) { return float_to_bits(value) & 0x7FFFFFFF; }

/* Half to even, for magnitudes below 2^22. */
INLINE float round_small(float value) {
    const float shift = 12582912.0f; /* 1.5 * 2^23 */
    return (value + shift) - shift;
}

/* The nearest whole number from low to high, which are whole themselves, so that bounds may come
 * before the rounding; NaN becomes low. */
INLINE float round_between(float value, float low, float high) {
    const float raised = value > low ? value : low;
    return round_small(raised < high ? raised : high);
}

#endif
