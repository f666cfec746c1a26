/* N:M masks as ranks: the twin of kernels/patterns.py. */
#include "common.h"

INLINE void rank(const uint8_t *kept, ptrdiff_t groups, int width, const uint32_t *table,
                 uint32_t *ranks) {
    for (ptrdiff_t group = 0; group < groups; group++) {
        uint32_t pattern = 0;
        for (int i = 0; i < width; i++) pattern |= (uint32_t)kept[group * width + i] << i;
        ranks[group] = table[pattern];
    }
}

/* table: of all 2^width patterns. */
KERNEL int modelopt_ranks(const uint8_t *kept, ptrdiff_t groups, int width, const uint32_t *table,
                          uint32_t *ranks) {
    if (width == 4) rank(kept, groups, 4, table, ranks);
    else if (width == 8) rank(kept, groups, 8, table, ranks);
    else rank(kept, groups, width, table, ranks);
    return 0;
}

INLINE void unrank(const uint32_t *ranks, ptrdiff_t groups, int width, const uint32_t *patterns,
                   uint8_t *kept) {
    for (ptrdiff_t group = 0; group < groups; group++) {
        const uint32_t pattern = patterns[ranks[group]];
        for (int i = 0; i < width; i++) kept[group * width + i] = pattern >> i & 1;
    }
}

/* patterns: those of all ranks. */
KERNEL int modelopt_masks(const uint32_t *ranks, ptrdiff_t groups, int width,
                          const uint32_t *patterns, uint8_t *kept) {
    if (width == 4) unrank(ranks, groups, 4, patterns, kept);
    else if (width == 8) unrank(ranks, groups, 8, patterns, kept);
    else unrank(ranks, groups, width, patterns, kept);
    return 0;
}
