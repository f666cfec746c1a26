from __future__ import annotations

import pytest

from compress_core.errors import FormatError, UnsupportedError
from tests.compress_core.formats.torch.assembler import (
    FALSE,
    NONE,
    ORDERED,
    call,
    integer,
    legacy,
    list_of,
    mapping,
    name,
    sizes,
    storage,
    tensor,
    tensor_v3,
    text,
    tuple_of,
    untyped,
    zipped,
)
from tests.compress_core.formats.torch.conftest import Open

CLASSES = {
    "Float": "F32",
    "Double": "F64",
    "Half": "F16",
    "BFloat16": "BF16",
    "Long": "I64",
    "Int": "I32",
    "Short": "I16",
    "Char": "I8",
    "Byte": "U8",
    "Bool": "BOOL",
    "ComplexFloat": "C64",
}
DTYPES = {
    "float32": "F32",
    "bfloat16": "BF16",
    "int64": "I64",
    "bool": "BOOL",
    "complex64": "C64",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
UTILS = "torch._utils"
SPAN = [integer(0), sizes(2, 3), sizes(3, 1)]
REST = [FALSE, ORDERED]


def one(root: bytes) -> bytes:
    return zipped(mapping({"x": root}))


@pytest.mark.parametrize("held", CLASSES)
def test_storages(opened: Open, held: str) -> None:
    width = {"64": 8, "32": 4, "16": 2}.get(CLASSES[held].lstrip("BFCIU"), 1)
    data = bytes(range(6 * width))
    made = zipped(mapping({"x": tensor(storage(held=f"{held}Storage"))}), {"0": data})
    reader = opened(made)
    assert reader.infos["x"].dtype.code == CLASSES[held]
    assert reader.read_bytes("x", 0, 6 * width) == data


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_untyped_storages(opened: Open, dtype: str) -> None:
    data = bytes(range(24))
    made = zipped(mapping({"x": tensor_v3(untyped(), dtype, (3,), (1,))}), {"0": data})
    reader = opened(made)
    info = reader.infos["x"]
    assert info.dtype.code == DTYPES[dtype]
    assert reader.read_bytes("x", 0, info.nbytes) == data[: info.nbytes]


def test_an_offset_of_an_untyped_storage_is_in_elements(opened: Open) -> None:
    x = tensor_v3(untyped(), "uint16", (2, 2), (1, 5), offset=4)
    reader = opened(zipped(mapping({"x": x}), {"0": bytes(range(24))}))
    assert reader.read_bytes("x", 0, 8) == bytes([8, 9, 18, 19, 10, 11, 20, 21])


@pytest.mark.parametrize(
    "root",
    [
        tensor(),
        tensor(metadata=NONE),
        tensor(metadata=b"}"),
        call(UTILS, "_rebuild_tensor", storage(), *SPAN),
        call(UTILS, "_rebuild_parameter", tensor(), b"\x88", ORDERED),
        call(UTILS, "_rebuild_tensor_v2", storage(), *SPAN, FALSE, NONE),
        call(
            UTILS,
            "_rebuild_tensor_v2",
            storage(),
            integer(0),
            call("torch", "Size", sizes(2, 3)),
            sizes(3, 1),
            *REST,
        ),
    ],
)
def test_ways_to_write_a_tensor(opened: Open, root: bytes) -> None:
    reader = opened(one(root))
    assert reader.infos["x"].shape == (2, 3)
    assert reader.read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]


BOUNDS = [  # shape, strides, offset, whether six elements are enough
    ((6,), (1,), 0, True),
    ((6,), (1,), 1, False),
    ((7,), (1,), 0, False),
    ((), (), 5, True),
    ((), (), 6, False),
    ((3,), (2,), 1, True),
    ((3,), (2,), 2, False),
    ((2, 3), (0, 1), 3, True),
    ((2, 3), (1, 2), 0, True),
    ((2, 3), (2, 2), 0, False),
    ((100,), (0,), 5, True),
    ((0,), (1,), 6, True),
    ((0,), (1,), 7, False),
    ((0, 1 << 40), (1, 1), 0, True),
    ((2,), (1 << 62,), 0, False),
    ((0, 1 << 40, 1 << 40), (1, 1, 1), 0, False),  # overflows on the way to 0
    ((1 << 62, 1 << 62), (0, 0), 0, False),
    ((1,), (1 << 62,), 5, True),
]


@pytest.mark.parametrize(("shape", "strides", "offset", "fits"), BOUNDS)
def test_bounds(
    opened: Open, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, fits: bool
) -> None:
    made = one(tensor(shape=shape, strides=strides, offset=offset))
    if fits:
        assert opened(made).infos["x"].shape == shape
    else:
        with pytest.raises(FormatError, match=r"past the end|overflows"):
            opened(made)


def v2(*arguments: bytes) -> bytes:
    return call(UTILS, "_rebuild_tensor_v2", *arguments)


@pytest.mark.parametrize(
    "root",
    [
        v2(),
        v2(storage(), *SPAN),
        v2(storage(), *SPAN, *REST, NONE, NONE),
        v2(NONE, *SPAN, *REST),
        v2(text("0"), *SPAN, *REST),
        v2(tensor(), *SPAN, *REST),
        v2(storage(), NONE, *SPAN[1:], *REST),
        v2(storage(), integer(-1), *SPAN[1:], *REST),
        v2(storage(), b"\x88", *SPAN[1:], *REST),
        v2(storage(), integer(0), sizes(-2, -3), sizes(3, 1), *REST),
        v2(storage(), integer(0), sizes(2, 3), sizes(-3, 1), *REST),
        v2(storage(), integer(0), sizes(2, 3), sizes(1), *REST),
        v2(storage(), integer(0), list_of(integer(6)), sizes(1), *REST),
        v2(storage(), integer(0), tuple_of(b"\x88"), sizes(1), *REST),
        v2(storage(), integer(0), tuple_of(b"G" + b"\0" * 8), sizes(1), *REST),
        v2(storage(), integer(0), sizes(1 << 63), sizes(0), *REST),
        v2(storage(), *SPAN, NONE, ORDERED),
        v2(storage(), *SPAN, FALSE, text("hooks")),
        v2(storage(), *SPAN, *REST, text("metadata")),
        v2(untyped(), *SPAN, *REST),
        call(UTILS, "_rebuild_tensor", storage(), *SPAN, *REST),
        call(UTILS, "_rebuild_parameter", storage(), FALSE, ORDERED),
        call(UTILS, "_rebuild_parameter", tensor()),
        tensor_v3(storage(), "float32", (6,), (1,)),
        call(UTILS, "_rebuild_tensor_v3", untyped(), *SPAN, *REST, text("float32")),
        call(UTILS, "_rebuild_tensor_v3", untyped(), *SPAN, *REST),
        name("torch", "FloatStorage") + tuple_of(integer(1 << 40)) + b"R",
        # persistent ids
        NONE + b"Q",
        tuple_of() + b"Q",
        integer(0) + b"Q",
        tuple_of(text("storage"), name("torch", "FloatStorage")) + b"Q",
        tuple_of(text("module"), *[NONE] * 4) + b"Q",
        tuple_of(text("storage"), text("FloatStorage"), *[text("0")] * 2, integer(6)) + b"Q",
        tuple_of(text("storage"), name("torch", "float32"), *[text("0")] * 2, integer(6)) + b"Q",
        tuple_of(
            text("storage"), name("torch", "FloatStorage"), integer(0), text("cpu"), integer(6)
        )
        + b"Q",
        storage(count=-1),
        storage(count=1 << 63),
        storage(view=NONE),  # only in files before torch 1.6
        tuple_of(tensor(), tensor(storage(held="IntStorage"))),
        tuple_of(tensor(), tensor(storage(count=7))),
        tuple_of(tensor(), tensor(untyped())),
    ],
)
def test_wrong_arguments(opened: Open, root: bytes) -> None:
    with pytest.raises(FormatError, match="broken pickle"):
        opened(one(root))


def test_conjugated_tensors_are_refused_by_name(opened: Open) -> None:
    flags = mapping({"conj": b"\x88"})
    with pytest.raises(UnsupportedError, match="conjugated or negated") as caught:
        opened(one(tensor(metadata=flags)))
    assert "resolve_conj" in (caught.value.hint or "")


def test_too_many_dimensions(opened: Open) -> None:
    assert opened(one(tensor(shape=(1,) * 64, strides=(1,) * 64))).infos["x"].shape == (1,) * 64
    with pytest.raises(UnsupportedError, match="65 dimensions"):
        opened(one(tensor(shape=(1,) * 65, strides=(1,) * 65)))


def view(key: str, first: int, length: int) -> bytes:
    return tuple_of(text(key), integer(first), integer(length))


def test_parts_of_storages(opened: Open) -> None:
    x = tensor(storage(view=view("v", 2, 4)), (2, 2), (2, 1))
    y = tensor(storage(view=view("w", 3, 3)), (2,), (1,), offset=1)
    reader = opened(legacy(mapping({"x": x, "y": y})))
    assert reader.read("x", 0, 2).tolist() == [[2, 3], [4, 5]]
    assert reader.read("y", 0, 1).tolist() == [[4, 5]]


@pytest.mark.parametrize(
    "part",
    [
        view("v", 3, 4),
        view("v", -1, 4),
        view("v", 2, -4),
        view("v", 2, 3),  # the tensor has four elements
        tuple_of(integer(1), integer(2), integer(4)),
        tuple_of(text("v"), integer(2)),
        list_of(text("v"), integer(2), integer(4)),
        text("v"),
    ],
)
def test_wrong_parts_of_storages(opened: Open, part: bytes) -> None:
    with pytest.raises(FormatError, match="broken pickle"):
        opened(legacy(mapping({"x": tensor(storage(view=part), (2, 2), (2, 1))})))
