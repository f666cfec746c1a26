from __future__ import annotations

import string
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import FormatError, ModelOptError, UnsupportedError
from compress_core.formats.torch.budget import Budget
from compress_core.formats.torch.feed import Feed
from compress_core.formats.torch.machine import load
from compress_core.formats.torch.rebuild import Rebuild
from compress_core.formats.torch.records import DTypeName, Ordered, StorageClass
from tests.compress_core.formats.torch.assembler import (
    NONE,
    ORDERED,
    PROTO,
    STOP,
    call,
    integer,
    list_of,
    mapping,
    name,
    sizes,
    text,
    tuple_of,
)


def loaded(pickle: bytes) -> object:
    budget = Budget(len(pickle), "file.pt")
    feed = Feed(lambda start, stop: pickle[start:stop], 0, len(pickle), "file.pt")
    return load(feed, Rebuild(budget, "file.pt", views=False), budget)


def error_of(pickle: bytes) -> ModelOptError | None:
    try:
        loaded(pickle)
    except ModelOptError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("opcodes", "value"),
    [
        (b"N", None),
        (b"\x88", True),
        (b"\x89", False),
        (b"K\xff", 255),
        (b"M\x00\x01", 256),
        (b"J\xff\xff\xff\xff", -1),
        (b"\x8a\x00", 0),
        (b"\x8a\x01\xff", -1),
        (integer(1 << 70), 1 << 70),
        (b"G" + struct.pack(">d", 0.1), 0.1),
        (b"X\x02\x00\x00\x00\xc3\xa9", "é"),
        (b"\x8c\x01a", "a"),
        (b"U\x02\xc3\xa9", "é"),
        (b"T\x01\x00\x00\x00a", "a"),
        (b")", ()),
        (b"]", []),
        (b"}", {}),
        (b"\x8f", frozenset()),
        (b"(NNt", (None, None)),
        (b"N\x85", (None,)),
        (b"N\x88\x86", (None, True)),
        (b"N\x88\x89\x87", (None, True, False)),
        (b"]Na", [None]),
        (b"](NNe", [None, None]),
        (b"}K\x01Ns", {1: None}),
        (b"}(K\x01NX\x01\x00\x00\x00aNNNu", {1: None, "a": None, None: None}),
        (b"(N(t)(Ntt", (None, (), (), (None,))),
        (b"(]q\x00Nah\x00t", ([None], [None])),
        (b"(]r\x00\x00\x00\x00j\x00\x00\x00\x00t", ([], [])),
        (b"(]\x94}\x94h\x01h\x00t", ([], {}, {}, [])),
        (b"(]q\x01h\x01t", ([], [])),  # Python 2 counts from 1
        (b"(Nq\x00]q\x00h\x00t", (None, [], [])),
        (b"\x95\x01\x00\x00\x00\x00\x00\x00\x00N", None),
        (name("torch", "Size") + tuple_of(sizes(2, 3)) + b"R", (2, 3)),
        (call("torch", "device", text("cuda"), integer(0)), "cuda"),
        (ORDERED + NONE + b"b", {}),
        (call("collections", "OrderedDict", list_of(list_of(text("a"), NONE))), {"a": None}),
        (call("collections", "OrderedDict", list_of(tuple_of(text("a"), NONE))), {"a": None}),
    ],
)
def test_values(opcodes: bytes, value: object) -> None:
    assert loaded(PROTO + opcodes + STOP) == value
    assert type(loaded(PROTO + opcodes + STOP)) in (type(value), Ordered)


def test_markers() -> None:
    assert isinstance(loaded(name("torch", "FloatStorage") + STOP), StorageClass)
    found = loaded(text("torch") + text("bfloat16") + b"\x93.")
    assert isinstance(found, DTypeName)
    assert found.dtype.code == "BF16"


@pytest.mark.parametrize("protocol", range(6))
def test_protocols(protocol: int) -> None:
    assert loaded(bytes([0x80, protocol]) + b"N.") is None


ACCEPTED = (
    b"\x80\x95.(N\x88\x89JKM\x8aGX\x8cUT)t\x85\x86\x87]ae}su\x8fqr\x94hjc\x93RQb"  # the rules
)


@pytest.mark.parametrize("code", [code for code in range(256) if code not in ACCEPTED])
def test_refused_opcodes(code: int) -> None:
    """Each of them, with a stack that Python's own machine could work on."""
    rest = b"1\n\x00\x00\x00\x00\x00\x00\x00\x00\n."
    with pytest.raises((FormatError, UnsupportedError), match=r"opcode|its pickle uses"):
        loaded(PROTO + b"]](NN" + bytes([code]) + rest)


@pytest.mark.parametrize("code", sorted(ACCEPTED))
def test_accepted_opcodes_on_nothing(code: int) -> None:
    """Every opcode meets an empty stack, and the end of the file."""
    for rest in (b"", b".", b"\x00" * 20 + b"."):
        error = error_of(bytes([code]) + rest)
        assert error is None or error.where == "file.pt"


@pytest.mark.parametrize(
    "opcodes",
    [
        b"N\x80\x02.",  # PROTO in between
        b"\x80\x06N.",  # a protocol that does not exist
        b"\x95\xff\x00\x00\x00\x00\x00\x00\x00N.",  # a frame larger than the rest
        b".",
        b"NN.",
        b"(N.",
        b"t.",
        b"N(\x85.",  # below the mark
        b"(N(a.",
        b"N(R.",
        b"NNa.",
        b"(NNe.",
        b"]NNs.",
        b"](NNu.",
        b"}(Nu.",
        b")NNs.",
        b"}]Ns.",  # a list for a key
        b"}}Ns.",
        b"})Ns.",
        b"}(K\x01NK\x01Nu.",  # a key twice
        b"}(K\x01N\x88Nu.",  # True is 1
        b"}G\x7f\xf0\x00\x00\x00\x00\x00\x00Ns.",  # infinity
        b"}G\x7f\xf8\x00\x00\x00\x00\x00\x00Ns.",  # NaN
        b"}\x8a\x09" + b"\xff" * 8 + b"\x00Ns.",  # 2**64 - 1
        b"h\x00.",
        b"j\xff\xff\xff\xff.",
        b"q\x00.",
        b"\x94.",
        b"Nr\xff\xff\xff\x0f.",  # nine bytes that cost Python 4 GB
        b"Nq\x05h\x02.",  # a place that was left free
        b"X\xff\xff\xff\xffa.",
        b"X\x01\x00\x00\x00\xff.",
        b"T\xff\xff\xff\xff.",
        b"U\x01\xff.",
        b"c\xff\n\n.",
        b"cos\n",
        b"c" + b"a" * 1000 + b"\n\n.",
        b"NN\x93.",
        b"NNR.",
        b"}NR.",
        b"NQ.",
        b"}Nb.",  # a state for what is no OrderedDict
        b"]Nb.",
        name("torch", "FloatStorage") + b")R.",
        name("torch", "float32") + b")R.",
        name("collections", "OrderedDict") + b"}R.",
        call("collections", "OrderedDict", NONE) + STOP,
        call("collections", "OrderedDict", list_of(list_of(NONE))) + STOP,
        call("torch", "Size", NONE) + STOP,
        call("torch", "device") + STOP,
    ],
)
def test_broken(opcodes: bytes) -> None:
    with pytest.raises(FormatError, match="broken pickle"):
        loaded(opcodes)


def test_a_value_is_not_taken_from_below_a_mark() -> None:
    with pytest.raises(FormatError, match="no value to work on"):
        loaded(PROTO + b"]N(a.")


@pytest.mark.parametrize(
    ("module", "attribute", "said"),
    [
        ("os", "system", "a foreign class: os.system"),
        ("posix", "system", "a foreign class: posix.system"),
        ("builtins", "eval", "a foreign class: builtins.eval"),
        ("builtins", "set", "a foreign class"),
        ("builtins", "bytearray", "a foreign class"),
        ("collections", "Counter", "a foreign class"),
        ("_codecs", "encode", "a foreign class"),
        ("numpy.core.multiarray", "_reconstruct", "a foreign class"),
        ("torch.nn.modules.linear", "Linear", "a foreign class: torch.nn.modules.linear.Linear"),
        ("torch.storage", "_load_from_bytes", "a foreign class"),
        ("torch", "load", "a foreign class: torch.load"),
        ("torch._utils", "_rebuild_sparse_tensor", "a sparse tensor"),
        ("torch._utils", "_rebuild_qtensor", "a quantized tensor"),
        ("torch._utils", "_rebuild_meta_tensor_no_storage", "a meta tensor"),
        ("torch._tensor", "_rebuild_from_type_v2", "a tensor of a subclass"),
        ("torch", "ComplexDoubleStorage", "complex128"),
        ("torch", "float4_e2m1fn_x2", "dtype float4_e2m1fn_x2"),
        # whole strings are compared, and dots are never followed
        ("torch.", "FloatStorage", "a foreign class"),
        ("torch", "FloatStorage ", "a foreign class"),
        ("torch", "_utils._rebuild_tensor", "a foreign class"),
        ("collections.OrderedDict", "fromkeys", "a foreign class"),
        ("collections", "OrderedDict.fromkeys", "a foreign class"),
        ("", "", "a foreign class"),
    ],
)
def test_foreign_names(module: str, attribute: str, said: str) -> None:
    for opcodes in (name(module, attribute), text(module) + text(attribute) + b"\x93"):
        with pytest.raises(UnsupportedError, match=said):
            loaded(PROTO + opcodes + STOP)


def test_a_foreign_name_cannot_drive_the_terminal() -> None:
    with pytest.raises(UnsupportedError) as caught:
        loaded(text("\x1b[31m\n") + text("x" * 500) + b"\x93.")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


WORDS = st.text(string.ascii_letters + "._ ", max_size=20) | st.sampled_from(
    ["os", "torch", "torch._utils", "collections", "builtins", "system", "eval", "OrderedDict"]
)
LISTED = {("collections", "OrderedDict")}


@given(WORDS, WORDS)
def test_random_names_are_refused(module: str, attribute: str) -> None:
    if (module, attribute) not in LISTED:
        with pytest.raises(UnsupportedError):
            loaded(text(module) + text(attribute) + b"\x93.")


@given(st.binary(max_size=60))
def test_random_bytes(pickle: bytes) -> None:
    """Anything is a value or an error of this house."""
    error = error_of(PROTO + pickle)
    assert error is None or error.message.isprintable()


@given(st.lists(st.sampled_from([bytes([code]) for code in ACCEPTED]), max_size=40))
def test_random_opcodes(codes: list[bytes]) -> None:
    error = error_of(mapping({"a": ORDERED}) + b"".join(codes) + STOP)
    assert error is None or error.message.isprintable()
