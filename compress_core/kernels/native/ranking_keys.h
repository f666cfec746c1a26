/* What ranking.c does with keys of one type: KEY, whose functions end in SUFFIX. */
#define JOIN_(one, other) one##other
#define JOIN(one, other) JOIN_(one, other)
#define OF_KEYS(name) JOIN(name, SUFFIX)

/* taken: keys below `bound`, and those equal to it but for the first `skipped` of them. */
INLINE void OF_KEYS(take_below)(const KEY *restrict keys, ptrdiff_t count, KEY bound,
                                ptrdiff_t skipped, uint8_t *restrict taken) {
    for (ptrdiff_t i = 0; i < count; i++) taken[i] = keys[i] <= bound;
    for (ptrdiff_t i = 0; i < count && skipped > 0; i++) {
        if (keys[i] == bound) {
            taken[i] = 0;
            skipped--;
        }
    }
}

INLINE ptrdiff_t OF_KEYS(count_below)(const KEY *keys, ptrdiff_t count, KEY bound) {
    ptrdiff_t found = 0;
    for (ptrdiff_t first = 0; first < count; first += BLOCK) {
        const ptrdiff_t end = first + BLOCK < count ? first + BLOCK : count;
        KEY here = 0; /* counted in their own type, keys become vectors as they are */
        for (ptrdiff_t i = first; i < end; i++) here += keys[i] < bound;
        found += (ptrdiff_t)here;
    }
    return found;
}

/* The largest key that fewer than k keys are below: found bit by bit, the highest first. */
INLINE KEY OF_KEYS(key_of_rank)(const KEY *keys, ptrdiff_t count, ptrdiff_t k) {
    KEY known = 0;
    for (int bit = 8 * (int)sizeof(KEY) - 1; bit >= 0; bit--) {
        const KEY tried = known | (KEY)((KEY)1 << bit);
        if (OF_KEYS(count_below)(keys, count, tried) < k) known = tried;
    }
    return known;
}

KERNEL int OF_KEYS(modelopt_below_)(const KEY *keys, ptrdiff_t count, uint64_t bound,
                                    ptrdiff_t skipped, uint8_t *taken) {
    OF_KEYS(take_below)(keys, count, (KEY)bound, skipped, taken);
    return 0;
}

/* k: from 1 to columns. */
KERNEL int OF_KEYS(modelopt_smallest_)(const KEY *keys, ptrdiff_t rows, ptrdiff_t columns,
                                       ptrdiff_t k, uint8_t *taken) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const KEY bound = OF_KEYS(key_of_rank)(keys, columns, k);
        ptrdiff_t upto = 0;
        for (ptrdiff_t i = 0; i < columns; i++) upto += keys[i] <= bound;
        OF_KEYS(take_below)(keys, columns, bound, upto - k, taken);
        keys += columns;
        taken += columns;
    }
    return 0;
}

/* Of each group the columns that fewer than `going` go before; groups are compared side by side. */
INLINE void OF_KEYS(take_of_groups)(const KEY *restrict keys, ptrdiff_t groups, int width,
                                    int going, uint8_t *restrict taken) {
    for (ptrdiff_t first = 0; first < groups; first += SIDE) {
        const ptrdiff_t here = groups - first < SIDE ? groups - first : SIDE;
        KEY lanes[WIDEST][SIDE], before[WIDEST][SIDE];
        for (int i = 0; i < width; i++) {
            for (int g = 0; g < SIDE; g++) lanes[i][g] = before[i][g] = 0;
            for (ptrdiff_t g = 0; g < here; g++) lanes[i][g] = keys[g * width + i];
        }
        for (int low = 0; low < width; low++) {
            for (int high = low + 1; high < width; high++) {
                for (int g = 0; g < SIDE; g++) { /* of equals the higher goes first */
                    const KEY high_first = lanes[high][g] <= lanes[low][g];
                    before[low][g] += high_first;
                    before[high][g] += (KEY)(1 - high_first);
                }
            }
        }
        for (int i = 0; i < width; i++)
            for (ptrdiff_t g = 0; g < here; g++) taken[g * width + i] = before[i][g] < (KEY)going;
        keys += here * width;
        taken += here * width;
    }
}

KERNEL int OF_KEYS(modelopt_of_groups_)(const KEY *keys, ptrdiff_t groups, int width, int going,
                                        uint8_t *taken) {
    if (width == 4) OF_KEYS(take_of_groups)(keys, groups, 4, going, taken);
    else if (width == 8) OF_KEYS(take_of_groups)(keys, groups, 8, going, taken);
    else OF_KEYS(take_of_groups)(keys, groups, width, going, taken);
    return 0;
}

/* counts: of the 65536 values of the bits from `shift` on, in keys whose higher bits are `prefix`.
 */
KERNEL int OF_KEYS(modelopt_histogram_)(const KEY *keys, ptrdiff_t count, int shift,
                                        uint64_t prefix, int64_t *counts) {
    const int known = shift + 16;
    for (ptrdiff_t i = 0; i < count; i++) {
        const uint64_t key = keys[i], higher = known < 64 ? key >> known : 0;
        if (higher == prefix) counts[key >> shift & 0xFFFF]++;
    }
    return 0;
}

#undef OF_KEYS
#undef JOIN
#undef JOIN_
#undef KEY
#undef SUFFIX
