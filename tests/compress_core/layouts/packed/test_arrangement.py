"""Where kept elements stand, what tells their places, and what both cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb, log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from compress_core.layouts.packed import Packed
from compress_core.layouts.packed.arrangement import (
    Arrangement,
    KeptColumns,
    KeptRows,
    Plain,
    Ranked,
    Scattered,
    arrangement,
    candidates,
)
from compress_core.schemes.base import Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Structure, TensorInfo

Parts = dict[str, tuple[str, Any]]
Store = Callable[..., Parts]
Example = Callable[..., Any]

INT4 = Integer(bits=4, group_size=8, scale_dtype="F16")
SIGNS = Binary(bits=1, group_size="channel", center="none")


def form_of(
    structure: str | None, kept: int | None, scheme: Scheme | None = None, code: str = "F32"
) -> Form:
    """A form."""
    sparsity = None if structure is None else Structure.parse(structure)
    return Form(DTYPES[code], scheme, sparsity, kept)


def info_of(rows: int, columns: int, code: str = "F32") -> TensorInfo:
    """A matrix."""
    nbytes = rows * columns * DTYPES[code].bits // 8
    return TensorInfo("w", DTYPES[code], (rows, columns), nbytes)


def sizes(info: TensorInfo, form: Form) -> dict[str, int]:
    """Bytes of each part."""
    return {name: part.nbytes for name, part in Packed().parts(info, form).items()}


def up(bits: int) -> int:
    """Bytes that hold some bits."""
    return -(-bits // 8)


@pytest.mark.parametrize(
    ("structure", "kept", "kind"),
    [
        (None, None, Plain),
        ("element", 64 * 128, Plain),  # nothing to leave out
        ("element", 64 * 64, Scattered),
        ("4x4", 64 * 64, Scattered),
        ("row", 32 * 128, KeptRows),
        ("column", 64 * 64, KeptColumns),
        ("2of4", 64 * 64, Ranked),
        ("8of16", 64 * 64, Ranked),
        ("10of20", 64 * 66, Scattered),  # too wide for ranks
        ("4of4", 64 * 128, Plain),
    ],
)
def test_the_smallest_arrangement_is_chosen(
    structure: str | None, kept: int | None, kind: type[Arrangement]
) -> None:
    info, form = info_of(64, 128), form_of(structure, kept)
    chosen = arrangement(info, form)
    assert type(chosen) is kind
    costs = [one.nbytes(info.name, "F32", None) for one in candidates(info, form)]
    assert chosen.nbytes(info.name, "F32", None) == min(costs)


def test_signs_have_no_zero_so_pruned_ones_always_have_an_index() -> None:
    for structure in ("element", "row", "column", "2x2", "2of4", "4of4"):
        for one in candidates(info_of(8, 8), form_of(structure, 64, SIGNS)):
            assert not isinstance(one, Plain)
    assert isinstance(arrangement(info_of(8, 8), form_of("row", 0, INT4)), Arrangement)


def test_an_index_must_save_more_than_its_entry_in_the_header() -> None:
    # 8 x 8 floats: a mask of 8 bytes saves 4 bytes for each element that is left out
    info = info_of(8, 8)
    assert isinstance(arrangement(info, form_of("element", 60)), Plain)
    assert isinstance(arrangement(info, form_of("element", 0)), Scattered)


@pytest.mark.parametrize(("rows", "columns"), [(64, 128), (65, 131), (200, 77)])
def test_parts_have_the_sizes_of_the_formulas(rows: int, columns: int) -> None:
    info = info_of(rows, columns)
    kept = rows * columns // 3
    scales = rows * -(-columns // 8) * 2
    assert sizes(info, form_of(None, None, INT4)) == {
        "w.codes": rows * up(columns * 4),
        "w.scale": scales,
    }
    assert sizes(info, form_of("element", kept)) == {
        "w.values": 4 * kept,
        "w.mask": rows * up(columns),
    }
    assert sizes(info, form_of("element", kept // 4, INT4)) == {
        "w.codes": up(kept // 4 * 4),
        "w.scale": scales,
        "w.mask": rows * up(columns),
    }
    assert sizes(info, form_of("4x4", kept)) == {
        "w.values": 4 * kept,
        "w.mask": -(-rows // 4) * up(-(-columns // 4)),
    }
    assert sizes(info, form_of("row", 10 * columns, INT4)) == {
        "w.codes": 10 * up(columns * 4),
        "w.scale": 10 * -(-columns // 8) * 2,
        "w.mask": up(rows),
    }
    assert sizes(info, form_of("column", 10 * rows, INT4)) == {
        "w.codes": rows * up(10 * 4),
        "w.scale": scales,
        "w.mask": up(columns),
    }
    whole, rest = divmod(columns, 4)
    ranks = whole * 3 + (comb(rest, min(rest, 2)) - 1).bit_length() if rest else whole * 3
    stay = whole * 2 + min(rest, 2)
    assert sizes(info, form_of("2of4", rows * stay)) == {
        "w.values": rows * stay * 4,
        "w.ranks": rows * up(ranks),
    }


def test_parameters_have_their_own_parts_in_their_own_order() -> None:
    info = info_of(16, 40)
    asymmetric = Integer(bits=3, group_size=16, symmetric=False, scale_dtype="BF16")
    assert sizes(info, form_of(None, None, asymmetric)) == {
        "w.codes": 16 * 15,
        "w.scale": 16 * 3 * 2,
        "w.zero_point": 16 * 2,
    }
    mean = Integer(bits=8, group_size="tensor", center="mean")
    assert sizes(info, form_of(None, None, mean)) == {"w.codes": 640, "w.scale": 4, "w.mean": 4}
    assert list(Packed().parts(info, form_of("element", 9, mean))) == [
        "w.codes",
        "w.scale",
        "w.mean",
        "w.mask",
    ]


@pytest.mark.parametrize(("kept", "width"), [(2, 4), (4, 8), (1, 3), (8, 16)])
def test_ranks_take_less_than_a_mask_and_no_less_than_information(kept: int, width: int) -> None:
    info = info_of(64, width * 16)
    form = form_of(f"{kept}of{width}", 64 * kept * 16)
    ranks = sizes(info, form)["w.ranks"] * 8
    assert log2(comb(width, kept)) * 64 * 16 <= ranks < 64 * 16 * width


@settings(deadline=None)
@given(
    st.sampled_from(["element", "row", "column", "3x5", "2of4", "5of20"]),
    st.sampled_from([None, INT4, SIGNS]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.data(),
)
def test_a_count_that_is_not_known_yet_gives_an_upper_bound(
    structure: str, scheme: Scheme | None, rows: int, columns: int, data: st.DataObject
) -> None:
    info = info_of(rows, columns)
    form = form_of(structure, data.draw(st.integers(0, rows * columns)), scheme)
    cost = arrangement(info, form).nbytes(info.name, "F32", scheme.bits if scheme else None)
    bound = arrangement(info, replace(form, kept=None))
    assert cost <= bound.nbytes(info.name, "F32", scheme.bits if scheme else None)


SHAPES = [(9, 13), (8, 16), (1, 7), (5, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scheme", [None, INT4, SIGNS])
@pytest.mark.parametrize("structure", ["element", "row", "column", "2x4", "2of4", "3of5", "9of20"])
def test_every_way_stores_kept_elements_in_row_major_order(
    example: Example, structure: str, scheme: Scheme | None, shape: tuple[int, int]
) -> None:
    one = example(shape, "F32", structure, scheme)
    tile = one.tile(0, shape[0])
    source = tile.stored() if scheme is None else one.codes.codes
    for chosen in candidates(one.info, one.form):
        compact = chosen.compact(source, tile)
        assert compact.size == (source.size if isinstance(chosen, Plain) else one.form.kept)
        if not isinstance(chosen, Plain):
            assert compact.ravel().tolist() == source[~one.mask].tolist()
        if chosen.grid is not None:
            assert compact.shape == chosen.grid


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("scheme", [None, INT4, SIGNS])
@pytest.mark.parametrize("structure", ["element", "row", "column", "2x4", "2of4", "3of5", "9of20"])
def test_tiles_of_any_size_write_the_same_parts(
    store: Store, example: Example, structure: str, scheme: Scheme | None, share: float
) -> None:
    layout = Packed()
    for shape in ((40, 56), (39, 53)):
        one = example(shape, "BF16", structure, scheme, share=share)
        whole = store(layout, one.tiles(shape[0]), one.form)
        multiple = layout.row_multiple(one.info, one.form)
        for step in (multiple, 3 * multiple, 16 * multiple):
            pieces = store(layout, one.tiles(step), one.form)
            assert pieces.keys() == whole.keys()
            for name in whole:
                assert pieces[name][0] == whole[name][0]
                assert np.array_equal(pieces[name][1], whole[name][1])


def test_a_mask_has_one_bit_an_element_the_first_column_lowest(
    store: Store, example: Example
) -> None:
    one = example((64, 61), "F32", "element", None)
    mask = store(Packed(), one.tiles(7), one.form)["w.mask"][1]
    expected = np.packbits(~one.mask, axis=1, bitorder="little")
    assert np.array_equal(mask, expected)


def test_a_mask_of_blocks_has_one_bit_a_block(store: Store, example: Example) -> None:
    one = example((30, 61), "F32", "4x5", None)
    mask = store(Packed(), one.tiles(8), one.form)["w.mask"][1]
    assert np.array_equal(mask, np.packbits(~one.mask[::4, ::5], axis=1, bitorder="little"))
