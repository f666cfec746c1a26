"""Options of the pass, and what a tensor becomes by its header."""

from __future__ import annotations

from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.limits import Limits
from compress_core.passes.prune import Prune
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Structure, TensorInfo

INFO = TensorInfo("w", DTYPES["F32"], (6, 8), 192)
DENSE = Form(DTYPES["F32"])


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "sparsity"),
        ({"sparsity": 0.5, "threshold": 0.1}, "threshold"),
        ({"sparsity": -0.1}, "sparsity"),
        ({"sparsity": 1.01}, "sparsity"),
        ({"sparsity": float("nan")}, "sparsity"),
        ({"threshold": -1}, "threshold"),
        ({"threshold": float("inf")}, "threshold"),
        ({"threshold": 0.1, "scope": "row"}, "scope"),
        ({"threshold": 0.1, "method": "random"}, "threshold"),
        ({"sparsity": 0.5, "structure": "row", "scope": "row"}, "scope"),
        ({"sparsity": 0.5, "structure": "column", "scope": "row"}, "scope"),
        ({"structure": "2of4", "sparsity": 0.5}, "sparsity"),
        ({"structure": "2of4", "scope": "row"}, "scope"),
        ({"structure": "2of4", "threshold": 0.5}, "threshold"),
        ({"sparsity": 0.5, "norm": "l3"}, "norm"),
        ({"sparsity": 0.5, "method": "best"}, "method"),
        ({"sparsity": 0.5, "structure": "rows"}, "structure"),
        ({"sparsity": 0.5, "seed": -1}, "seed"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as info:
        Prune(**options)
    assert info.value.where == where
    assert info.value.hint


@pytest.mark.parametrize("structure", ["3of2", "0x4", "4x0", "0of0"])
def test_structures_without_a_meaning_are_refused(structure: str) -> None:
    with pytest.raises(UsageError, match=structure):
        Prune(sparsity=None if "of" in structure else 0.5, structure=structure)


def test_n_of_m_may_be_written_with_a_colon() -> None:
    assert Prune(structure="2:4").structure == "2of4"


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ({"sparsity": 0.5}, None),
        ({"sparsity": 0.5, "scope": "tensor"}, "w"),
        ({"sparsity": 0.5, "scope": "global"}, "*"),
        ({"sparsity": 0.5, "structure": "row"}, "w"),
        ({"sparsity": 0.5, "structure": "4x4"}, "w"),
        ({"sparsity": 0.5, "structure": "4x4", "scope": "row"}, None),
        ({"sparsity": 0.5, "structure": "column"}, "w"),
        ({"threshold": 0.5}, None),
        ({"threshold": 0.5, "structure": "row"}, None),
        ({"threshold": 0.5, "structure": "column"}, "w"),
        ({"structure": "2of4"}, None),
    ],
)
def test_elements_are_counted_in_rows_and_structures_in_tensors(
    options: dict[str, Any], group: str | None
) -> None:
    work = Prune(**options)
    assert work.group(INFO) == group
    assert work.decides_over_all == (group == "*")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"sparsity": 0.5}, 24),
        ({"sparsity": 0.3}, 6 * (8 - 2)),
        ({"sparsity": 0.3, "scope": "tensor"}, 48 - 14),
        ({"sparsity": 0.5, "scope": "global"}, None),
        ({"threshold": 0.5}, None),
        ({"structure": "2of4"}, 24),
        ({"sparsity": 0.5, "structure": "row"}, 24),
        ({"sparsity": 0.5, "structure": "4x4"}, None),
        ({"sparsity": 0.5, "structure": "3x4"}, 24),
    ],
)
def test_what_is_kept_is_known_where_the_shape_tells_it(
    options: dict[str, Any], kept: int | None
) -> None:
    work = Prune(**options)
    form = work.becomes(INFO, DENSE, Limits())
    assert form == Form(DENSE.dtype, None, Structure.parse(work.structure), kept)


def test_a_second_prune_leaves_the_count_open_and_the_structure_as_fine_as_both() -> None:
    rows = Form(DENSE.dtype, None, Structure("row"), 24)
    again = Prune(sparsity=0.5, structure="row").becomes(INFO, rows, Limits())
    assert again == Form(DENSE.dtype, None, Structure("row"), None)
    finer = Prune(structure="2of4").becomes(INFO, rows, Limits())
    assert finer == Form(DENSE.dtype, None, Structure("element"), None)
    twice = Prune(structure="2of4").becomes(
        INFO, Form(DENSE.dtype, None, Structure("nofm", 2, 4), 24), Limits()
    )
    assert twice == Form(DENSE.dtype, None, Structure("element"), None)


def test_codes_stay_codes() -> None:
    scheme = Integer(bits=4, group_size="channel")
    form = Prune(sparsity=0.5).becomes(INFO, Form(DENSE.dtype, scheme), Limits())
    assert form == Form(DENSE.dtype, scheme, Structure("element"), 24)


@pytest.mark.parametrize(
    ("structure", "multiple"), [("element", 1), ("row", 1), ("column", 1), ("16x4", 16)]
)
def test_tiles_never_part_a_block(structure: str, multiple: int) -> None:
    assert Prune(sparsity=0.5, structure=structure).row_multiple(INFO) == multiple
