/* Rows in blocks of neighbours, and the groups that a block touches.
 *
 * What differs from group to group is done in floats, run by run; what does not is done over whole
 * blocks, so that narrow groups still fill wide vectors of bytes.
 */
#ifndef MODELOPT_BLOCKS_H
#define MODELOPT_BLOCKS_H

#include "common.h"

#define BLOCK 256

/* How many of the elements from `at` on are of the same group; there are `end` in all. */
INLINE ptrdiff_t run_of(ptrdiff_t at, ptrdiff_t end, ptrdiff_t width) {
    const ptrdiff_t next = (at / width + 1) * width;
    return (next < end ? next : end) - at;
}

#endif
