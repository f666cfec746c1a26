"""NF4 whose scales are 8-bit codes: the formula one group at a time, blocks, tiles, the search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress_core import compress, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.fitting import Fitting
from compress_core.kernels.codebooks import NF4
from compress_core.kernels.dynamic import DYNAMIC
from compress_core.passes.quantize import Quantize
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.settings import Settings
from compress_core.tiling import LEAST_MEMORY
from tests.contracts import zoo

Floats = NDArray[np.float32]


def values(rows: int = 70, columns: int = 200, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((rows, columns)) * np.exp(rng.uniform(-1, 1, (rows, 1)))
    drawn[3, :64] = 0
    return drawn.astype(np.float32)


def decoded(scheme: Nf4 | Nf4Double, given: Floats, fitting: Fitting) -> Floats:
    found = scheme.fit(given, None, fitting)
    return scheme.decode(scheme.encode(given, found, fitting), found)


def test_the_formula_one_group_at_a_time() -> None:
    given, scheme = values(), Nf4Double(4, 64)
    found = scheme.fit(given, None)
    back = scheme.decode(scheme.encode(given, found), found)
    pieces = [row[first : first + 64] for row in given for first in range(0, 200, 64)]
    largest = np.array([np.abs(piece).max() for piece in pieces])
    offset = np.float32(largest.sum(dtype=np.float64) / len(pieces))
    assert found["nested_offset"].tolist() == [[offset]]
    ends = [slice(first, first + 256) for first in range(0, len(pieces), 256)]
    most = np.concatenate(
        [np.full(len(largest[end]), np.abs(largest[end] - offset).max()) for end in ends]
    )
    assert np.array_equal(found["nested_absmax"].reshape(-1), most)
    nearest = DYNAMIC[np.abs(((largest - offset) / most)[:, None] - DYNAMIC).argmin(axis=1)]
    scales = nearest * most + offset
    known = [
        NF4[np.abs((piece / scale)[:, None] - NF4).argmin(axis=1)] * scale
        for piece, scale in zip(pieces, scales, strict=True)
    ]
    assert np.array_equal(back.reshape(-1), np.concatenate(known) + np.float32(0))


def test_by_the_librarys_rule_codes_are_those_without_double_quantization() -> None:
    given, fitting = values(), Fitting("bitsandbytes")
    plain, double = Nf4(4, 64), Nf4Double(4, 64)
    codes = plain.encode(given, plain.fit(given, None, fitting), fitting)
    found = double.fit(given, None, fitting)
    assert np.array_equal(double.encode(given, found, fitting), codes)
    ours = double.encode(given, double.fit(given, None))
    assert 0 < np.count_nonzero(ours != codes) < codes.size // 20


@pytest.mark.parametrize(
    ("columns", "rows"), [(64, 256), (128, 128), (384, 128), (100, 128), (4096, 4), (16384, 1)]
)
def test_tiles_hold_whole_blocks(columns: int, rows: int) -> None:
    scheme = Nf4Double(4, 64)
    assert scheme.row_multiple(columns) == rows
    assert rows * scheme.groups(columns) % 256 == 0
    assert rows == 1 or rows // 2 * scheme.groups(columns) % 256


@pytest.mark.parametrize("fitting", [Fitting(), Fitting("bitsandbytes"), Fitting(search="mse")])
def test_a_tile_is_fitted_as_a_part_of_the_whole(fitting: Fitting) -> None:
    given, scheme = values(300, 192), Nf4Double(4, 64)
    whole = scheme.fit(given, None, fitting)
    step = scheme.row_multiple(192)
    assert step == 256
    surveyed = {"nested_offset": whole["nested_offset"]}
    for rows in (slice(0, step), slice(step, 300)):
        own = scheme.fit(given[rows], None, fitting, surveyed)
        assert np.array_equal(own["scale"], whole["scale"][rows])
        assert np.array_equal(own["nested_absmax"], whole["nested_absmax"][rows])


@pytest.mark.parametrize("search", ["none", "mse"])
def test_neither_memory_nor_threads_change_a_byte(search: str, tmp_path: Path) -> None:
    arrays: zoo.Arrays = {"w": values(1500, 320, 3), "v": values(40, 64)}
    source = zoo.checkpoint(tmp_path / "in", arrays, {})
    work = {"pass": "quantize", "scheme": "nf4", "double_quant": True, "scale_search": search}
    spec = from_config({"version": 1, "passes": [work], "output": {"layout": "packed"}})
    digests = set()
    for name, settings in {
        "one": Settings(jobs=1),
        "two": Settings(jobs=2),
        "little": Settings(jobs=2, max_memory=LEAST_MEMORY),
    }.items():
        compress(source, tmp_path / name, spec, settings)
        digests.add(zoo.digest(tmp_path / name))
    assert len(digests) == 1
    scheme = Nf4Double(4, 64)
    with open_logical(tmp_path / "one") as reader:
        assert reader.forms["w"].scheme == scheme
        assert reader.stored_bytes("w") == 1500 * (160 + 5) + 4 * 30 + 4
        for start, stop in ((0, 1500), (1, 2), (700, 1031), (1499, 1500), (9, 9)):
            known = decoded(scheme, arrays["w"], Fitting(search=search))[start:stop]
            assert np.array_equal(reader.read("w", start, stop), known)


@pytest.mark.parametrize("structure", ["row", "column", "element", "2of4", "16x4"])
def test_pruned_tensors_come_back(structure: str, tmp_path: Path) -> None:
    source = zoo.checkpoint(tmp_path / "in", {"w": values(600, 192, 5)}, {})
    prune: dict[str, Any] = {"pass": "prune", "structure": structure}
    prune |= {} if structure == "2of4" else {"sparsity": 0.6}
    work = {"pass": "quantize", "scheme": "nf4", "double_quant": True}
    passes = {"version": 1, "passes": [prune, work]}
    for layout in ("packed", "dense"):
        spec = from_config(passes | {"output": {"layout": layout}})
        compress(source, tmp_path / layout, spec)
    restore(tmp_path / "packed", tmp_path / "restored")
    restored, dense = zoo.read(tmp_path / "restored").arrays, zoo.read(tmp_path / "dense").arrays
    assert zoo.same(restored["w"], dense["w"])
    assert np.count_nonzero(restored["w"]) <= 0.5 * 600 * 192
    with open_logical(tmp_path / "packed") as reader:
        for start, stop in ((0, 16), (250, 263), (599, 600), (7, 600)):
            assert zoo.same(reader.read("w", start, stop), dense["w"][start:stop])


def test_a_search_is_better_and_its_scales_are_what_is_stored() -> None:
    given, scheme = values(500, 384), Nf4Double(4, 64)
    formula, search = Fitting(), Fitting(search="mse")
    errors = [
        float(np.square(decoded(scheme, given, how) - given).sum()) for how in (formula, search)
    ]
    assert errors[1] < 0.92 * errors[0]
    plain = float(np.square(decoded(Nf4(4, 64), given, search) - given).sum())
    assert errors[1] < 1.01 * plain
    found, better = (scheme.fit(given, None, how) for how in (formula, search))
    assert np.array_equal(found["nested_absmax"], better["nested_absmax"])
    assert not np.array_equal(found["scale"], better["scale"])


def test_a_search_takes_no_scale_below_zero() -> None:
    given, scheme = values(200, 128), Nf4Double(4, 64)
    given[::2] *= np.float32(1e-4)  # far below the steps of the scales of their blocks
    for negative in (False, True):
        fitting = Fitting("absmax", "mse", negative)
        found, formula = scheme.fit(given, None, fitting), scheme.fit(given, None)
        scales, before = scheme.unit(found), scheme.unit(formula)
        assert ((scales > 0) | (scales == before)).all()


def test_a_scale_that_is_rounded_to_zero_gives_zeros() -> None:
    scheme = Nf4Double(4, 4)
    given = np.array([[1e-9, -1e-9, 0, 1e-9, 4, 1, -2, 0]], np.float32)
    found: dict[str, NDArray[Any]] = {
        "scale": np.array([[0, 255]], np.uint8),
        "nested_absmax": np.full((1, 2), 2, np.float32),
        "nested_offset": np.array([[-2 * DYNAMIC[0]]], np.float32),
    }
    assert scheme.unit(found)[0, 0] == 0
    back = scheme.decode(scheme.encode(given, found), found)
    assert back[0, :4].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.3])
def test_scales_that_are_all_the_same(constant: float) -> None:
    given = np.full((9, 128), constant, np.float32)
    for fitting in (Fitting(), Fitting("bitsandbytes"), Fitting(search="mse")):
        found = Nf4Double(4, 64).fit(given, None, fitting)
        assert not found["nested_absmax"].any()
        assert not found["scale"].any()
        assert np.array_equal(decoded(Nf4Double(4, 64), given, fitting), given)


def test_a_scale_beyond_float32_is_refused_or_never_written() -> None:
    scheme = Nf4Double(4, 64)
    found = scheme.fit(values(), None)
    found["nested_absmax"] = np.full_like(found["nested_absmax"], 3e38)
    found["nested_offset"] = np.full_like(found["nested_offset"], 3e38)
    with pytest.raises(FormatError, match="infinite"):
        scheme.decode(np.zeros((70, 200), np.uint8), found)
    largest = np.full((1, 192), np.finfo(np.float32).max, np.float32)
    largest[0, :64] = 0
    with pytest.raises(UnsupportedError, match="does not fit"):  # its code is rounded upwards
        scheme.fit(largest, None)


def test_one_scale_for_a_tensor_is_not_for_it() -> None:
    with pytest.raises(FormatError):
        Nf4Double.restored({"scheme": "nf4-double", "bits": 4, "group_size": "tensor"})
    with pytest.raises(UsageError, match="one scale") as error:
        Quantize(scheme="nf4", double_quant=True, group_size="tensor")
    assert error.value.where == "group_size"


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("nested_absmax", lambda stored: stored * np.float32(np.inf)),
        ("nested_offset", lambda stored: stored * np.float32(np.nan)),
        ("nested_absmax", lambda stored: stored[:-1]),
        ("scale", lambda stored: stored[:, :-1]),
        ("nested_offset", lambda stored: stored.reshape(1)),
    ],
)
def test_damaged_parts_are_an_error(part: str, change: Any, tmp_path: Path) -> None:
    source, packed = tmp_path / "in.safetensors", tmp_path / "packed.safetensors"
    save_file({"w": values(600, 128)}, source)
    work = {"pass": "quantize", "scheme": "nf4", "double_quant": True}
    compress(source, packed, from_config({"version": 1, "passes": [work]}))
    with safe_open(packed, framework="np") as stored:
        strings = stored.metadata()
    parts = load_file(packed)
    with np.errstate(invalid="ignore"):
        parts[f"w.{part}"] = change(parts[f"w.{part}"])
    save_file(parts, packed, metadata=strings)
    with pytest.raises(FormatError, match=part):
        restore(packed, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
