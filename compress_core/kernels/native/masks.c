/* Elements by a mask: the twin of kernels/masks.py, for elements of 1, 2, 4 and 8 bytes. */
#include "common.h"

#define OF_ELEMENTS(type, size)                                                                   \
    KERNEL int modelopt_zeroed_##size(const type *restrict from, const uint8_t *restrict mask,    \
                                      ptrdiff_t count, type *restrict to) {                       \
        for (ptrdiff_t i = 0; i < count; i++) to[i] = mask[i] ? 0 : from[i];                      \
        return 0;                                                                                 \
    }                                                                                             \
    /* to: room for one element more than stay */                                                 \
    KERNEL int modelopt_compacted_##size(const type *restrict from, const uint8_t *restrict mask, \
                                         ptrdiff_t count, type *restrict to) {                    \
        for (ptrdiff_t i = 0; i < count; i++) {                                                   \
            *to = from[i];                                                                        \
            to += !mask[i];                                                                       \
        }                                                                                         \
        return 0;                                                                                 \
    }

OF_ELEMENTS(uint8_t, 1)
OF_ELEMENTS(uint16_t, 2)
OF_ELEMENTS(uint32_t, 4)
OF_ELEMENTS(uint64_t, 8)
