"""Broken files: each is told by a seed and a number, on every machine the same."""

from __future__ import annotations

import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

from tests.fuzz.sources import Source, sources

Change = Callable[[random.Random, bytearray], None]

_NUMBERS = [
    *(0, 1, 2, 3, 4, 7, 8, 16, 64, 127, 128, 255, 256, 4096, 65535, 65536, 10**6),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1),
]
_OPCODES = b"N\x88\x89KMJ\x8aGXUT)]}(t\x85\x86\x87aesuqrhjcRbQ.\x94\x93\x8c\x8f\x95\x80"
_WORDS = [
    *(b"0", b"-", b"9" * 20, b'"', b"\\", b"[]", b"{}", b",", b"null", b"\0", b"\n", b"../"),
    *(b"<f4", b">f8", b"|O", b"True", b"F32", b"F4", b"BOOL", b"shape", b"data.pkl"),
    *(b"FloatStorage", b"HalfStorage", b"UntypedStorage", b"_rebuild_tensor_v3", b"OrderedDict"),
]
_RECORDS = re.compile(rb"PK(\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07|\x07\x08)")
_LONGEST_RECORD = 56

_SUFFIXES = (".safetensors", ".pt", ".bin", ".npy", ".npz", ".dat")


@dataclass(frozen=True)
class Mutant:
    """Files to be written, and which of them is to be opened.

    :ivar opened: its name; ``"."`` is the folder that all of them are in.
    """

    seed: int
    number: int
    source: str
    files: Mapping[str, bytes]
    opened: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))


def mutant(seed: int, number: int) -> Mutant:
    """The mutant of that number."""
    rng = random.Random(f"{seed}/{number}")
    source = _source(rng)
    name = rng.choice(sorted(source.files))
    content = _mutated(rng, source.files[name])
    if source.is_folder:
        return Mutant(seed, number, source.name, {**source.files, name: content}, ".")
    called = _renamed(rng, name)
    return Mutant(seed, number, source.name, {called: content}, called)


def _source(rng: random.Random) -> Source:
    """Mostly a good one, as two faults hide each other; rarely a large one, as those take time."""
    good = rng.random() < 0.7
    while True:
        found = rng.choice(sources())
        if found.is_good >= good and (found.is_small or rng.random() < 0.1):
            return found


def _renamed(rng: random.Random, name: str) -> str:
    """Now and then another suffix, which must not lead to another reading."""
    stem, _, _ = name.rpartition(".")
    return stem + rng.choice(_SUFFIXES) if rng.random() < 0.05 else name


def _mutated(rng: random.Random, content: bytes) -> bytes:
    if content[:2] == b"PK" and rng.random() < 0.5:
        inside = _inside_an_archive(rng, content)
        if inside is not None:
            return inside
    return _changed(rng, content, CHANGES)


def _changed(rng: random.Random, content: bytes, changes: list[Change]) -> bytes:
    text = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if text:
            rng.choice(changes)(rng, text)
    return bytes(text)


def _inside_an_archive(rng: random.Random, content: bytes) -> bytes | None:
    """One member is changed, and the archive is made anew: all its numbers and CRCs are right.

    ``None``: it is too broken for that.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [(one, archive.read(one)) for one in archive.infolist()]
    except Exception:
        return None
    if not members:
        return None
    chosen = _member(rng, [one.filename for one, _ in members])
    made = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for index, (info, data) in enumerate(members):
            inner = _changed(rng, data, INNER) if index == chosen else data
            method = zipfile.ZIP_DEFLATED if info.compress_type else zipfile.ZIP_STORED
            written = zipfile.ZipInfo(info.filename)
            archive.writestr(written, inner, method)
    return made.getvalue()


def _member(rng: random.Random, names: list[str]) -> int:
    """Where there is a pickle, it is the member that says most."""
    pickles = [index for index, name in enumerate(names) if name.endswith("data.pkl")]
    return rng.choice(pickles if pickles and rng.random() < 0.8 else range(len(names)))


def _place(rng: random.Random, text: bytearray) -> int:
    """Headers stand at the beginning of a file, directories at its end."""
    size = len(text)
    if size > 4096 and rng.random() < 0.8:
        return rng.choice((rng.randrange(2048), size - 1 - rng.randrange(1024)))
    return rng.randrange(size)


def flip_bits(rng: random.Random, text: bytearray) -> None:
    """Up to three bits are the other way."""
    for _ in range(rng.randint(1, 3)):
        text[_place(rng, text)] ^= 1 << rng.randrange(8)


def replace_a_byte(rng: random.Random, text: bytearray) -> None:
    """A byte is any other, or one more or less."""
    at = _place(rng, text)
    text[at] = rng.choice((rng.randrange(256), (text[at] + 1) % 256, (text[at] - 1) % 256))


def replace_an_opcode(rng: random.Random, text: bytearray) -> None:
    """A byte is an opcode of a pickle; it may have been one before."""
    text[_place(rng, text)] = rng.choice(_OPCODES)


def insert_an_opcode(rng: random.Random, text: bytearray) -> None:
    """An opcode of a pickle stands somewhere."""
    at = _place(rng, text)
    text[at:at] = bytes([rng.choice(_OPCODES)])


def delete(rng: random.Random, text: bytearray) -> None:
    """A few bytes are missing."""
    at = _place(rng, text)
    del text[at : at + rng.choice((1, 2, 4, 5, 30))]


def insert(rng: random.Random, text: bytearray) -> None:
    """A few bytes, or a word, stand somewhere."""
    at = _place(rng, text)
    text[at:at] = rng.choice((rng.choice(_WORDS), rng.randbytes(rng.randint(1, 9))))


def overwrite(rng: random.Random, text: bytearray) -> None:
    """A word stands where something else was."""
    at, word = _place(rng, text), rng.choice(_WORDS)
    text[at : at + len(word)] = word


def truncate(rng: random.Random, text: bytearray) -> None:
    """The end is missing."""
    del text[_place(rng, text) :]


def cut_the_beginning(rng: random.Random, text: bytearray) -> None:
    """The beginning is missing."""
    del text[: rng.choice((1, 2, 4, 8, _place(rng, text)))]


def splice(rng: random.Random, text: bytearray) -> None:
    """A piece stands somewhere else as well, or instead of what was there."""
    start, at = _place(rng, text), _place(rng, text)
    piece = text[start : start + rng.choice((1, 2, 8, 30, 80, 400))]
    text[at : at + rng.choice((0, len(piece)))] = piece


def splice_another(rng: random.Random, text: bytearray) -> None:
    """From some place on, or for a while, it is another file."""
    other = rng.choice([one for one in sources() if one.is_small])
    content = other.files[rng.choice(sorted(other.files))]
    start, at = rng.randrange(len(content) + 1), _place(rng, text)
    if rng.random() < 0.5:
        text[at:] = content[start:]
    else:
        piece = content[start : start + rng.choice((4, 30, 80, 400))]
        text[at : at + rng.choice((0, len(piece)))] = piece


def edit_digits(rng: random.Random, text: bytearray) -> None:
    """A number that is written in digits is another one."""
    places = [match.span() for match in re.finditer(rb"\d+", bytes(text[:8192]))]
    if places:
        start, stop = rng.choice(places)
        if stop - start <= 20:
            number = int(text[start:stop]) + rng.choice((-1, 1))
            text[start:stop] = str(rng.choice((number, rng.choice(_NUMBERS)))).encode()


def edit_a_number(rng: random.Random, text: bytearray) -> None:
    """Two, four or eight bytes are a number that is likely to break something."""
    at, form = _place(rng, text), rng.choice(("<H", "<I", "<Q", ">I"))
    width = struct.calcsize(form)
    text[at : at + width] = struct.pack(form, rng.choice(_NUMBERS) % (1 << 8 * width))


def edit_a_record(rng: random.Random, text: bytearray) -> None:
    """A field of an entry of a zip archive is another number."""
    places = [match.start() for match in _RECORDS.finditer(text)]
    if places:
        at = rng.choice(places) + rng.randrange(4, _LONGEST_RECORD, 2)
        form = rng.choice(("<H", "<I"))
        width = struct.calcsize(form)
        old = int.from_bytes(text[at : at + width], "little")
        new = rng.choice((old + 1, old - 1, old ^ 1 << rng.randrange(16), rng.choice(_NUMBERS)))
        text[at : at + width] = struct.pack(form, new % (1 << 8 * width))


INNER: list[Change] = [
    flip_bits,
    replace_a_byte,
    replace_an_opcode,
    insert_an_opcode,
    delete,
    insert,
    overwrite,
    truncate,
    splice,
    splice_another,
    edit_digits,
    edit_a_number,
]
CHANGES: list[Change] = [*INNER, cut_the_beginning, edit_a_record, edit_a_record]
