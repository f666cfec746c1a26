from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import FormatError, ModelOptError, UnsupportedError
from compress_core.formats.torch import Torch
from tests.compress_core.formats.torch.assembler import (
    FALSE,
    MAGIC,
    SIX,
    VERSION,
    integer,
    legacy,
    legacy_tensor,
    list_of,
    mapping,
    name,
    pickled,
    text,
    tuple_of,
)
from tests.compress_core.formats.torch.conftest import Open

ROOT = mapping({"x": legacy_tensor()})
TWO = mapping({"x": legacy_tensor(), "y": legacy_tensor("1")})
KEY = pickled(list_of(text("0")))
COUNTED = struct.pack("<q", 6) + SIX
START = MAGIC + VERSION + pickled(b"}") + pickled(ROOT)


def test_data_follow_in_the_order_of_the_keys(opened: Open) -> None:
    other = struct.pack("<6f", *range(6, 12))
    reader = opened(legacy(TWO, {"1": other, "0": SIX}))
    assert reader.read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert reader.read("y", 0, 2).tolist() == [[6, 7, 8], [9, 10, 11]]


def test_data_are_little_endian_whatever_the_writer_was(opened: Open) -> None:
    """So does torch: it swaps the data on big-endian machines, and never reads these facts."""
    facts = mapping({"little_endian": FALSE, "protocol_version": integer(1001)})
    reader = opened(legacy(ROOT, facts=facts))
    assert reader.read("x", 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (legacy(ROOT) + b"\0", "1 bytes after the last storage"),
        (legacy(ROOT)[:-1], "cut short"),
        (legacy(ROOT, counts={"0": 5}), "5 elements, not 6"),
        (legacy(ROOT, counts={"0": -1}), "-1 elements"),
        (legacy(TWO), "no data for storage '1'"),
        (legacy(ROOT, {"0": SIX, "1": SIX}), "no tensor has"),
        (START + pickled(list_of(text("0"), text("0"))) + COUNTED * 2, "twice"),
        (START + pickled(list_of(integer(0))) + COUNTED, "no tensor has"),
        (START + pickled(list_of(b"]")) + COUNTED, "no tensor has"),
        (START + pickled(tuple_of(text("0"))) + COUNTED, "are no list"),
        (MAGIC + MAGIC + START[len(MAGIC + VERSION) :] + KEY + COUNTED, "not the version"),
        (MAGIC + VERSION + pickled(b"]"), "no dictionary"),
        (MAGIC, "cut short"),
        (b"\x80\x02]" + MAGIC[2:-1] + b"a." + START[len(MAGIC) :] + KEY, "not the magic number"),
    ],
)
def test_broken(opened: Open, content: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        opened(content)


@pytest.mark.parametrize("place", range(5))
def test_every_pickle_is_read_as_data(opened: Open, place: int) -> None:
    pieces = [MAGIC, VERSION, pickled(b"}"), pickled(ROOT), KEY]
    # the number is there, and what is done with it is not what it looks like
    evil = name("os", "system") + tuple_of(MAGIC[2:-1]) + b"R"
    pieces[place] = pickled(evil)
    with pytest.raises(UnsupportedError, match=r"os\.system"):
        opened(b"".join(pieces) + COUNTED)


def test_a_pickle_of_something_else(opened: Open) -> None:
    for protocol in range(2, 6):
        with pytest.raises(UnsupportedError, match=r"that torch\.save did not write") as caught:
            opened(bytes([0x80, protocol]) + b"}.")
        assert caught.value.hint


def test_cut_at_every_byte(opened: Open) -> None:
    content = legacy(ROOT)
    for end in range(len(content)):
        with pytest.raises(ModelOptError):
            opened(content[:end])


@given(data=st.data())
def test_changed_bytes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A changed file is an error of this house, or can be read to its end."""
    content = bytearray(legacy(TWO, {"0": SIX, "1": SIX}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("changed") / "model.pt"
    path.write_bytes(content)
    with suppress(ModelOptError), Torch.open(path) as reader:
        for tensor, info in reader.infos.items():
            assert reader.read(tensor, 0, info.matrix[0]).nbytes == info.nbytes
