"""Ten thousand broken headers: the verdict of the safetensors library, and one type of error."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors

from compress_core.errors import InputError
from compress_core.formats.safetensors import Safetensors

MUTANTS = 2500
"""For each of the headers below."""

# what the reference accepts and this reader does not, by design: see header.py
STRICTER = re.compile(
    "does not begin with a brace|stands there twice|not an object|dtype is not a string"
    "|an integer of|unknown dtype|lone surrogate"
)

INSERTED = [b"0", b"-", b"9" * 20, b"1e3", b'"', b"\\", b" ", b"[]", b"{}", b",", b"null", b"\0"]
WORDS = [
    (b"F32", b"F16"),
    (b"F32", b"I32"),
    (b"F32", b"U32"),
    (b"F32", b"F4"),
    (b'"F32"', b'{"F32":null}'),
    (b'"shape"', b'"more":[1.5,{}],"shape"'),
    (b"BF16", b"F999"),
    (b"shape", b"shap"),
    (b"data_offsets", b"shape"),
    (b"[", b"{"),
    (b":", b","),
    (b'"', b"'"),
    (b"weight", b"\\ud800"),
    (b"weight", b"bias"),
]
NUMBERS = [0, 1, 2, 4, 8, 24, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30]

Change = Callable[[random.Random, bytearray], None]


def flip_bits(rng: random.Random, text: bytearray) -> None:
    for _ in range(rng.randint(1, 3)):
        text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)


def replace_a_byte(rng: random.Random, text: bytearray) -> None:
    text[rng.randrange(len(text))] = rng.randrange(256)


def delete(rng: random.Random, text: bytearray) -> None:
    at = rng.randrange(len(text))
    del text[at : at + rng.randint(1, 4)]


def insert(rng: random.Random, text: bytearray) -> None:
    at = rng.randrange(len(text))
    text[at:at] = rng.choice(INSERTED)


def truncate(rng: random.Random, text: bytearray) -> None:
    del text[rng.randrange(1, len(text)) :]


def splice(rng: random.Random, text: bytearray) -> None:
    """A piece of the header, of up to a whole entry, stands somewhere else as well or instead."""
    start, at = rng.randrange(len(text)), rng.randrange(len(text))
    piece = text[start : start + rng.randint(1, 80)]
    text[at : at + rng.choice([0, len(piece)])] = piece


def edit_a_number(rng: random.Random, text: bytearray) -> None:
    places = [match.span() for match in re.finditer(rb"-?\d+", text)]
    if places:
        start, stop = rng.choice(places)
        number = int(text[start:stop]) + rng.choice([-1, 1])
        text[start:stop] = str(rng.choice([number, *NUMBERS])).encode()


def edit_a_word(rng: random.Random, text: bytearray) -> None:
    old, new = rng.choice(WORDS)
    places = [match.span() for match in re.finditer(re.escape(old), text)]
    if places:
        start, stop = rng.choice(places)
        text[start:stop] = new


def space(rng: random.Random, text: bytearray) -> None:
    """White space where JSON allows it, and the like where it does not."""
    places = [match.end() for match in re.finditer(rb"[\[\]{},:]", text)]
    at = rng.choice([0, *places])
    text[at:at] = rng.choice([b" ", b"\n", b"\t ", b"\r\n", b"\v", b"\0", b"\xc2\xa0"])


def repeat_an_entry(rng: random.Random, text: bytearray) -> None:
    entries = [match.span() for match in re.finditer(rb'"[^"]*": ?\{[^{}]*\}', text)]
    if entries:
        start, stop = rng.choice(entries)
        text[start:start] = text[start:stop] + b", "


CHANGES: list[Change] = [
    flip_bits,
    replace_a_byte,
    delete,
    insert,
    truncate,
    splice,
    edit_a_number,
    edit_a_word,
    space,
    repeat_an_entry,
]


def mutant(rng: random.Random, text: bytes) -> bytes:
    """A header with one to three changes."""
    changed = bytearray(text)
    for _ in range(rng.choice([1, 1, 2, 3])):
        if changed:
            rng.choice(CHANGES)(rng, changed)
    return bytes(changed)


def made_up() -> tuple[bytes, bytes]:
    """A header with a bit of everything, and its data."""
    header = {
        "__metadata__": {"format": "pt", "ü": "\n"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b.weight": {"dtype": "BF16", "shape": [0, 4], "data_offsets": [24, 24]},
        "c": {"dtype": "U8", "shape": [8], "data_offsets": [24, 32]},
        "d\n": {"dtype": "F4", "shape": [2, 2], "data_offsets": [32, 34]},
        "scalar": {"dtype": "F64", "shape": [], "data_offsets": [34, 42]},
    }
    return json.dumps(header).encode(), bytes(42)


def first_of(path: Path, count: int = 6) -> tuple[bytes, bytes]:
    """The header of a real file, cut down to its first tensors, and their data."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__", {})
    by_place = sorted(header.items(), key=lambda item: int(item[1]["data_offsets"][0]))
    kept = dict(by_place[:count])
    end = max(entry["data_offsets"][1] for entry in kept.values())
    return json.dumps({"__metadata__": metadata, **kept}).encode(), content[start : start + end]


@pytest.fixture
def headers(samples: Path) -> dict[str, tuple[bytes, bytes]]:
    names = ("fracast.safetensors", "silero_vad_16k.safetensors", "digits/digits.safetensors")
    return {"made up": made_up(), **{name: first_of(samples / name) for name in names}}


def theirs(content: bytes) -> dict[str, tuple[str, list[int]]] | None:
    """What the library reads, name → dtype and shape; ``None`` if it refuses."""
    try:
        found = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return None
    return {name: (str(one["dtype"]), list(one["shape"])) for name, one in found}


def ours(path: Path) -> dict[str, tuple[str, list[int]]] | str:
    """What our reader reads, or the words in which it refuses. No other error may come."""
    try:
        with Safetensors.open(path) as reader:
            return {
                name: (info.dtype.code, list(info.shape)) for name, info in reader.infos.items()
            }
    except InputError as error:
        said, where = error.message, error.where
    assert where == str(path)
    assert said.isprintable(), "names from files cannot drive a terminal"
    return said


@pytest.mark.parametrize(
    "name",
    ["made up", "fracast.safetensors", "silero_vad_16k.safetensors", "digits/digits.safetensors"],
)
def test_mutants_get_the_verdict_of_the_library(
    name: str, headers: dict[str, tuple[bytes, bytes]], tmp_path: Path
) -> None:
    rng = random.Random(name)
    text, data = headers[name]
    path = tmp_path / "x.safetensors"
    verdicts: Counter[str] = Counter()
    for number in range(MUTANTS):
        header = mutant(rng, text) if number else text
        content = len(header).to_bytes(8, "little") + header + data
        path.write_bytes(content)
        found, wanted = ours(path), theirs(content)
        if wanted is None:
            assert isinstance(found, str), header
            verdicts["refused"] += 1
        elif isinstance(found, str):
            assert STRICTER.search(found), (found, header)
            verdicts["stricter"] += 1
        else:
            assert found == wanted, header
            verdicts["accepted"] += 1
    assert verdicts.total() == MUTANTS
    assert verdicts["accepted"] > MUTANTS // 50, "the mutants are too broken to tell anything"
    assert verdicts["refused"] > MUTANTS // 2
    assert 0 < verdicts["stricter"] < MUTANTS // 10


@pytest.mark.parametrize("seed", range(3))
def test_lengths_and_cuts_get_the_verdict_of_the_library(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    text, data = made_up()
    path = tmp_path / "x.safetensors"
    whole = len(text).to_bytes(8, "little") + text + data
    for _ in range(300):
        content = bytearray(whole)
        kind = rng.randrange(4)
        if kind == 0:
            length = rng.choice([0, 1, len(text) - 1, len(text) + 1, 10**8, 2**63, 2**64 - 1])
            content[:8] = length.to_bytes(8, "little")
        elif kind == 1:
            del content[rng.randrange(len(content)) :]
        elif kind == 2:
            content += rng.randbytes(rng.randint(1, 9))
        else:
            content[rng.randrange(8)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        found = ours(path)
        if theirs(bytes(content)) is None:
            assert isinstance(found, str), bytes(content[:8])
        else:
            assert not isinstance(found, str) or STRICTER.search(found), found
