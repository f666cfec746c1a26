/* Which keys are the smallest: the twin of kernels/ranking.py, for keys of 16, 32 and 64 bits. */
#include "common.h"

#define BLOCK 256 /* keys that are counted at once */
#define SIDE 64   /* groups that are compared side by side */
#define WIDEST 16 /* columns of such groups */

#define KEY uint16_t
#define SUFFIX 16
#include "ranking_keys.h"

#define KEY uint32_t
#define SUFFIX 32
#include "ranking_keys.h"

#define KEY uint64_t
#define SUFFIX 64
#include "ranking_keys.h"
