"""What is pruned, against sorting everything by (key, tensor name, index)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.kernels import floats
from compress_core.passes.prune import Prune
from compress_core.passes.quantize import Quantize
from compress_core.tensors import Structure
from compress_core.tiles import Tile

CarryOut = Callable[..., dict[str, Tile]]
Tensors = dict[str, tuple[str, NDArray[Any]]]
NATIVE: dict[str, Any] = {"F16": np.float16, "BF16": ml_dtypes.bfloat16}
SHARES = [0.0, 0.3, 0.5, 0.9, 1.0]
CODES = ["BF16", "F16", "F32", "F64"]


def raw_of(values: NDArray[Any], code: str) -> NDArray[Any]:
    """Values in the storage dtype of a format."""
    if code == "F64":
        return values.astype(np.float64)
    return floats.narrow(values.astype(np.float32), code)


def exact(raw: NDArray[Any], code: str) -> NDArray[np.float64]:
    """Values as float64, by another library."""
    return (raw.view(NATIVE[code]) if code in NATIVE else raw).astype(np.float64)


def quarters(rows: int, columns: int, seed: int = 0, most: int = 6) -> NDArray[np.float64]:
    """Few distinct values, so that there are many ties, zeros of both signs among them."""
    rng = np.random.default_rng(seed)
    return np.copysign(rng.integers(0, most, (rows, columns)) / 4, rng.normal(size=(rows, columns)))


def by(method: str) -> dict[str, Any]:
    """The options of a method; only a random one takes a seed."""
    return {"method": method} | ({"seed": 3} if method == "random" else {})


def hashed(seed: int, name: str, index: int) -> int:
    """The random key of one unit."""
    mask = (1 << 64) - 1
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    state = (index * 0x9E3779B97F4A7C15 + int.from_bytes(digest, "little")) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return max(1, (state ^ (state >> 31)) >> 32)


Unit = tuple[float, str, int, tuple[slice, slice]]
"""Key, tensor, index in it, and the elements that it covers."""


def units_of(name: str, values: NDArray[np.float64], work: Prune) -> list[list[Unit]]:
    """Units of one tensor by rows of its grid."""
    structure = Structure.parse(work.structure)
    rows, columns = values.shape
    high, wide = {
        "row": (1, columns),
        "column": (rows, 1),
        "block": (structure.height, structure.width),
    }.get(structure.kind, (1, 1))
    grid: list[list[Unit]] = []
    index = 0
    for top in range(0, rows, high):
        line: list[Unit] = []
        for left in range(0, columns, wide):
            place = slice(top, min(top + high, rows)), slice(left, min(left + wide, columns))
            line.append((key_of(values[place], work, name, index), name, index, place))
            index += 1
        grid.append(line)
    return grid


def key_of(values: NDArray[np.float64], work: Prune, name: str, index: int) -> float:
    """What one unit is worth."""
    sizes = [abs(float(value)) for value in values.ravel()]
    if work.method == "random":
        return hashed(work.seed, name, index) if any(sizes) else 0
    if len(sizes) == 1 or work.norm == "max":
        return max(sizes)
    total = math.fsum(sizes) if work.norm == "l1" else math.sqrt(math.fsum(s * s for s in sizes))
    return float(np.float32(total))


def brute(tensors: Tensors, work: Prune) -> dict[str, NDArray[np.bool_]]:
    """Masks by sorting: smallest key first; among equals the last name, then the highest index."""
    scope = work.scope or ("row" if work.structure == "element" else "tensor")
    masks = {name: np.zeros(raw.shape, np.bool_) for name, (_, raw) in tensors.items()}
    lines = [
        line
        for name, (code, raw) in tensors.items()
        for line in units_of(name, exact(raw, code), work)
    ]
    if scope == "row":
        groups = lines
    elif scope == "tensor":
        groups = [[unit for line in lines for unit in line if unit[1] == name] for name in tensors]
    else:
        groups = [[unit for line in lines for unit in line]]
    for group in groups:
        group.sort(key=lambda unit: unit[2], reverse=True)
        group.sort(key=lambda unit: unit[1], reverse=True)
        group.sort(key=lambda unit: unit[0])
        for _, name, _, place in group[: math.floor((work.sparsity or 0) * len(group) + 0.5)]:
            masks[name][place] = True
    return masks


def found(tiles: Mapping[str, Tile]) -> dict[str, list[list[bool]]]:
    """Masks as lists."""
    return {name: [] if tile.mask is None else tile.mask.tolist() for name, tile in tiles.items()}


def listed(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, list[list[bool]]]:
    """Masks as lists."""
    return {name: mask.tolist() for name, mask in masks.items()}


WORKS = [
    ("element", "row"),
    ("element", "tensor"),
    ("element", "global"),
    ("row", "tensor"),
    ("row", "global"),
    ("column", "tensor"),
    ("column", "global"),
    ("2x2", "row"),
    ("2x2", "tensor"),
    ("2x2", "global"),
    ("3x4", "global"),
]


def pair(code: str, other: str, columns: int) -> Tensors:
    """Two tensors whose name order is not the file's order."""
    return {
        "z": (code, raw_of(quarters(6, columns, 1), code)),
        "a": (other, raw_of(quarters(5, columns, 2), other)),
    }


@pytest.mark.parametrize("sparsity", SHARES)
@pytest.mark.parametrize("columns", [3, 7])
@pytest.mark.parametrize(("structure", "scope"), WORKS)
def test_exactly_the_share_goes_and_among_equals_the_last(
    carry_out: CarryOut, structure: str, scope: str, columns: int, sparsity: float
) -> None:
    tensors = pair("BF16", "F32", columns)
    for method in ("magnitude", "random"):
        work = Prune(sparsity=sparsity, structure=structure, scope=scope, **by(method))
        tiles = carry_out([work], tensors, grain=6)
        assert found(tiles) == listed(brute(tensors, work))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("other", CODES)
def test_tensors_of_any_two_formats_are_compared_with_each_other(
    carry_out: CarryOut, code: str, other: str
) -> None:
    for structure in ("element", "row"):
        tensors = pair(code, other, 7)
        work = Prune(sparsity=0.5, structure=structure, scope="global")
        assert found(carry_out([work], tensors, grain=2)) == listed(brute(tensors, work))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("scope", ["row", "tensor", "global"])
def test_keys_of_every_width_choose_the_same(carry_out: CarryOut, code: str, scope: str) -> None:
    values = exact(raw_of(np.random.default_rng(3).normal(size=(9, 13)), "BF16"), "BF16")
    work = Prune(sparsity=0.4, scope=scope)
    tiles = carry_out([work], {"w": ("F32", raw_of(values, "F32"))})
    other = carry_out([work], {"w": (code, raw_of(values, code))})
    if code != "F16":  # which rounds these values
        assert found(other) == found(tiles)
    assert found(other) == listed(brute({"w": (code, raw_of(values, code))}, work))


def test_float64_is_compared_beyond_the_precision_and_the_range_of_float32(
    carry_out: CarryOut,
) -> None:
    values = np.array([[1.0, np.nextafter(1.0, 0), np.nextafter(1.0, 2)], [1e-300, 2e-300, 0.0]])
    tensors: Tensors = {"w": ("F64", values)}
    for scope in ("row", "tensor", "global"):
        for sparsity in (0.3, 0.5, 0.7):
            work = Prune(sparsity=sparsity, scope=scope)
            assert found(carry_out([work], tensors)) == listed(brute(tensors, work))


def test_all_equal_values_lose_the_end_of_the_last_tensor(carry_out: CarryOut) -> None:
    tensors: Tensors = {name: ("F32", np.ones((2, 3), np.float32)) for name in ("b", "c", "a")}
    masks = found(carry_out([Prune(sparsity=0.5, scope="global")], tensors, grain=1))
    assert masks == {
        "a": [[False] * 3, [False] * 3],
        "b": [[False] * 3, [True] * 3],
        "c": [[True] * 3, [True] * 3],
    }


def test_all_equal_values_lose_the_last_columns_of_each_row(carry_out: CarryOut) -> None:
    masks = found(carry_out([Prune(sparsity=0.5)], {"w": ("F16", raw_of(np.ones((2, 4)), "F16"))}))
    assert masks == {"w": [[False, False, True, True]] * 2}


@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_zeros_that_are_there_go_first_and_count(carry_out: CarryOut, method: str) -> None:
    row = np.array([[5.0, 0.0, 1.0, -0.0, 2.0, 3.0]], np.float32)
    for sparsity, zeros in ((0.2, 1), (0.3, 2), (0.5, 3)):
        tiles = carry_out([Prune(sparsity=sparsity, method=method)], {"w": ("F32", row)})
        mask = tiles["w"].mask
        assert mask is not None
        assert int(mask.sum()) == zeros
        assert mask[0, 3]
        assert mask[0, 1] == (zeros > 1)
        assert np.count_nonzero(tiles["w"].values) == 6 - max(zeros, 2)


values = st.sampled_from([0.0, -0.0, 0.25, -0.25, 0.5, 1.0, -1.0, 3.0])


@st.composite
def several(draw: st.DrawFn) -> Tensors:
    """A few small tensors of different formats, with many ties."""
    names = draw(st.lists(st.sampled_from("abcZ_é"), min_size=1, max_size=3, unique=True))
    made: Tensors = {}
    for name in names:
        rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 6))
        flat = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
        code = draw(st.sampled_from(CODES))
        made[name] = (code, raw_of(np.array(flat).reshape(rows, columns), code))
    return made


@pytest.mark.parametrize(("structure", "scope"), WORKS)
@settings(deadline=None, max_examples=25)
@given(tensors=several(), data=st.data())
def test_any_tensors_are_pruned_as_by_sorting(
    carry_out: CarryOut, structure: str, scope: str, tensors: Tensors, data: st.DataObject
) -> None:
    work = Prune(
        sparsity=data.draw(st.floats(0, 1)),
        structure=structure,
        scope=scope,
        norm=data.draw(st.sampled_from(["l1", "l2", "max"] if structure != "element" else ["l2"])),
        **by(data.draw(st.sampled_from(["magnitude", "random"]))),
    )
    tiles = carry_out([work], tensors, grain=6, grains=data.draw(st.integers(1, 2)))
    assert found(tiles) == listed(brute(tensors, work))


@pytest.mark.parametrize("method", ["magnitude", "random"])
@pytest.mark.parametrize(("structure", "scope"), WORKS)
def test_the_size_of_tiles_and_the_order_in_the_file_change_nothing(
    carry_out: CarryOut, structure: str, scope: str, method: str
) -> None:
    rng = np.random.default_rng(9)
    raws = {name: rng.normal(size=(25, 11)).astype(np.float32) for name in ("m", "b", "y")}
    raws["b"][:] = raws["m"]  # ties between tensors
    tensors: Tensors = {name: ("F32", raw) for name, raw in raws.items()}
    work = Prune(sparsity=0.37, structure=structure, scope=scope, method=method)
    one = found(carry_out([work], tensors, grain=6, grains=1))
    for grains in (2, 3, 100):
        assert found(carry_out([work], tensors, grain=6, grains=grains)) == one
    turned = dict(reversed(tensors.items()))
    assert found(carry_out([work], turned, grain=6, grains=2)) == one


def test_random_takes_the_smallest_hashes_of_the_flat_index(carry_out: CarryOut) -> None:
    raw = np.ones((4, 6), np.float32)
    work = Prune(sparsity=0.5, method="random", scope="tensor", seed=12)
    mask = carry_out([work], {"layer.w": ("F32", raw)}, grain=1)["layer.w"].mask
    assert mask is not None
    keys = [hashed(12, "layer.w", index) for index in range(24)]
    assert len(set(keys)) == 24
    limit = sorted(keys)[11]
    assert mask.ravel().tolist() == [key <= limit for key in keys]


def test_another_seed_or_name_is_another_choice(carry_out: CarryOut) -> None:
    raw = np.ones((8, 8), np.float32)
    tensors: Tensors = {"a": ("F32", raw), "b": ("F32", raw)}
    one = found(carry_out([Prune(sparsity=0.5, method="random")], tensors))
    two = found(carry_out([Prune(sparsity=0.5, method="random", seed=1)], tensors))
    assert one["a"] != one["b"]
    assert one["a"] != two["a"]


@pytest.mark.parametrize("method", ["magnitude", "random"])
@pytest.mark.parametrize("columns", [3, 4, 7, 8, 9])
@pytest.mark.parametrize("structure", ["2of4", "1of4", "0of4", "4of4", "4of8", "1of3", "9of20"])
@pytest.mark.parametrize("code", ["BF16", "F32", "F64"])
def test_n_of_m_keeps_the_n_largest_of_each_group(
    carry_out: CarryOut, code: str, structure: str, columns: int, method: str
) -> None:
    raw = raw_of(quarters(5, columns, seed=columns), code)
    work = Prune(structure=structure, **by(method))
    mask = carry_out([work], {"w": (code, raw)}, grain=2)["w"].mask
    assert mask is not None
    shape = Structure.parse(structure)
    numbers = exact(raw, code)
    for row in range(5):
        for first in range(0, columns, shape.width):
            places = range(first, min(first + shape.width, columns))
            keys = {
                at: key_of(numbers[row : row + 1, at : at + 1], work, "w", row * columns + at)
                for at in places
            }
            order = sorted(places, key=lambda at: (keys[at], -at))
            gone = set(order[: max(len(places) - shape.height, 0)])
            assert {at for at in places if mask[row, at]} == gone


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.25, 0.2499999999999999, 1.0, 1e18])
def test_a_threshold_takes_what_is_not_larger(
    carry_out: CarryOut, code: str, threshold: float
) -> None:
    numbers = np.concatenate([quarters(3, 5), np.full((1, 5), 0.1)])
    raw = raw_of(numbers, code)
    mask = carry_out([Prune(threshold=threshold)], {"w": (code, raw)}, grain=2)["w"].mask
    assert mask is not None
    assert mask.tolist() == (np.abs(exact(raw, code)) <= threshold).tolist()


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("structure", ["row", "column", "2x2"])
def test_a_threshold_of_a_norm_is_compared_with_the_norm(
    carry_out: CarryOut, structure: str, norm: str
) -> None:
    tensors: Tensors = {
        "w": ("F32", quarters(6, 5, 3, most=3).astype(np.float32)),
        "v": ("BF16", raw_of(quarters(4, 3, 4, most=3), "BF16")),
    }
    for threshold in (0.0, 0.5, 0.75, 1.0, 1.2):
        work = Prune(threshold=threshold, structure=structure, norm=norm)
        expected = {name: np.zeros(raw.shape, np.bool_) for name, (_, raw) in tensors.items()}
        for name, (code, raw) in tensors.items():
            for line in units_of(name, exact(raw, code), work):
                for key, _, _, place in line:
                    expected[name][place] = key <= threshold
        assert found(carry_out([work], tensors, grain=2)) == listed(expected)


def test_a_mask_only_grows_and_what_is_pruned_counts_as_zero(carry_out: CarryOut) -> None:
    rng = np.random.default_rng(6)
    tensors: Tensors = {"w": ("F32", rng.normal(size=(6, 8)).astype(np.float32))}
    first = [Prune(structure="2of4")]
    before = carry_out(first, tensors)["w"].mask
    for second in (
        Prune(sparsity=0.7, scope="global"),
        Prune(sparsity=0.6, scope="tensor", method="random"),
        Prune(sparsity=0.5, structure="row"),
        Prune(sparsity=0.5, structure="column", norm="l1"),
        Prune(sparsity=0.6, structure="2x2"),
    ):
        after = carry_out([*first, second], tensors, grain=2)["w"]
        assert before is not None
        assert after.mask is not None
        pruned: Tensors = {"w": ("F32", np.where(before, np.float32(0), tensors["w"][1]))}
        assert after.mask.tolist() == (before | brute(pruned, second)["w"]).tolist()


def test_a_prune_after_a_quantize_looks_at_decoded_values(carry_out: CarryOut) -> None:
    rng = np.random.default_rng(7)
    tensors: Tensors = {"w": ("BF16", raw_of(rng.normal(size=(6, 8)), "BF16"))}
    codes = Quantize(bits=3)
    decoded: Tensors = {"w": ("F32", carry_out([codes], tensors)["w"].values)}
    for work in (Prune(sparsity=0.5), Prune(sparsity=0.4, scope="global"), Prune(threshold=0.6)):
        after = carry_out([codes, work], tensors, grain=2)["w"]
        assert after.mask is not None
        if work.threshold is not None:
            expected = np.abs(decoded["w"][1].astype(np.float64)) <= work.threshold
        else:
            expected = brute(decoded, work)["w"]
        assert after.mask.tolist() == expected.tolist()
        assert not after.values[after.mask].any()


def test_one_narrow_key_among_many_needs_every_sweep(carry_out: CarryOut) -> None:
    # neighbours in float64 that differ in the last 16 bits alone
    start = np.float64(1.5).view(np.uint64)
    raw = (start + np.arange(40, dtype=np.uint64)[::-1]).view(np.float64).reshape(8, 5)
    tensors: Tensors = {"w": ("F64", raw), "v": ("F64", raw.copy())}
    for sparsity in (0.01, 0.31, 0.5, 0.99):
        work = Prune(sparsity=sparsity, scope="global")
        tiles = carry_out([work], tensors, grain=3, grains=2)
        assert found(tiles) == listed(brute(tensors, work))
