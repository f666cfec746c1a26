"""What a packed file says of itself, and what happens when it lies."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError
from compress_core.layouts.packed import record
from compress_core.recorded import Sums, errors_text
from compress_core.schemes.base import Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form, Structure, TensorInfo

SCHEMES: list[Scheme | None] = [
    None,
    Integer(bits=4, group_size=128, scale_dtype="BF16"),
    Integer(bits=8, group_size="tensor", symmetric=False),
    Binary(bits=1, group_size="channel"),
    Fp8(bits=8, group_size="channel", element="e5m2"),
    Nvfp4(bits=4, group_size=16),
]
STRUCTURES = [None, "element", "row", "column", "16x4", "2of4"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, tuple[TensorInfo, Form]]:
    """Tensors in all forms."""
    found = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=8), max_size=5, unique=True)):
        shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
        dtype = DTYPES[draw(st.sampled_from(["BF16", "F16", "F32", "F64"]))]
        scheme, text = draw(st.sampled_from(SCHEMES)), draw(st.sampled_from(STRUCTURES))
        elements = 1
        for side in shape:
            elements *= side
        info = TensorInfo(name, dtype, shape, elements * dtype.bits // 8)
        sparsity = None if text is None else Structure.parse(text)
        kept = None if sparsity is None else draw(st.integers(0, elements))
        moved = scheme is None and sparsity is None
        found[name] = (info, Form(dtype, scheme, sparsity, kept, moved))
    return found


def good() -> dict[str, tuple[TensorInfo, Form]]:
    """Three tensors, two of one form."""
    dtype = DTYPES["F32"]
    pruned = Form(dtype, None, Structure("element"), 5)
    return {
        "a": (TensorInfo("a", dtype, (2, 3), 24), pruned),
        "b": (TensorInfo("b", dtype, (2, 3), 24), Form(dtype, SCHEMES[1])),
        "c": (TensorInfo("c", dtype, (2, 3), 24), Form(dtype, None, Structure("element"), 6)),
    }


def parsed() -> dict[str, Any]:
    """The record of :func:`good`."""
    strings = record.describe(good(), {}, {"version": 1}, "9.9")
    found: dict[str, Any] = json.loads(strings[record.KEY])
    return found


def reading(value: Any) -> dict[str, tuple[TensorInfo, Form]] | None:
    """Read a record."""
    text = value if isinstance(value, str) else json.dumps(value)
    return record.read_forms({record.KEY: text})


@settings(deadline=None)
@given(tensors())
def test_what_is_described_is_what_is_read(touched: dict[str, tuple[TensorInfo, Form]]) -> None:
    strings = record.describe(touched, {}, {"version": 1, "name": "é"}, "1.2.3")
    found = record.read_forms(strings)
    assert found == touched
    assert found is not None
    assert list(found) == list(touched)
    assert record.read_errors(strings) == [(0.0, 0.0, 0.0, 0)] * len(touched)


def test_a_form_is_written_once_however_many_tensors_have_it() -> None:
    written = parsed()
    assert len(written["forms"]) == 2
    assert written["tensors"] == {"a": [0, 5], "b": [1, 6], "c": [0, 6]}
    assert (written["version"], written["tool"], written["spec"]) == (1, "9.9", {"version": 1})


def test_a_file_without_a_record_is_no_packed_file() -> None:
    assert record.read_forms({"format": "pt"}) is None


sums = st.tuples(
    st.floats(0, allow_infinity=False),
    st.floats(0, allow_infinity=False),
    st.floats(0, allow_infinity=False),
    st.integers(0, 10**19),
)


@settings(deadline=None)
@given(st.lists(sums, max_size=5))
def test_errors_are_exact_and_their_text_is_as_long_as_the_placeholder(
    rows: list[Sums],
) -> None:
    text = errors_text(rows)
    assert len(text) == len(errors_text([(0.0, 0.0, 0.0, 0)] * len(rows)))
    assert record.read_errors({record.ERRORS_KEY: text}) == rows


def test_no_errors_are_no_errors() -> None:
    assert record.read_errors({}) == []


@pytest.mark.parametrize("version", [0, 2, "1", None, [], 1e9])
def test_another_version_is_refused_with_what_helps(version: Any) -> None:
    with pytest.raises(FormatError, match="this tool reads version 1") as error:
        reading(parsed() | {"version": version})
    assert error.value.hint == "update modelopt"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "1",
        '"x"',
        "NaN",
        '{"version": NaN}',
        "[" * 100_000,
        "{}",
        '{"version": 1}',
    ],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        reading(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["forms"], {}),
        (["forms"], None),
        (["tensors"], []),
        (["forms", 0], None),
        (["forms", 0, "dtype"], "F31"),
        (["forms", 0, "dtype"], "U8"),
        (["forms", 0, "dtype"], "F8_E4M3"),
        (["forms", 0, "dtype"], []),
        (["forms", 0, "dtype"], None),
        (["forms", 0, "shape"], None),
        (["forms", 0, "shape"], [2, -3]),
        (["forms", 0, "shape"], [2, 3.0]),
        (["forms", 0, "shape"], [2, True]),
        (["forms", 0, "shape"], ["2", 3]),
        (["forms", 0, "shape"], "23"),
        (["forms", 0, "sparsity"], "none"),
        (["forms", 0, "sparsity"], "4of2"),
        (["forms", 0, "sparsity"], "0x2"),
        (["forms", 0, "sparsity"], True),
        (["forms", 0, "sparsity"], ["row"]),
        (["forms", 1, "scheme"], "integer"),
        (["forms", 1, "scheme"], {}),
        (["forms", 1, "scheme"], {"scheme": "base"}),
        (["forms", 1, "scheme"], {"scheme": []}),
        (["forms", 1, "scheme"], {"scheme": "integer"}),
        (["forms", 1, "scheme", "bits"], 40),
        (["forms", 1, "scheme", "scale_dtype"], {}),
        (["tensors", "a"], None),
        (["tensors", "a"], 0),
        (["tensors", "a"], [0]),
        (["tensors", "a"], [0, 1, 2]),
        (["tensors", "a"], [2, 1]),
        (["tensors", "a"], [-1, 1]),
        (["tensors", "a"], [0.0, 1]),
        (["tensors", "a"], [True, 1]),
        (["tensors", "a"], [0, 7]),
        (["tensors", "a"], [0, -1]),
        (["tensors", "a"], [0, "5"]),
        (["tensors", "a"], {"0": 5}),
    ],
)
def test_a_record_that_lies_is_refused(path: list[Any], value: Any) -> None:
    damaged = parsed()
    at = damaged
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(FormatError):
        reading(damaged)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_whatever_is_put_into_a_record_only_a_format_error_comes(data: st.DataObject) -> None:
    damaged: Any = copy.deepcopy(parsed())
    at, keys = damaged, list(damaged)
    while True:
        step = data.draw(st.sampled_from(keys))
        below = at[step]
        keys = (
            list(below)
            if isinstance(below, dict)
            else list(range(len(below) if isinstance(below, list) else 0))
        )
        if not keys or data.draw(st.booleans()):
            at[step] = data.draw(JSON)
            break
        at = below
    try:
        found = record.read_forms({record.KEY: json.dumps(damaged)})
    except FormatError:
        return
    assert found is not None
    for info, form in found.values():
        assert info.dtype.is_weight
        assert form.kept is None or 0 <= form.kept <= info.elements
        assert str(form)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet='[]{},:"0123456789eE.-+ntrufalsINy', max_size=40), st.integers(0, 400))
def test_whatever_is_cut_or_typed_into_the_text_only_a_format_error_comes(
    typed: str, place: int
) -> None:
    text = record.describe(good(), {}, {}, "1")[record.KEY]
    for damaged in (text[:place] + typed + text[place:], text[:place], typed):
        try:
            reading(damaged)
        except FormatError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "0",
        "[0]",
        "[[]]",
        "[[0,0,0]]",
        "[[0,0,0,0,0]]",
        "[[0,0,0,null]]",
        "[[true,0,0,0]]",
        '[["0",0,0,0]]',
        "[[-1,0,0,0]]",
        "[[0,0,0,-1]]",
        "[[NaN,0,0,0]]",
        "[[Infinity,0,0,0]]",
        f"[[0,0,0,1{'0' * 5000}]]",
        "[",
    ],
)
def test_errors_that_are_no_errors_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        record.read_errors({record.ERRORS_KEY: text})


@pytest.mark.parametrize(
    "text",
    ["[[1e999,0,0,0]]", "[[0,1e999,0,0]]", "[[0,0,0,1e999]]", f"[[1{'0' * 400},0,0,0]]"],
)
def test_errors_beyond_float64_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        record.read_errors({record.ERRORS_KEY: text})


@pytest.mark.parametrize("shape", [[0, 4], [3, 0], [0], [10**18, 0]])
def test_a_tensor_without_elements_is_never_compressed(shape: list[int]) -> None:
    damaged = parsed()
    damaged["forms"][0]["shape"] = shape
    damaged["tensors"] = {"a": [0, 0]}
    with pytest.raises(FormatError):
        reading(damaged)


@settings(deadline=None)
@given(st.text(alphabet="[],0123456789eE.-+ ", max_size=30))
def test_whatever_stands_for_errors_only_a_format_error_comes(text: str) -> None:
    for damaged in (text, f"[[{text}]]", f"[[{text},0,0,0]]", f"[[0,0,0,{text}]]"):
        try:
            rows = record.read_errors({record.ERRORS_KEY: damaged})
        except FormatError:
            continue
        assert all(one >= 0 for row in rows for one in row)
