"""Packed parts become the tensors again; damaged ones become an error, never something else."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.container import Reader
from compress_core.errors import FormatError, InputError
from compress_core.layouts.packed import Packed, record
from compress_core.metrics import ErrorStats, Moments
from compress_core.recorded import errors_text
from compress_core.schemes.base import Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.schemes.ternary import Ternary

Parts = dict[str, tuple[str, NDArray[Any]]]
Store = Callable[..., Parts]
Memory = Callable[[Parts, Mapping[str, str]], Reader]
Example = Callable[..., Any]

SCHEMES: list[Scheme | None] = [
    None,
    Integer(bits=4, group_size=8, scale_dtype="F16"),
    Integer(bits=3, group_size="channel", symmetric=False),
    Integer(bits=8, group_size="tensor", center="mean", scale_dtype="BF16"),
    Integer(bits=5, group_size="tensor", symmetric=False),
    Binary(bits=1, group_size="channel"),
    Binary(bits=1, group_size=16, center="none", scale_dtype="BF16"),
    Ternary(bits=2, group_size="channel"),
    Fp8(bits=8, group_size=16, scale_dtype="F16"),
    Nf4(bits=4, group_size=16),
    Nf4Double(bits=4, group_size=16),
    Mxfp4(bits=4, group_size=8),
    Nvfp4(bits=4, group_size=16),
]
STRUCTURES = [None, "element", "row", "column", "4x5", "2of4", "8of16", "9of20"]
SHAPE = (37, 61)


def opened(memory: Memory, parts: Parts, strings: Mapping[str, str]) -> Reader:
    """The logical reader."""
    found = Packed.open(memory(parts, strings))
    assert found is not None
    return found


def described(one: Any) -> dict[str, str]:
    """Metadata of a file that holds one tensor."""
    return Packed().metadata({one.info.name: (one.info, one.form)}, {}, {"version": 1}, "1.0")


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_any_rows_come_back_as_they_were_promised(
    store: Store,
    memory: Memory,
    example: Example,
    structure: str | None,
    scheme: Scheme | None,
    share: float,
) -> None:
    one = example(SHAPE, "BF16", structure, scheme, share=share)
    parts = store(Packed(), one.tiles(SHAPE[0]), one.form)
    reader = opened(memory, parts, described(one))
    assert dict(reader.infos) == {"w": one.info}
    assert dict(reader.forms) == {"w": one.form}
    assert reader.stored_bytes("w") == sum(array.nbytes for _, array in parts.values())
    expected = one.stored
    # rows out of order: what is counted on the way must not depend on it
    for start, stop in ((30, 37), (0, 37), (5, 6), (11, 30), (0, 0), (37, 37), (36, 37)):
        found = reader.read("w", start, stop)
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected[start:stop].tobytes()
        assert found.flags.writeable


@pytest.mark.parametrize("code", ["F16", "F32", "F64"])
@pytest.mark.parametrize("shape", [(12,), (5, 3, 4), (1, 1), (6, 1), (1, 300)])
@pytest.mark.parametrize("structure", ["element", "row", "2of4", None])
def test_any_shape_and_dtype_comes_back(
    store: Store,
    memory: Memory,
    example: Example,
    structure: str | None,
    shape: tuple[int, ...],
    code: str,
) -> None:
    for scheme in (None, SCHEMES[1], SCHEMES[5]):
        if structure is None and scheme is None:
            continue
        one = example(shape, code, structure, scheme)
        parts = store(Packed(), one.tiles(2), one.form)
        reader = opened(memory, parts, described(one))
        assert reader.infos["w"].shape == shape
        assert reader.read("w", 0, len(one.raw)).tobytes() == one.stored.tobytes()


def test_plain_tensors_stand_beside_packed_ones(
    store: Store, memory: Memory, example: Example
) -> None:
    one = example((64, 61), "F32", "element", SCHEMES[1])
    two = example((8, 8), "F32", None, SCHEMES[5], name="v")
    beside = np.arange(6, dtype=np.float32).reshape(2, 3)
    parts = store(Packed(), one.tiles(64), one.form)
    parts["norm"] = ("F32", beside)
    parts |= store(Packed(), two.tiles(8), two.form)
    touched = {example.info.name: (example.info, example.form) for example in (one, two)}
    strings = Packed().metadata(touched, {}, {}, "1") | {"format": "pt"}
    stats = ErrorStats()
    stats.update(Moments((2.0,), (8.0,), 0.5, 3), 9)
    strings |= Packed().measured([stats, stats])
    reader = opened(memory, parts, strings)
    assert list(reader.infos) == ["w", "norm", "v"]
    assert reader.metadata == {"": {"format": "pt"}}
    assert reader.read("norm", 1, 2).tolist() == [[3.0, 4.0, 5.0]]
    assert reader.read_bytes("norm", 4, 8) == beside.tobytes()[4:8]
    assert reader.read("v", 0, 8).tobytes() == two.stored.tobytes()
    assert {name: error.error for name, error in reader.errors.items()} == {"w": 0.5, "v": 0.5}


def test_a_file_without_a_record_is_left_to_others(memory: Memory) -> None:
    assert Packed.open(memory({"w": ("F32", np.zeros((1, 1), np.float32))}, {})) is None


def fixed(example: Example, structure: str | None, scheme: Scheme | None) -> Any:
    """A tensor large enough that every structure has its own index."""
    return example((64, 61), "F32", structure, scheme)


CASES = [
    (structure, scheme)
    for structure in STRUCTURES
    for scheme in (None, SCHEMES[1], SCHEMES[2], SCHEMES[6])
    if structure is not None or scheme is not None
]


def read_all(reader: Reader) -> dict[str, NDArray[Any]]:
    """Everything that the reader says it holds, in two pieces."""
    found = {}
    for name, info in reader.infos.items():
        rows = info.matrix[0]
        pieces = [reader.read(name, 0, rows // 2), reader.read(name, rows // 2, rows)]
        found[name] = np.concatenate(pieces)
        assert found[name].shape == info.matrix
        assert found[name].dtype == np.dtype(info.dtype.storage)
    return found


@pytest.mark.parametrize(("structure", "scheme"), CASES, ids=str)
def test_a_part_that_is_missing_is_an_error(
    store: Store, memory: Memory, example: Example, structure: str | None, scheme: Scheme | None
) -> None:
    one = fixed(example, structure, scheme)
    whole = store(Packed(), one.tiles(64), one.form)
    for missing in whole:
        parts = {name: part for name, part in whole.items() if name != missing}
        with pytest.raises(FormatError, match="is missing") as error:
            opened(memory, parts, described(one))
        assert error.value.message.startswith("tensor w: ")
        assert error.value.where == "memory.safetensors"


@pytest.mark.parametrize(("structure", "scheme"), CASES, ids=str)
def test_a_part_of_another_shape_or_dtype_is_an_error(
    store: Store, memory: Memory, example: Example, structure: str | None, scheme: Scheme | None
) -> None:
    one = fixed(example, structure, scheme)
    whole = store(Packed(), one.tiles(64), one.form)
    for name, (code, array) in whole.items():
        longer = np.concatenate([array, array[-1:]])
        flat = array.reshape(-1) if array.ndim > 1 else array.reshape(1, -1)
        wider = np.concatenate([array, array], axis=-1)
        other = {"U8": "I8", "F32": "I32", "F16": "BF16", "BF16": "F16"}[code]
        for part in (
            (code, array[:-1]),
            (code, longer),
            (code, flat),
            (code, wider),
            (code, array[..., :-1]),
            (other, array.view({"U8": np.int8, "F32": np.int32}.get(code, array.dtype))),
        ):
            with pytest.raises(FormatError, match="and should be"):
                opened(memory, whole | {name: part}, described(one))


@pytest.mark.parametrize("scheme", [None, SCHEMES[1], SCHEMES[6]], ids=str)
@pytest.mark.parametrize("structure", ["element", "row", "column", "4x5", "9of20"])
@pytest.mark.parametrize("more", [True, False])
def test_a_mask_that_keeps_more_or_less_than_is_stored_is_an_error(
    store: Store,
    memory: Memory,
    example: Example,
    structure: str,
    scheme: Scheme | None,
    more: bool,
) -> None:
    one = fixed(example, structure, scheme)
    parts = store(Packed(), one.tiles(64), one.form)
    code, mask = parts["w.mask"]
    bits = np.unpackbits(mask.reshape(-1), bitorder="little")
    # a bit in the first byte: none of these is padding
    place = int(np.flatnonzero(bits[:8] != more)[0])
    bits[place] = more
    damaged = np.packbits(bits, bitorder="little").reshape(mask.shape)
    reader = opened(memory, parts | {"w.mask": (code, damaged)}, described(one))
    with pytest.raises(FormatError, match="mask") as error:
        read_all(reader)
    assert error.value.message.startswith("tensor w: ")
    assert error.value.where == "memory.safetensors"


@pytest.mark.parametrize("structure", ["element", "row", "column", "4x5", "9of20", "2of4"])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_record_that_keeps_another_number_is_an_error(
    store: Store, memory: Memory, example: Example, structure: str, by: int
) -> None:
    one = fixed(example, structure, SCHEMES[1])
    unit = {"row": 61, "column": 64, "4x5": 20}.get(structure, 8)
    parts = store(Packed(), one.tiles(64), one.form)
    written = json.loads(described(one)[record.KEY])
    written["tensors"]["w"][1] += by * unit
    strings = described(one) | {record.KEY: json.dumps(written)}
    if structure == "2of4":  # how many are kept follows from the structure
        reader = opened(memory, parts, strings)
        assert reader.read("w", 0, 64).tobytes() == one.stored.tobytes()
        return
    # packed columns may take as many bytes as before: then the mask says what is wrong
    with pytest.raises(FormatError, match=r"should be|does not keep"):
        read_all(opened(memory, parts, strings))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scheme", [one for one in SCHEMES if one is not None], ids=str)
def test_a_scale_or_mean_that_is_not_finite_is_an_error(
    store: Store, memory: Memory, example: Example, scheme: Scheme, bad: float
) -> None:
    one = fixed(example, "row", scheme)
    whole = store(Packed(), one.tiles(64), one.form)
    for name in (name for name, kind in scheme.parameters().items() if kind.dtype):
        code, array = whole[f"w.{name}"]
        damaged = array.copy()
        half = 0x7E00 if np.isnan(bad) else 0x7C00
        special = {"F32": bad, "F16": half, "BF16": 0x7F80, "U8": 0xFF}[code]
        damaged.reshape(-1)[-1] = special
        reader = opened(memory, whole | {f"w.{name}": (code, damaged)}, described(one))
        with pytest.raises(FormatError, match="NaN or infinity"):
            read_all(reader)


@pytest.mark.parametrize(
    ("scheme", "part", "value"),
    [
        (Ternary(bits=2, group_size="channel"), "codes", 0xFF),
        (Fp8(bits=8, group_size="channel"), "codes", 0x7F),
        (Fp8(bits=8, group_size="channel", element="e5m2"), "codes", 0xFC),
        (Nvfp4(bits=4, group_size=16), "global_scale", 0.0),
        (Nvfp4(bits=4, group_size=16), "global_scale", -1.0),
    ],
)
def test_what_stands_for_no_number_is_an_error_that_names_the_tensor(
    store: Store, memory: Memory, example: Example, scheme: Scheme, part: str, value: float
) -> None:
    one = fixed(example, None, scheme)
    whole = store(Packed(), one.tiles(64), one.form)
    code, array = whole[f"w.{part}"]
    damaged = array.copy()
    damaged.reshape(-1)[-1] = value
    reader = opened(memory, whole | {f"w.{part}": (code, damaged)}, described(one))
    with pytest.raises(FormatError, match="tensor w: "):
        read_all(reader)


def test_a_record_of_another_version_is_an_error(
    store: Store, memory: Memory, example: Example
) -> None:
    one = fixed(example, "element", None)
    parts = store(Packed(), one.tiles(64), one.form)
    for version in (0, 2, "1", None):
        written = json.loads(described(one)[record.KEY]) | {"version": version}
        with pytest.raises(FormatError, match="this tool reads version 1"):
            opened(memory, parts, {record.KEY: json.dumps(written)})


def test_a_tensor_that_is_there_packed_and_plain_is_an_error(
    store: Store, memory: Memory, example: Example
) -> None:
    one = fixed(example, "element", SCHEMES[1])
    parts = store(Packed(), one.tiles(64), one.form)
    parts["w"] = ("F32", np.zeros((64, 61), np.float32))
    with pytest.raises(FormatError, match="twice"):
        opened(memory, parts, described(one))


def test_errors_of_another_number_of_tensors_are_refused(
    store: Store, memory: Memory, example: Example
) -> None:
    one = fixed(example, "element", None)
    parts = store(Packed(), one.tiles(64), one.form)
    for damaged in ("[]", "[[1]]", errors_text([(0.0, 1.0, 0.0, 0)] * 2)):
        with pytest.raises(FormatError):
            opened(memory, parts, described(one) | {record.ERRORS_KEY: damaged})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.floats()
    | st.text("0123456789ofx", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


def redrawn(data: st.DataObject, value: Any) -> Any:
    """A record with something else at one place."""
    inner = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    if not inner or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    key, below = data.draw(st.sampled_from(inner))
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[key] = redrawn(data, below)
    return copied


@pytest.mark.parametrize(("structure", "scheme"), CASES, ids=str)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_damaged_only_an_input_error_comes(
    store: Store,
    memory: Memory,
    example: Example,
    structure: str | None,
    scheme: Scheme | None,
    data: st.DataObject,
) -> None:
    one = example((8, 37), "F32", structure, scheme)
    parts = dict(store(Packed(), one.tiles(8), one.form))
    strings = described(one)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from([*sorted(parts), "the record"]))
        if name == "the record":
            written = redrawn(data, json.loads(strings[record.KEY]))
            strings = strings | {record.KEY: json.dumps(written)}
            continue
        code, array = parts[name]
        raw = np.frombuffer(array.tobytes(), np.uint8).copy()
        if raw.size:
            at = data.draw(st.integers(0, raw.size - 1))
            raw[at] = data.draw(st.integers(0, 255))
        parts[name] = (code, raw.view(array.dtype).reshape(array.shape))
    with suppress(InputError):
        read_all(opened(memory, parts, strings))


def test_a_block_may_be_named_far_larger_than_the_tensor(
    store: Store, memory: Memory, example: Example
) -> None:
    one = example((64, 61), "F32", "5x61", None)
    parts = store(Packed(), one.tiles(5), one.form)
    written = json.loads(described(one)[record.KEY])
    written["forms"][0]["sparsity"] = "5x200000"
    strings = described(one) | {record.KEY: json.dumps(written)}
    reader = opened(memory, parts, strings)
    tracemalloc.start()
    try:
        found = reader.read("w", 0, 64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.tobytes() == one.stored.tobytes()
    assert peak < 1024**2


def test_a_tiny_file_cannot_claim_any_size(store: Store, memory: Memory, example: Example) -> None:
    one = fixed(example, "element", None)
    written = json.loads(described(one)[record.KEY])
    written["forms"][0] |= {"shape": [10**11, 8], "sparsity": "column"}
    written["tensors"] = {"w": [0, 0]}
    parts: dict[str, tuple[str, NDArray[Any]]] = {
        "w.values": ("F32", np.zeros((10**11, 0), np.float32)),
        "w.mask": ("U8", np.zeros(1, np.uint8)),
    }
    with pytest.raises(FormatError, match=r"2\.91 TiB of weights in"):
        opened(memory, parts, described(one) | {record.KEY: json.dumps(written)})
