"""``quant_state``, written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import FormatError
from compress_core.layouts.bitsandbytes.state import BLOCKS, State

TEXT = b'{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [3, 128]}'
STATE = State("nf4", 64, "BF16", (3, 128))
NESTED = {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.25}


def test_it_is_the_text_of_the_library() -> None:
    assert STATE.text() == TEXT
    assert (STATE.part, STATE.elements, STATE.blocks) == (
        "weight.quant_state.bitsandbytes__nf4",
        384,
        6,
    )


@given(
    st.sampled_from(BLOCKS),
    st.sampled_from(["BF16", "F16", "F32"]),
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
)
def test_what_is_written_is_read(block: int, dtype: str, shape: tuple[int, int]) -> None:
    state = State("nf4", block, dtype, shape)
    assert State.read(state.text(), "x") == state


def test_wide_floats_are_decoded_to_float32() -> None:
    assert State.read(State("nf4", 64, "F64", (1, 64)).text(), "x").dtype == "F32"


def test_scales_that_are_codes_have_scales() -> None:
    said = json.loads(TEXT) | NESTED
    found = State.read(json.dumps(said).encode(), "x")
    assert (found.nested, found.offset) == (256, 0.25)
    assert found.nested_blocks == 1


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_length_does_not_depend_on_what_is_added(offset: float) -> None:
    state = State("nf4", 64, "BF16", (3, 128), 256, offset)
    assert len(state.text()) == len(State("nf4", 64, "BF16", (3, 128), 256).text())
    assert State.read(state.text(), "x") == state
    assert (
        state.text().rstrip()
        == json.dumps(json.loads(TEXT) | NESTED | {"nested_offset": offset}).encode()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"quant_type": "int4"},
        {"quant_type": ["nf4"]},
        {"blocksize": 0},
        {"blocksize": 63},
        {"blocksize": 64.0},
        {"blocksize": [64]},
        {"dtype": "int8"},
        {"dtype": {}},
        {"shape": [3]},
        {"shape": [3, 0]},
        {"shape": [3, True]},
        {"shape": [3, 2**31]},
        {"shape": None},
        {**NESTED, "nested_blocksize": 0},
        {**NESTED, "nested_offset": None},
        {**NESTED, "nested_offset": True},
        {**NESTED, "nested_dtype": "bfloat16"},
    ],
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as caught:
        State.read(json.dumps(json.loads(TEXT) | change).encode(), "a.fc")
    assert caught.value.where == "a.fc"


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"{", b'{"blocksize": NaN}'])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match="quant_state"):
        State.read(text, "a.fc")
