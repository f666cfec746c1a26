"""A fixed pseudo-random number for every element, without a generator's state."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def hash_keys(seed: int, name: str, first: int, count: int) -> NDArray[np.uint32]:
    """32-bit hashes of (seed, tensor name, index) for ``count`` indices from ``first`` on.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over index · golden ratio + a 64-bit
    digest (BLAKE2b) of seed and name; the upper half of the result. 0 is never given: it is the key
    of what is zero already.
    """
    digest = hashlib.blake2b(
        f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    base = int.from_bytes(digest, "little")
    mixed = np.arange(first, first + count, dtype=np.uint64)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(base)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.maximum((mixed >> np.uint64(32)).astype(np.uint32), np.uint32(1))
