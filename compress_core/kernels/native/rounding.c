/* From the bits that a file has to codes, and what codes differ from them by: the twin of
 * kernels/rounding.py. Values are widened where they are needed, and never stored as floats.
 */
#include "blocks.h"
#include "formats.h"
#include "sums.h"

enum { INTEGER = 5 }; /* beside the formats of formats.h */

/* How a scale follows from the largest magnitude of its group. */
typedef struct {
    float steps; /* what the largest magnitude is divided by */
    int dtype;
    float least, most, of_zero;
} scale_t;

/* How codes follow from values: integers are rint(value / scale) + after, from low to high. */
typedef struct {
    int format;
    float low, high, after;
} code_t;

/* The largest magnitude: of bits, which have the order of the numbers. */
INLINE float largest_of(const void *raw, int dtype, ptrdiff_t first, ptrdiff_t count) {
    if (dtype == F32) {
        const uint32_t *words = (const uint32_t *)raw + first;
        uint32_t most = 0;
        for (ptrdiff_t i = 0; i < count; i++) {
            const uint32_t magnitude = words[i] & 0x7FFFFFFF;
            most = magnitude > most ? magnitude : most;
        }
        return bits_to_float(most);
    }
    const uint16_t *shorts = (const uint16_t *)raw + first;
    uint16_t most = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const uint16_t magnitude = shorts[i] & 0x7FFF;
        most = magnitude > most ? magnitude : most;
    }
    return dtype == BF16 ? from_bf16(most) : from_f16(most);
}

/* A number as a dtype of scales holds it. */
INLINE float rounded_to(float value, int dtype) {
    if (dtype == BF16) return from_bf16(to_bf16_bits(value));
    return dtype == F16 ? from_f16(to_f16_bits(value)) : value;
}

INLINE float scale_of(float largest, scale_t how, int *beyond) {
    const float step = largest / how.steps;
    if (!(step <= how.most)) *beyond = 1;
    const float rounded = rounded_to(step, how.dtype);
    if (step == 0.0f) return how.of_zero;
    return rounded > how.least ? rounded : how.least;
}

INLINE void codes_of(const float *units, ptrdiff_t count, code_t how, const table_t *nf4,
                     uint8_t *restrict codes) {
    if (how.format != INTEGER) {
        for (ptrdiff_t i = 0; i < count; i++) codes[i] = code_of(units[i], how.format, nf4);
        return;
    }
    const float low = how.low - how.after, high = how.high - how.after;
    for (ptrdiff_t i = 0; i < count; i++)
        codes[i] = (uint8_t)(int32_t)(round_between(units[i], low, high) + how.after);
}

INLINE void encode(const void *raw, int dtype, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t width,
                   scale_t scaling, code_t coding, const table_t *nf4, float *scale,
                   uint8_t *restrict codes, int *beyond) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const ptrdiff_t begin = row * columns;
        for (ptrdiff_t first = 0; first < columns; first += width, scale++) {
            const ptrdiff_t count = columns - first < width ? columns - first : width;
            *scale = scale_of(largest_of(raw, dtype, begin + first, count), scaling, beyond);
        }
        scale -= (columns + width - 1) / width;
        for (ptrdiff_t first = 0; first < columns; first += BLOCK) {
            const ptrdiff_t end = first + BLOCK < columns ? first + BLOCK : columns;
            float units[BLOCK];
            for (ptrdiff_t at = first, run; at < end; at += run) {
                const float one = scale[at / width];
                float *restrict own = units + at - first;
                run = run_of(at, end, width);
                for (ptrdiff_t i = 0; i < run; i++) own[i] = widened(raw, dtype, begin + at + i) / one;
            }
            codes_of(units, end - first, coding, nf4, codes + begin + first);
        }
        scale += (columns + width - 1) / width;
    }
}

/* raw: (rows, columns) of BF16, F16 or F32; scale: (rows, groups); beyond: whether a scale is more
 * than its dtype holds. */
KERNEL int modelopt_round(const void *raw, int dtype, ptrdiff_t rows, ptrdiff_t columns,
                          ptrdiff_t width, float steps, int scale_dtype, float least, float most,
                          float of_zero, int format, float low, float high, float after,
                          const float *bounds, const float *numbers, float *scale, uint8_t *codes,
                          int *beyond) {
    const table_t nf4 = table_of(bounds, numbers);
    const scale_t scaling = {steps, scale_dtype, least, most, of_zero};
#define ENCODE(dtype, format)                                                                        \
    encode(raw, dtype, rows, columns, width, scaling, (code_t){format, low, high, after}, &nf4, scale, \
           codes, beyond)
#define ENCODE_FORMATS(dtype)                       \
    do {                                            \
        if (format == INTEGER) ENCODE(dtype, INTEGER); \
        if (format == NF4) ENCODE(dtype, NF4);      \
        if (format == E4M3) ENCODE(dtype, E4M3);    \
        if (format == E5M2) ENCODE(dtype, E5M2);    \
    } while (0)
    *beyond = 0;
    if (dtype == BF16) ENCODE_FORMATS(BF16);
    if (dtype == F16) ENCODE_FORMATS(F16);
    if (dtype == F32) ENCODE_FORMATS(F32);
    return 0;
}

/* Codes and what they stand for: (code - zero) * unit of integers, else numbers[code] * unit. */
typedef struct {
    const uint8_t *codes;
    const float *unit, *numbers;
    int format;
    float zero;
} coded_t;

/* A number of 8 bits that is finite. */
INLINE float from_byte(uint8_t code, int format) {
    const uint32_t sign = (uint32_t)(code & 0x80) << 24, magnitude = code & 0x7F;
    const int dropped = format == E4M3 ? 20 : 21;
    const float scale = format == E4M3 ? 0x1p120f : 0x1p112f;
    return bits_to_float(sign | float_to_bits(bits_to_float(magnitude << dropped) * scale));
}

INLINE void decode(coded_t from, ptrdiff_t at, ptrdiff_t count, float unit, float *restrict values) {
    const uint8_t *codes = from.codes + at;
    for (ptrdiff_t i = 0; i < count; i++) {
        const float number = from.format == INTEGER ? (float)codes[i] - from.zero
                             : from.format == E4M3 || from.format == E5M2
                                 ? from_byte(codes[i], from.format)
                                 : from.numbers[codes[i]];
        values[i] = number * unit;
    }
}

/* Where one is in rows of groups. */
typedef struct {
    ptrdiff_t at, group, column;
} place_t;

/* Values of `count` codes from `place` on, which may be of several groups and rows. */
INLINE void decode_on(coded_t from, place_t *place, ptrdiff_t count, ptrdiff_t columns,
                      ptrdiff_t width, float *restrict values) {
    for (ptrdiff_t done = 0, run; done < count; done += run) {
        const ptrdiff_t left = run_of(place->column, columns, width);
        run = left < count - done ? left : count - done;
        if (run == SPAN) decode(from, place->at, SPAN, from.unit[place->group], values);
        else decode(from, place->at, run, from.unit[place->group], values + done);
        place->at += run;
        place->column += run;
        place->group += run == left;
        place->column = place->column == columns ? 0 : place->column;
    }
}

INLINE float stored_as(float value, int dtype) {
    return dtype == F32 ? saturated(value, 0x1.fffffep127f) : rounded_to(value, dtype);
}

/* What a grain adds, as in differences.c: its elements are `count` from `place` on. */
INLINE void measure(const void *raw, int dtype, coded_t from, int stored, place_t *place,
                    ptrdiff_t count, ptrdiff_t columns, ptrdiff_t width, double *sums,
                    int64_t *zeros) {
    double errors[FOLDS] = {0}, references[FOLDS] = {0};
    uint32_t largest = 0;
    *zeros = -(-count & (SPAN - 1)); /* those that fill the last span */
    for (ptrdiff_t first = 0; first < count; first += SPAN) {
        const ptrdiff_t here = count - first < SPAN ? count - first : SPAN, begin = place->at;
        float before[SPAN], after[SPAN];
        decode_on(from, place, here, columns, width, after);
        if (here == SPAN) {
            for (int i = 0; i < SPAN; i++) before[i] = widened(raw, dtype, begin + i);
        } else {
            for (ptrdiff_t i = 0; i < here; i++) before[i] = widened(raw, dtype, begin + i);
            for (ptrdiff_t i = here; i < SPAN; i++) before[i] = after[i] = 0.0f;
        }
        for (int i = 0; i < SPAN; i++) after[i] = stored_as(after[i], stored);
        *zeros += count_zeros(after);
        for (int i = 0; i < SPAN; i++) after[i] = before[i] - after[i];
        largest = largest_bits(after, largest);
        add_squares(after, errors);
        add_squares(before, references);
    }
    sums[0] = folded(errors);
    sums[1] = folded(references);
    sums[2] = bits_to_float(largest);
}

INLINE void measure_grains(const void *raw, int dtype, coded_t from, int stored, ptrdiff_t rows,
                           ptrdiff_t columns, ptrdiff_t width, ptrdiff_t grain, double *sums,
                           int64_t *zeros) {
    place_t place = {0, 0, 0};
    for (ptrdiff_t row = 0; row < rows; row += grain, sums += 3, zeros++) {
        const ptrdiff_t here = rows - row < grain ? rows - row : grain;
        measure(raw, dtype, from, stored, &place, here * columns, columns, width, sums, zeros);
    }
}

/* unit: (rows, groups); numbers: of 256 codes; stored: the dtype that values are rounded to; grain:
 * rows that are summed together; sums: (grains, 3). */
KERNEL int modelopt_measure_codes(const void *raw, int dtype, ptrdiff_t rows, ptrdiff_t columns,
                                  ptrdiff_t width, const uint8_t *codes, const float *unit,
                                  int format, const float *numbers, float zero, int stored, ptrdiff_t grain, double *sums, int64_t *zeros) {
#define MEASURE(dtype, format, stored)                                                          \
    measure_grains(raw, dtype, (coded_t){codes, unit, numbers, format, zero}, stored, rows, \
                   columns, width, grain, sums, zeros)
#define MEASURE_DTYPES(format)                                                         \
    do {                                                                               \
        if (dtype == BF16 && stored == BF16) MEASURE(BF16, format, BF16);              \
        else if (dtype == F16 && stored == F16) MEASURE(F16, format, F16);             \
        else if (dtype == F32 && stored == F32) MEASURE(F32, format, F32);             \
        else MEASURE(dtype, format, stored);                                           \
    } while (0)
    if (format == INTEGER) MEASURE_DTYPES(INTEGER);
    else if (format == E4M3) MEASURE_DTYPES(E4M3);
    else if (format == E5M2) MEASURE_DTYPES(E5M2);
    else MEASURE_DTYPES(NF4); /* any table */
    return 0;
}
