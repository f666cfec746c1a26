/* Codes of 1 to 8 bits as byte streams: the twin of kernels/bits.py. */
#include "common.h"

/* Eight codes, one a byte, as 8 * bits bits: neighbours are joined, then pairs, then fours. */
INLINE uint64_t joined(uint64_t codes, int bits) {
    const uint64_t ones = 0x00FF00FF00FF00FF, twos = 0x0000FFFF0000FFFF, fours = 0xFFFFFFFF;
    codes = (codes & ones) | (codes >> 8 & ones) << bits;
    codes = (codes & twos) | (codes >> 16 & twos) << 2 * bits;
    return (codes & fours) | codes >> 32 << 4 * bits;
}

INLINE uint64_t parted(uint64_t stream, int bits) {
    const uint64_t four = ((uint64_t)1 << 4 * bits) - 1, two = ((uint64_t)1 << 2 * bits) - 1;
    const uint64_t one = ((uint64_t)1 << bits) - 1;
    stream = (stream & four) | (stream >> 4 * bits & four) << 32;
    stream = (stream & (two << 32 | two)) | (stream >> 2 * bits & (two << 32 | two)) << 16;
    const uint64_t ones = one << 48 | one << 32 | one << 16 | one;
    return (stream & ones) | (stream >> bits & ones) << 8;
}

INLINE uint64_t load_bytes(const uint8_t *from, size_t count) {
    uint64_t word = 0;
    memcpy(&word, from, count);
    return word;
}

INLINE void pack_row(const uint8_t *restrict codes, ptrdiff_t columns, int bits, uint8_t *restrict stream) {
    const ptrdiff_t eights = columns / 8, rest = columns % 8;
    if (bits == 4) /* two a byte: a loop that becomes vectors */
        for (ptrdiff_t i = 0; i < 4 * eights; i++)
            stream[i] = (uint8_t)(codes[2 * i] | codes[2 * i + 1] << 4);
    for (ptrdiff_t i = 0; bits != 4 && i < eights; i++) {
        const uint64_t word = joined(load_bytes(codes + 8 * i, 8), bits);
        memcpy(stream + i * bits, &word, (size_t)bits);
    }
    if (rest) {
        const uint64_t word = joined(load_bytes(codes + 8 * eights, (size_t)rest), bits);
        memcpy(stream + eights * bits, &word, (size_t)(rest * bits + 7) / 8);
    }
}

INLINE void unpack_row(const uint8_t *restrict stream, ptrdiff_t columns, int bits, uint8_t *restrict codes) {
    const ptrdiff_t eights = columns / 8, rest = columns % 8;
    if (bits == 4)
        for (ptrdiff_t i = 0; i < 4 * eights; i++) {
            codes[2 * i] = stream[i] & 15;
            codes[2 * i + 1] = stream[i] >> 4;
        }
    for (ptrdiff_t i = 0; bits != 4 && i < eights; i++) {
        const uint64_t word = parted(load_bytes(stream + i * bits, (size_t)bits), bits);
        memcpy(codes + 8 * i, &word, 8);
    }
    if (rest) {
        const size_t last = (size_t)(rest * bits + 7) / 8;
        const uint64_t word = parted(load_bytes(stream + eights * bits, last), bits);
        memcpy(codes + 8 * eights, &word, (size_t)rest);
    }
}

INLINE void pack_rows(const uint8_t *restrict codes, ptrdiff_t rows, ptrdiff_t columns, int bits,
                      uint8_t *restrict stream) {
    const ptrdiff_t bytes = (columns * bits + 7) / 8;
    for (ptrdiff_t row = 0; row < rows; row++)
        pack_row(codes + row * columns, columns, bits, stream + row * bytes);
}

/* stride: bytes from one row of the stream to the next. */
INLINE void unpack_rows(const uint8_t *restrict stream, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns,
                        int bits, uint8_t *restrict codes) {
    for (ptrdiff_t row = 0; row < rows; row++)
        unpack_row(stream + row * stride, columns, bits, codes + row * columns);
}

/* codes: (rows, columns), below 2^bits; bits: 1 to 7. */
KERNEL int modelopt_pack(const uint8_t *restrict codes, ptrdiff_t rows, ptrdiff_t columns, int bits,
                         uint8_t *restrict stream) {
    switch (bits) { /* shifts by constants are faster */
        case 1: pack_rows(codes, rows, columns, 1, stream); break;
        case 2: pack_rows(codes, rows, columns, 2, stream); break;
        case 3: pack_rows(codes, rows, columns, 3, stream); break;
        case 4: pack_rows(codes, rows, columns, 4, stream); break;
        case 5: pack_rows(codes, rows, columns, 5, stream); break;
        case 6: pack_rows(codes, rows, columns, 6, stream); break;
        default: pack_rows(codes, rows, columns, 7, stream); break;
    }
    return 0;
}

KERNEL int modelopt_unpack(const uint8_t *restrict stream, ptrdiff_t stride, ptrdiff_t rows,
                           ptrdiff_t columns, int bits, uint8_t *restrict codes) {
    switch (bits) {
        case 1: unpack_rows(stream, stride, rows, columns, 1, codes); break;
        case 2: unpack_rows(stream, stride, rows, columns, 2, codes); break;
        case 3: unpack_rows(stream, stride, rows, columns, 3, codes); break;
        case 4: unpack_rows(stream, stride, rows, columns, 4, codes); break;
        case 5: unpack_rows(stream, stride, rows, columns, 5, codes); break;
        case 6: unpack_rows(stream, stride, rows, columns, 6, codes); break;
        default: unpack_rows(stream, stride, rows, columns, 7, codes); break;
    }
    return 0;
}
