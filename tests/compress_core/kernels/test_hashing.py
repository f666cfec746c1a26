"""Hashes of elements against SplitMix64 in plain Python."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.kernels.hashing import hash_keys

MASK = (1 << 64) - 1


def splitmix(state: int) -> int:
    """The output function of SplitMix64 for a state."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def reference(seed: int, name: str, index: int) -> int:
    """One hash."""
    text = f"{seed}:{name}".encode("utf-8", "surrogatepass")
    base = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return max(1, splitmix((index * 0x9E3779B97F4A7C15 + base) & MASK) >> 32)


def test_the_reference_is_splitmix64() -> None:
    # the first outputs of the generator for the seed 1234567, as published with it
    gamma = 0x9E3779B97F4A7C15
    outputs = [splitmix((1234567 + turn * gamma) & MASK) for turn in (1, 2, 3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.text(max_size=20),
    st.integers(0, 2**40),
    st.integers(0, 50),
)
def test_hashes_are_those_of_seed_name_and_index(
    seed: int, name: str, first: int, count: int
) -> None:
    found = hash_keys(seed, name, first, count)
    assert found.dtype == np.uint32
    assert found.tolist() == [reference(seed, name, first + at) for at in range(count)]


def test_a_name_with_a_lone_surrogate_has_hashes_too() -> None:
    assert hash_keys(0, "a\ud800", 3, 1).tolist() == [reference(0, "a\ud800", 3)]


def test_the_numbers_of_version_1_stay_for_ever() -> None:
    assert hash_keys(0, "layer.weight", 0, 4).tolist() == [
        1043217826,
        2545341407,
        3680644562,
        1690098161,
    ]


@pytest.mark.parametrize("at", [0, 1, 499, 999])
def test_pieces_are_the_same_as_the_whole(at: int) -> None:
    whole = hash_keys(5, "w", 0, 1000)
    assert np.array_equal(hash_keys(5, "w", at, 1000 - at), whole[at:])


def test_zero_is_never_given() -> None:
    assert hash_keys(0, "w", 0, 1 << 20).min() >= 1


def test_zero_is_lifted_to_one() -> None:
    # the state whose output has an upper half of zero, found by running the function backwards
    hidden = unsplit(7)
    assert splitmix(hidden) == 7
    base = int.from_bytes(hashlib.blake2b(b"0:w", digest_size=8).digest(), "little")
    index = (hidden - base) * pow(0x9E3779B97F4A7C15, -1, 1 << 64) & MASK
    assert hash_keys(0, "w", index, 1).tolist() == [1]


def unsplit(output: int) -> int:
    """The inverse of :func:`splitmix`."""
    state = unshift(output, 31) * pow(0x94D049BB133111EB, -1, 1 << 64) & MASK
    state = unshift(state, 27) * pow(0xBF58476D1CE4E5B9, -1, 1 << 64) & MASK
    return unshift(state, 30)


def unshift(value: int, by: int) -> int:
    """The inverse of ``x ^ (x >> by)``."""
    found = value
    for _ in range(64 // by + 1):
        found = value ^ (found >> by)
    return found


def test_hashes_are_spread_evenly() -> None:
    count, bins = 1 << 18, 1024
    for keys in (hash_keys(0, "w", 0, count), hash_keys(1, "w", 0, count)):
        filled = np.bincount(keys >> np.uint32(22), minlength=bins)
        chi = float((np.square(filled - count / bins) / (count / bins)).sum())
        # mean bins - 1, deviation sqrt(2 bins): six of them are out of reach for good hashes
        assert abs(chi - (bins - 1)) < 6 * (2 * bins) ** 0.5


def test_seeds_and_names_give_unrelated_hashes() -> None:
    one = hash_keys(0, "a", 0, 10_000).astype(np.float64)
    for seed, name in ((1, "a"), (0, "b"), (0, "aa")):
        other = hash_keys(seed, name, 0, 10_000).astype(np.float64)
        assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.06
