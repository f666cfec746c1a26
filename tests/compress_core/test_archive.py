"""Zip archives: what is read, and everything that could mean two things is not."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.archive import DEFLATED, STORED, Archive, Names
from compress_core.errors import FormatError, InputError, UnsupportedError
from compress_core.inputs import InputFile
from compress_core.views import Sequential
from tests.compress_core.zips import Part, build, deflated, extra, large, lying, numbers

FULL = 0xFFFF_FFFF
A, B = Part(b"a", b"first"), Part(b"b", b"second")
ZEROS = bytes(3 << 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.zip"


@contextmanager
def opened(path: Path, content: bytes | None, names: Names = "paths") -> Iterator[Archive]:
    if content is not None:
        path.write_bytes(content)
    file = InputFile(path)
    try:
        yield Archive.read(file, names=names)
    finally:
        file.close()


def names_in(path: Path, content: bytes) -> list[str]:
    with opened(path, content) as archive:
        return list(archive.members)


def read(path: Path, content: bytes) -> dict[str, bytes]:
    """Every member's content, checked."""
    with opened(path, content) as archive:
        return everything(archive)


def everything(archive: Archive) -> dict[str, bytes]:
    return {
        name: b"".join(archive.sequential(member).chunks())
        for name, member in archive.members.items()
    }


def zipped(contents: dict[str, bytes], method: int, *, seekable: bool = True) -> bytes:
    """What ``zipfile`` writes; to a stream that cannot seek it writes descriptors."""
    into = io.BytesIO() if seekable else _Stream()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, content in contents.items():
            with archive.open(name, "w", force_zip64=len(content) % 2 == 0) as member:
                member.write(content)
    return into.getvalue()


class _Stream(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation("seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), min_size=1, max_size=8)


@given(
    contents=st.dictionaries(NAMES, st.binary(max_size=200), max_size=5),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    seekable=st.booleans(),
)
def test_what_zipfile_writes_is_read(
    contents: dict[str, bytes],
    method: int,
    seekable: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "given.zip"
    with opened(path, zipped(contents, method, seekable=seekable), names="keys") as archive:
        wanted = {name: content for name, content in contents.items() if content or name[-1] != "/"}
        assert everything(archive) == wanted
        for name, member in archive.members.items():
            archive.verify(member)
            assert archive.content(name, 200) == contents[name]
            assert archive.beginning(member, 7) == contents[name][:7]


def test_members_are_placed_in_the_order_of_the_directory(path: Path) -> None:
    packed = Part(b"packed", ZEROS, method=8)
    with opened(path, build([A, packed, Part(b"folder/", b""), B])) as archive:
        assert list(archive.members) == ["a", "packed", "b"]
        first, second, last = archive.members.values()
    assert (first.start, first.size, first.stored, first.method) == (31, 5, 5, STORED)
    assert (second.size, second.stored) == (len(ZEROS), len(packed.stored))
    assert second.method == DEFLATED
    assert path.read_bytes()[last.start :].startswith(b"second")


@pytest.mark.parametrize(
    "parts",
    [
        [Part(b"a", flags=8, local={"crc": 0, "stored": 0, "size": 0}, behind=numbers(Part(b"a")))],
        [Part(b"a", flags=8, behind=numbers(Part(b"a"), magic=b""))],
        [Part(b"a", flags=8, behind=numbers(Part(b"a"), "<I2Q"))],
        [Part(b"a", flags=8, behind=numbers(Part(b"a"), "<I2Q", magic=b""))],
        [Part("ü".encode(), flags=0x800)],
        [Part(b"a", central={"needed": 0x0300 + 63})],
        [Part(b"a", local_extra=extra(0x4246, b"ZZZ"), comment=b"PK\x05\x06")],
        [
            Part(
                b"a",
                local={"stored": FULL, "size": FULL},
                local_extra=large(7, 7),
                central={"size": FULL},
                central_extra=large(7),
            )
        ],
        # as PyTorch places members beyond 4 GiB
        [
            Part(b"a"),
            Part(b"b", central={"header": FULL}, central_extra=large(38)),
        ],
    ],
)
def test_odd_but_good(parts: list[Part], path: Path) -> None:
    with opened(path, build(parts)) as archive:
        assert everything(archive) == {part.name.decode(): part.content for part in parts}


@pytest.mark.parametrize(
    ("end", "end64"),
    [
        ({}, {}),
        ({"count": 0xFFFF, "size": FULL, "start": FULL}, {}),
        ({"start": FULL}, {}),
    ],
)
def test_zip64_end_records(end: dict[str, int], end64: dict[str, int], path: Path) -> None:
    assert names_in(path, build([A, B], end=end, end64=end64)) == ["a", "b"]


def test_an_empty_archive(path: Path) -> None:
    assert names_in(path, build([])) == []


DESCRIBED = Part(b"a", flags=8, local={"crc": 0, "stored": 0, "size": 0})

BROKEN = {
    "something before": b"MZ" + build([A]),
    "something behind": build([A]) + b"x",
    "a comment at the end": build([A], end={"comment": b"hello"}),
    "an archive in the comment": build([A], end={"comment": build([B])}),
    "cut short": build([A, B])[:-30],
    "cut short in the end record": build([A, B])[:-1],
    "only its end record": build([], end={"count": 1}),
    "the end record of an empty archive, and more": b"PK\x05\x06" + bytes(18) + build([]),
    "fewer entries": build([A, B], end={"count": 1}),
    "more entries": build([A, B], end={"count": 3}),
    "a hole before the directory": build([A], before_directory=b"x"),
    "a hole behind the directory": build([A], after_directory=b"x"),
    "the directory elsewhere": build([A], end={"start": 0}),
    "a directory of 4 GB": build([A], end={"size": FULL - 1}),
    "a zip64 record that is not there": build([A], end={"size": FULL}),
    "a count in a zip64 record that is not there": build([A], end={"count": 0xFFFF}),
    "two counts": build([A], end64={"count": 2}),
    "two sizes": build([A], end={"size": 0}, end64={}),
    "a zip64 record elsewhere": build([A], end64={"record": 0}),
    "a zip64 record at 2**64 - 1": build([A], end64={"record": 2**64 - 1}),
    "a long zip64 record": build([A], end64={"length": 45}),
    "a huge zip64 directory": build([A], end={"start": FULL}, end64={"start": 2**63}),
    "a huge zip64 count": build([A], end={"count": 0xFFFF}, end64={"count": 2**63}),
    "a directory that is none": build([A], end={"start": 0, "size": len(build([A])) - 22}),
    "another name": build([Part(b"a", local={"name": b"b"})]),
    "another case": build([Part(b"a", local={"name": b"A"})]),
    "another method": build([Part(b"a", local={"method": 8})]),
    "other flags": build([Part(b"a", local={"flags": 2})]),
    "another CRC": build([Part(b"a", local={"crc": 1})]),
    "another size": build([Part(b"a", local={"size": 1, "stored": 1})]),
    "a size of 0 without a descriptor": build([Part(b"a", local={"size": 0})]),
    "a descriptor that is missing": build([DESCRIBED]),
    "a descriptor with another CRC": build([Part(b"a", flags=8, behind=numbers(B))]),
    "something in place of a descriptor": build([Part(b"a", flags=8, behind=bytes(16))]),
    "a member between members": build([Part(b"a", behind=build([B])[:37]), B]),
    "a first member that no one names": build([Part(b"x", hidden=True), A]),
    "a member that no one names": build([A, Part(b"x", hidden=True), B]),
    "a last member that no one names": build([A, Part(b"x", hidden=True)]),
    "the same member twice": build([A, Part(b"b", central={"header": 0})]),
    "overlapping": build([lying(b"a", stored=20, size=20), B]),
    "beyond the directory": build([lying(b"a", stored=90, size=90)]),
    "a header beyond the file": build([Part(b"a", central={"header": 9999})]),
    "a header inside of the directory": build([Part(b"a", central={"header": 50})]),
    "two sizes of stored data": build([lying(b"a", size=8)]),
    "more than can be inflated": build([Part(b"a", b"\0" * 9, method=8, central={"size": 9999})]),
    "the same name twice": build([A, A]),
    "the same name in another case": build([A, Part(b"A")]),
    "an empty name": build([Part(b"")]),
    "NUL in a name": build([Part(b"a\0b")]),
    "backslash in a name": build([Part(b"a\\b")]),
    "an absolute name": build([Part(b"/etc/passwd")]),
    "a name that climbs": build([Part(b"a/../../b")]),
    "a name that is no ASCII": build([Part("ü".encode())]),
    "a name that is no UTF-8": build([Part(b"\xff", flags=0x800)]),
    "a second name": build([Part(b"a", central_extra=extra(0x7075, b"\1" + bytes(4) + b"b"))]),
    "a second name of its own": build([Part(b"a", local_extra=extra(0x7075, bytes(5)))]),
    "extra fields that are cut": build([Part(b"a", central_extra=extra(0x4246, b"ZZ")[:-1])]),
    "half an extra field": build([Part(b"a", local_extra=b"\1")]),
    "a zip64 field of 0 bytes": build(
        [Part(b"a", central={"size": FULL}, central_extra=extra(1, b""))]
    ),
    "a zip64 field of 9 bytes": build(
        [Part(b"a", central={"size": FULL}, central_extra=extra(1, bytes(9)))]
    ),
    "a zip64 field without need": build([Part(b"a", central_extra=large(7))]),
    "two zip64 fields": build([Part(b"a", central={"size": FULL}, central_extra=large(7) * 2)]),
    "a zip64 field with another size": build(
        [Part(b"a", local={"size": FULL, "stored": FULL}, local_extra=large(7, 8))]
    ),
    "half a zip64 field": build([Part(b"a", local={"size": FULL}, local_extra=large(7))]),
    "a zip64 offset of 2**64 - 1": build(
        [Part(b"a", central={"header": FULL}, central_extra=large(2**64 - 1))]
    ),
    "zip64 sizes of 2**64 - 1": build(
        [
            Part(
                b"a",
                central={"stored": FULL, "size": FULL},
                central_extra=large(2**64 - 1, 2**64 - 1),
            )
        ]
    ),
}

UNSUPPORTED = {
    "encrypted": build([Part(b"a", flags=1)]),
    "strongly encrypted": build([Part(b"a", flags=0x41)]),
    "a patch": build([Part(b"a", flags=0x20)]),
    "masked headers": build([Part(b"a", flags=0x2000)]),
    "bzip2": build([Part(b"a", method=12)]),
    "zstd": build([Part(b"a", method=93)]),
    "in parts": build([A], end={"disk": 1}),
    "in parts, says zip64": build([A], end64={"disks": 2}),
    "a member on another disk": build([Part(b"a", central={"disk": 1})]),
    "a later version": build([Part(b"a", central={"needed": 64})]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_rules_is_refused(what: str, path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        names_in(path, BROKEN[what])
    assert caught.value.where == str(path)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_is_not_read_is_refused(what: str, path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        names_in(path, UNSUPPORTED[what])
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06", bytes(22), b"PK\x03\x04" + bytes(40)]
)
def test_what_is_no_archive_is_refused(content: bytes, path: Path) -> None:
    with pytest.raises(FormatError):
        names_in(path, content)


def test_keys_are_no_paths(path: Path) -> None:
    names = [b"W", b"w", b"/conv/w", b"a/../b", b"a//b"]
    with opened(path, build([Part(name) for name in names]), names="keys") as archive:
        assert list(archive.members) == [name.decode() for name in names]


def damaged(what: str) -> Part:
    """A member whose headers are right and whose data are not."""
    good = deflated(b"content" * 100)
    part = Part(b"a", b"content" * 100, method=8)
    if what == "cut":
        part.data = good[:-1]
    elif what == "more behind":
        part.data = good + b"x"
    elif what == "much more behind":
        part.data = good + bytes(100_000)
    elif what == "a second stream behind":
        part.data = good + good
    elif what == "too many":
        part.data = deflated(b"content" * 101)
    elif what == "far too many":
        part.data = deflated(ZEROS)
    elif what == "too few":
        part.data = deflated(b"content" * 99)
    elif what == "a zlib header":
        part.data = b"\x78\x9c" + good
    elif what == "nothing":
        part.content, part.data = b"", b""
    elif what == "other content":
        part.data = deflated(b"CONTENT" * 100)
    else:
        part = Part(b"a", b"content", data=b"CONTENT")
    return part


def until_it_fails(stream: Sequential) -> Iterator[bytes]:
    with suppress(FormatError):
        yield from stream.chunks()


DAMAGES = [
    *(
        "cut",
        "more behind",
        "much more behind",
        "a second stream behind",
        "too many",
        "far too many",
        "too few",
    ),
    *("a zlib header", "nothing", "other content", "stored"),
]


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_content_is_refused(what: str, path: Path) -> None:
    part = damaged(what)
    with opened(path, build([part, B])) as archive:
        with pytest.raises(FormatError, match="'a' is damaged") as caught:
            archive.content("a", 10_000)
        assert caught.value.where == str(path)
        came = list(until_it_fails(archive.sequential(archive.members["a"])))
        assert sum(map(len, came)) <= len(part.content)
        with pytest.raises(FormatError):
            archive.verify(archive.members["a"])


def test_without_any_crc_only_sizes_are_checked(path: Path) -> None:
    without = [lying(name, crc=0) for name in (b"a", b"b")]
    with opened(path, build(without)) as archive:
        assert not archive.checkable
        assert everything(archive) == {"a": b"content", "b": b"content"}
    with opened(path, build([A, without[1]])) as archive:
        assert archive.checkable
        with pytest.raises(FormatError, match="CRC"):
            archive.content("b", 100)


def test_content_comes_in_pieces(path: Path) -> None:
    noise = random.Random(1).randbytes(3 << 20)
    with opened(path, build([Part(b"a", noise), Part(b"b", noise + ZEROS, method=8)])) as archive:
        for name, size in (("a", 3 << 20), ("b", 6 << 20)):
            stream = archive.sequential(archive.members[name])
            assert stream.size == size
            chunks = list(stream.chunks())
            assert max(map(len, chunks)) <= 1 << 20
            assert b"".join(chunks) == (noise + ZEROS)[:size]
            assert list(stream.chunks()) == chunks


def test_a_beginning_is_inflated_alone(path: Path) -> None:
    with opened(path, build([Part(b"a", b"head" + ZEROS, method=8)])) as archive:
        member = archive.members["a"]
        assert archive.beginning(member, 6) == b"head\0\0"
        assert archive.beginning(member, 0) == b""
        assert archive.beginning(member, 9 << 20) == b"head" + ZEROS


def test_empty_blocks_do_not_end_a_beginning(path: Path) -> None:
    empty = b"\0\0\0\xff\xff"
    data = empty * 10_000 + deflated(b"content")
    with opened(path, build([Part(b"a", method=8, data=data)])) as archive:
        assert archive.beginning(archive.members["a"], 3) == b"con"
        assert archive.content("a", 7) == b"content"


def test_a_beginning_that_is_not_there(path: Path) -> None:
    part = Part(b"a", b"content" * 100, method=8, data=deflated(b"content"))
    with opened(path, build([part])) as archive:
        assert archive.beginning(archive.members["a"], 7) == b"content"
        with pytest.raises(FormatError, match="cut short"):
            archive.beginning(archive.members["a"], 8)


def test_a_huge_directory_is_not_read(path: Path) -> None:
    whole = build([A], end={"size": 100_000_000})
    at = whole.index(b"PK\x01\x02")
    with path.open("wb") as file:
        file.write(whole[:at])
        file.seek(at + 100_000_000)
        file.write(whole[-22:])
    with (
        pytest.raises(UnsupportedError, match="directory of 100,000,000 bytes"),
        opened(path, None),
    ):
        pass


def test_content_has_a_limit(path: Path) -> None:
    with opened(path, build([Part(b"a", ZEROS, method=8)])) as archive:
        with pytest.raises(InputError, match="at most 100 are read"):
            archive.content("a", 100)
        with pytest.raises(InputError, match="no member") as caught:
            archive.content("aa", 100)
        assert caught.value.hint == "did you mean a?"


def test_a_large_file_is_not_read_through(path: Path) -> None:
    """Members of 5 GB, which take no room on the disk, as PyTorch and NumPy write them."""
    big = 5 << 30
    full = {"stored": FULL, "size": FULL}
    sizes = large(big, big)
    descriptor = b"PK\x07\x08" + struct.pack("<I2Q", 0, big, big)
    first = Part(b"a", b"", 0, 8, None, full, full, sizes, sizes, descriptor)
    start = len(b"PK\x03\x04") + 26 + 1 + len(sizes)
    after = start + big + len(descriptor)
    second = Part(b"b", central={"header": FULL}, central_extra=large(after))
    whole = build([first, second])
    end = {"start": whole.index(b"PK\x01\x02") + big}
    end64 = {**end, "record": len(whole) - 22 + big}
    whole = build([first, second], end={"start": FULL}, end64=end64)
    with path.open("wb") as file:
        file.write(whole[:start])
        file.seek(start + big)
        file.write(whole[start:])
    with opened(path, None) as archive:
        assert archive.members["a"].size == big
        assert archive.members["b"].start == after + 31
        assert archive.content("b", 100) == b"content"
    path.unlink()


def mutated(rng: random.Random, whole: bytes) -> bytes:
    changed = bytearray(whole)
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        at = rng.randrange(len(changed))
        changed[at : at + rng.choice([1, 2, 4, 8])] = rng.choice([b"\xff", b"\0"]) * 4
    elif kind == 2:
        start, at = rng.randrange(len(changed)), rng.randrange(len(changed))
        changed[at : at + rng.choice([0, 60])] = changed[start : start + rng.randint(1, 60)]
    else:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def verdict(path: Path, content: bytes) -> dict[str, bytes] | InputError:
    try:
        return read(path, content)
    except InputError as error:
        return error


@pytest.mark.parametrize("seed", range(3))
def test_mutants_raise_one_kind_of_error_or_keep_their_content(seed: int, path: Path) -> None:
    rng = random.Random(seed)
    contents = {"a": b"first" * 20, "d/b": bytes(300), "c": b""}
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
    wholes = [zipped(contents, method, seekable=way) for method in methods for way in (True, False)]
    described = Part(b"x", flags=8, behind=numbers(Part(b"x")))
    wholes.append(build([A, described, B], end64={}))
    good = [read(path, whole) for whole in wholes]
    accepted = 0
    for _ in range(1500):
        index = rng.randrange(len(wholes))
        found = verdict(path, mutated(rng, wholes[index]))
        if isinstance(found, InputError):
            assert found.where == str(path)
            assert found.message.isprintable()
        else:
            accepted += 1
            assert sorted(found.values()) == sorted(good[index].values())
    assert 0 < accepted < 300


def test_a_source_has_the_bytes_of_its_member_alone(path: Path) -> None:
    content = zipped({"a": b"first", "b": b"second"}, STORED)
    with opened(path, content) as archive:
        source = archive.source(archive.members["b"])
        assert not isinstance(source, Sequential)
        buffer = bytearray(3)
        source.read_into(memoryview(buffer), 2)
        assert buffer == b"con"
        for start in (-1, 4, 9):
            with pytest.raises(IndexError):
                source.read_into(memoryview(buffer), start)
    with opened(path, content.replace(b"second", b"sekond")) as archive:
        source = archive.source(archive.members["b"])
        assert not isinstance(source, Sequential)
        with pytest.raises(FormatError, match="CRC"):
            source.read_into(memoryview(buffer), 0)
    with opened(path, zipped({"a": ZEROS}, DEFLATED)) as archive:
        assert isinstance(archive.source(archive.members["a"]), Sequential)
