"""One safetensors file: the rules of its header, reading, writing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core import registry
from compress_core.container import FilePlan, PartSpec, Placed, Reader, Writer
from compress_core.dtypes import DTYPES
from compress_core.errors import (
    FormatError,
    InputError,
    OutputError,
    OutputExistsError,
    UnsupportedError,
    UsageError,
)
from compress_core.formats.safetensors import Safetensors

Array = np.ndarray[Any, Any]
Entry = dict[str, Any]

WHOLE_BYTES = [code for code, dtype in DTYPES.items() if dtype.storage is not None]


def packed(header: object, data: bytes = b"") -> bytes:
    """The bytes of a file; a header that is no bytes becomes JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> Entry:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def opened(folder: Path, content: bytes, name: str = "x.safetensors") -> Reader:
    path = folder / name
    path.write_bytes(content)
    return Safetensors.open(path)


def library_accepts(content: bytes) -> bool:
    try:
        safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return False
    return True


def plan_of(
    parts: Mapping[str, tuple[str, tuple[int, ...]]],
    metadata: Mapping[str, str] | None = None,
    placed: Placed = "rows",
) -> FilePlan:
    specs = {name: PartSpec(code, shape, placed) for name, (code, shape) in parts.items()}
    return FilePlan(None, specs, dict(metadata or {}))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Reader]:
    """Something that a writer's weights come from."""
    with opened(tmp_path, packed({"a": entry()}, bytes(8)), "source.safetensors") as reader:
        yield reader


@pytest.fixture
def begun(tmp_path: Path, source: Reader) -> Callable[[FilePlan], Writer]:
    """Begin to write ``out.safetensors``."""

    def begin(plan: FilePlan) -> Writer:
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=True)
        writer.begin([plan])
        return writer

    return begin


class TestHeader:
    """Every rule; the corpus of bad inputs and tests/reliability have more."""

    @pytest.mark.parametrize(
        ("header", "data", "said"),
        [
            (b"", b"", "does not begin with a brace"),
            (b' {"a":1}', b"", "does not begin with a brace"),
            (b"\xef\xbb\xbf{}", b"", "does not begin with a brace"),
            (b"{}\0\0", b"", "not JSON"),
            (b'{"a":}', b"", "not JSON"),
            (b'{"\xff":1}', b"", "not UTF-8"),
            (b'{"a":NaN}', b"", "NaN is not JSON"),
            (b'{"a":[-Infinity]}', b"", "-Infinity is not JSON"),
            (b'{"a":{},"a":{}}', b"", "'a' stands there twice"),
            (b'{"\\ud800":{}}', b"", "lone surrogate"),
            (b'{"__metadata__":{"k":"\\udfff"}}', b"", "lone surrogate"),
            (b'{"a":' + b"9" * 21 + b"}", b"", "an integer of 21 characters"),
            (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"", "nested too deeply"),
            ({"__metadata__": []}, b"", "__metadata__ is not an object"),
            ({"__metadata__": {"k": 1}}, b"", "'k' is not a string"),
            ({"a": ["F32", [2], [0, 8]]}, bytes(8), "'a': not an object"),
            ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "'a': no data_offsets"),
            ({"a": entry(dtype={"F32": None})}, bytes(8), "dtype is not a string"),
            ({"a": entry(shape=2)}, bytes(8), "shape is not a list"),
            ({"a": entry(shape=[2.0])}, bytes(8), "no size"),
            ({"a": entry(shape=[True, 2])}, bytes(8), "no size"),
            ({"a": entry(shape=[-2, -1])}, bytes(8), "no size"),
            (b'{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}', b"", "no size"),
            ({"a": entry(shape=[1 << 64])}, bytes(8), "no size"),
            ({"a": entry(shape=[1 << 40, 1 << 40, 0], offsets=[0, 0])}, b"", "overflows"),
            ({"a": entry(shape=[1 << 60], offsets=[0, 0])}, b"", "overflows"),
            ({"a": entry(offsets=[0, 8, 8])}, bytes(8), "not \\[begin, end\\]"),
            ({"a": entry(offsets=[8, 0])}, bytes(8), "not \\[begin, end\\]"),
            ({"a": entry(shape=[3])}, bytes(8), "8 bytes of data, its dtype and shape make 12"),
            ({"a": entry("F4", [3], [0, 2])}, bytes(2), "do not fill whole bytes"),
            ({"a": entry(offsets=[4, 12])}, bytes(12), "a hole before tensor 'a'"),
            ({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20), "a hole before tensor 'b'"),
            ({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12), "an overlap at tensor 'b'"),
            ({"a": entry(), "b": entry()}, bytes(8), "an overlap at tensor 'b'"),
            ({"a": entry()}, bytes(9), "1 bytes after the last tensor"),
            ({"a": entry()}, bytes(7), "cut short: 7 bytes of data, the header promises 8"),
        ],
    )
    def test_broken(self, tmp_path: Path, header: object, data: bytes, said: str) -> None:
        with pytest.raises(FormatError, match=said) as caught:
            opened(tmp_path, packed(header, data))
        assert caught.value.where == str(tmp_path / "x.safetensors")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "0 bytes"),
            (b"\x02\0\0\0", "4 bytes"),
            ((100_000_000).to_bytes(8, "little") + b"{}", "a header of 100000000 bytes in 10"),
            ((100_000_001).to_bytes(8, "little") + b"{}", "header length 1e\\+08"),
            ((3).to_bytes(8, "little") + b"{}", "cut short"),
        ],
    )
    def test_impossible_length(self, tmp_path: Path, content: bytes, said: str) -> None:
        with pytest.raises(FormatError, match=said):
            opened(tmp_path, content)

    @pytest.mark.parametrize(
        ("header", "data"),
        [
            (b"{}", b""),
            (b"{} \n\t", b""),
            ({"__metadata__": None}, b""),
            ({"a": entry() | {"extra": [{"ignored": 1.5}, "text"]}}, bytes(8)),
            ({"b": entry(offsets=[8, 16]), "a": entry()}, bytes(16)),
            ({"": entry(), "b": entry(shape=[0], offsets=[8, 8])}, bytes(8)),
            ({"a": entry("F32", [0, 1 << 40, 1 << 40], [0, 0])}, b""),
            ({"a": entry("F32", [], [0, 4])}, bytes(4)),
            ({"a": entry("F6_E2M3", [4], [0, 3])}, bytes(3)),
        ],
    )
    def test_right_but_unusual(self, tmp_path: Path, header: object, data: bytes) -> None:
        content = packed(header, data)
        with opened(tmp_path, content) as reader:
            assert library_accepts(content)
            assert reader.size() == len(content)

    def test_unknown_dtype_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match="'a': unknown dtype 'F128'"):
            opened(tmp_path, packed({"a": entry("F128")}, bytes(8)))

    def test_names_cannot_drive_a_terminal(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError) as caught:
            opened(tmp_path, packed({"\x1b[2J" * 100: entry(shape=[3])}, bytes(8)))
        assert "\x1b" not in caught.value.message
        assert len(caught.value.message) < 1000

    def test_library_has_the_last_word(self, tmp_path: Path) -> None:
        """Nesting in an ignored field: below Python's limit, above the library's."""
        text = b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":%s%s}}'
        with pytest.raises(FormatError, match="library refuses"):
            opened(tmp_path, packed(text % (b"[" * 200, b"]" * 200)))

    def test_contents(self, tmp_path: Path) -> None:
        header = {
            "__metadata__": {"format": "pt"},
            "w": entry("BF16", [2, 3, 4], [4, 52]),
            "s": entry("F32", [], [0, 4]),
        }
        with opened(tmp_path, packed(header, bytes(52))) as reader:
            assert list(reader.infos) == ["w", "s"]
            assert reader.infos["w"].matrix == (2, 12)
            assert reader.infos["w"].nbytes == 48
            assert reader.metadata == {"": {"format": "pt"}}
            assert reader.shards == {"w": "", "s": ""}
            assert reader.config is None
            assert not reader.notes


class TestOddHeads:
    def test_a_length_that_looks_like_gzip(self, tmp_path: Path) -> None:
        length = int.from_bytes(b"\x1f\x8b\x08\0\0\0\0\0", "little")
        content = packed(json.dumps({"a": entry()}).encode().ljust(length), bytes(8))
        assert content.startswith(b"\x1f\x8b\x08")
        with opened(tmp_path, content) as reader:
            assert list(reader.infos) == ["a"]

    def test_a_broken_header_stays_a_broken_header(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="not JSON"):
            opened(tmp_path, packed(b"{" + b"x" * 0x8B1E))


class TestOpening:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such file"):
            Safetensors.open(tmp_path / "no.safetensors")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="a folder"):
            Safetensors.open(tmp_path)

    def test_named_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.safetensors")
        with pytest.raises(InputError, match="named pipe"):
            Safetensors.open(tmp_path / "pipe.safetensors")

    def test_device(self) -> None:
        with pytest.raises(InputError, match="device"):
            Safetensors.open(Path(os.devnull))

    def test_nul_in_the_path(self) -> None:
        with pytest.raises(InputError):
            Safetensors.open(Path("a\0b"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        path.write_bytes(packed({}))
        path.chmod(0)
        with pytest.raises(InputError, match="permission denied"):
            Safetensors.open(path)

    def test_handle_is_closed_after_an_error(self, tmp_path: Path) -> None:
        before = len(os.listdir("/dev/fd"))
        for _ in range(20):
            with pytest.raises(FormatError):
                opened(tmp_path, packed({"a": entry()}))
        assert len(os.listdir("/dev/fd")) == before

    def test_recognises(self, tmp_path: Path) -> None:
        right = packed({"a": entry()}, bytes(8))
        assert Safetensors.recognises(tmp_path / "blob", right)
        assert not Safetensors.recognises(tmp_path / "x.safetensors", b"version https://git-lfs")
        assert not Safetensors.recognises(tmp_path / "blob", b"")
        assert not Safetensors.recognises(tmp_path / "x.gguf", b"GGUF\x03\0\0\0{")
        (tmp_path / "folder.safetensors").mkdir()
        assert not Safetensors.recognises(tmp_path / "folder.safetensors", b"")

    def test_loads_no_numpy(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        path.write_bytes(packed({"a": entry()}, bytes(8)))
        code = (
            "import sys; from pathlib import Path; from compress_core import registry\n"
            "reader = registry.get('formats', 'safetensors').open(Path(sys.argv[1]))\n"
            "assert list(reader.infos) == ['a'] and 'numpy' not in sys.modules; reader.close()"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)


class TestReading:
    def test_rows_and_bytes(self, tmp_path: Path) -> None:
        values = np.arange(24, dtype="<f4").reshape(4, 3, 2)
        header = {"w": entry("F32", [4, 3, 2], [0, 96])}
        with opened(tmp_path, packed(header, values.tobytes())) as reader:
            rows = reader.read("w", 1, 3)
            assert rows.dtype == np.dtype("<f4")
            assert np.array_equal(rows, values.reshape(4, 6)[1:3])
            rows[:] = 0  # the caller's own
            assert np.array_equal(reader.read("w", 0, 4), values.reshape(4, 6))
            assert reader.read("w", 2, 2).shape == (0, 6)
            assert reader.read_bytes("w", 5, 90) == values.tobytes()[5:90]

    @pytest.mark.parametrize("span", [(-1, 1), (0, 3), (2, 1)])
    def test_outside_is_an_error(self, tmp_path: Path, span: tuple[int, int]) -> None:
        with opened(tmp_path, packed({"a": entry("U8", [2, 1], [0, 2])}, bytes(2))) as reader:
            with pytest.raises(IndexError):
                reader.read("a", *span)
            with pytest.raises(IndexError):
                reader.read_bytes("a", *span)

    def test_narrow_dtypes_are_bytes_only(self, tmp_path: Path) -> None:
        with opened(tmp_path, packed({"a": entry("F4", [4], [0, 2])}, b"ab")) as reader:
            assert reader.read_bytes("a", 0, 2) == b"ab"
            with pytest.raises(UnsupportedError, match="'a' cannot be decoded: F4"):
                reader.read("a", 0, 1)

    def test_a_shape_too_large_for_numpy(self, tmp_path: Path) -> None:
        with opened(tmp_path, packed({"a": entry("U8", [0, 1 << 63], [0, 0])})) as reader:
            assert reader.read_bytes("a", 0, 0) == b""
            with pytest.raises(UnsupportedError, match="too large"):
                reader.read("a", 0, 0)

    @pytest.mark.parametrize("change", ["cut", "grown", "rewritten"])
    def test_a_file_that_changes(self, tmp_path: Path, change: str) -> None:
        with opened(tmp_path, packed({"a": entry("U8", [2, 4], [0, 8])}, bytes(8))) as reader:
            size = reader.size()
            if change == "rewritten":
                os.utime(reader.path, ns=(1, 1))
            else:
                os.truncate(reader.path, size - 4 if change == "cut" else size + 4)
            for read in (reader.read, reader.read_bytes):
                with pytest.raises(InputError, match="changed while it was read"):
                    read("a", 1, 2)

    def test_short_reads_are_continued(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.preadv
        monkeypatch.setattr(os, "preadv", lambda fd, into, at: real(fd, [into[0][:3]], at))
        with opened(tmp_path, packed({"a": entry("U8", [8], [0, 8])}, b"01234567")) as reader:
            assert reader.read("a", 0, 1).tobytes() == b"01234567"

    def test_after_close(self, tmp_path: Path) -> None:
        reader = opened(tmp_path, packed({"a": entry()}, bytes(8)))
        reader.close()
        reader.close()
        with pytest.raises(InputError, match="closed"):
            reader.read("a", 0, 1)

    def test_from_many_threads(self, tmp_path: Path) -> None:
        values = np.arange(1 << 16, dtype="<u4").reshape(256, 256)
        wrong: list[int] = []

        def work(reader: Reader, first: int) -> None:
            for row in range(first, 256, 4):
                if not np.array_equal(reader.read("a", row, row + 1)[0], values[row]):
                    wrong.append(row)

        header = {"a": entry("U32", [256, 256], [0, 1 << 18])}
        with opened(tmp_path, packed(header, values.tobytes())) as reader:
            threads = [threading.Thread(target=work, args=(reader, at)) for at in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not wrong


class TestWriting:
    def test_golden(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        """The exact bytes of a small file: widest dtype first, header in the plan's order."""
        parts = {"ä.bias": ("U8", (3,)), "w": ("F32", (1, 2)), "v": ("F16", (1,))}
        writer = begun(plan_of(parts, {"format": "pt"}))
        writer.write("v", 0, np.array([1], "<f2"))
        writer.write("w", 0, np.array([[1, 2]], "<f4"))
        writer.write("ä.bias", 0, np.array([1, 2, 3], "u1"))
        writer.commit({})
        assert (tmp_path / "out.safetensors").read_bytes() == (
            b"\xd0\0\0\0\0\0\0\0"
            b'{"__metadata__":{"format":"pt"},'
            b'"\xc3\xa4.bias":{"dtype":"U8","shape":[3],"data_offsets":[10,13]},'
            b'"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
            b'"v":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}       '
            b"\0\0\x80\x3f\0\0\0\x40"
            b"\0\x3c"
            b"\x01\x02\x03"
        )

    def test_measure_is_what_is_written(self, tmp_path: Path, source: Reader) -> None:
        plan = plan_of({"a": ("BF16", (3, 5)), "": ("U8", (0, 7))}, {"k": 'quote " and \x7f'})
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=False)
        before = sorted(tmp_path.iterdir())
        sizes = writer.measure([plan])
        assert sorted(tmp_path.iterdir()) == before
        writer.begin([plan])
        writer.write_bytes("a", 0, bytes(30))
        writer.commit({})
        assert sizes == {"out.safetensors": (tmp_path / "out.safetensors").stat().st_size}

    def test_empty_file(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        begun(plan_of({})).commit({})
        assert (tmp_path / "out.safetensors").read_bytes() == packed(b"{}      ")

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(6, dtype="<i4").reshape(2, 3).T,
            np.asfortranarray(np.arange(6, dtype="<i4").reshape(3, 2)),
            np.arange(12, dtype="<i4").reshape(3, 4)[:, ::2],
            np.arange(6, dtype="<i4").reshape(3, 2)[::-1],
            np.broadcast_to(np.arange(2, dtype="<i4"), (3, 2)),
            np.arange(6, dtype=">i4").reshape(3, 2),
        ],
        ids=["transposed", "fortran", "strided", "negative", "broadcast", "big-endian"],
    )
    def test_values_not_memory_are_written(
        self, tmp_path: Path, begun: Callable[[FilePlan], Writer], array: Array
    ) -> None:
        before = array.copy()
        writer = begun(plan_of({"a": ("I32", (3, 2))}))
        writer.write("a", 0, array)
        writer.commit({})
        found = safetensors.numpy.load_file(tmp_path / "out.safetensors")
        assert np.array_equal(found["a"], before)
        assert np.array_equal(array, before)

    def test_rows_of_a_vector_are_elements(
        self, tmp_path: Path, begun: Callable[[FilePlan], Writer]
    ) -> None:
        writer = begun(plan_of({"scale": ("F16", (4,))}))
        writer.write("scale", 2, np.array([3, 4], "<f2"))
        writer.write("scale", 0, np.array([1, 2], "<f2"))
        writer.commit({})
        found = safetensors.numpy.load_file(tmp_path / "out.safetensors")
        assert found["scale"].tolist() == [1, 2, 3, 4]

    def test_types_of_ml_dtypes(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"b": ("BF16", (2,)), "f": ("F8_E4M3", (2,)), "x": ("BOOL", (1,))}))
        writer.write("b", 0, np.array([1, 2], ml_dtypes.bfloat16))
        writer.write("f", 0, np.array([1, 2], ml_dtypes.float8_e4m3fn))
        writer.write("x", 0, np.array([True]))
        writer.commit({})
        with Safetensors.open(tmp_path / "out.safetensors") as reader:
            assert reader.read("b", 0, 1).tolist() == [[0x3F80, 0x4000]]
            assert reader.read("f", 0, 1).tolist() == [[0x38, 0x40]]

    def test_from_many_threads(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        values = np.arange(1 << 14, dtype="<u4").reshape(128, 128)
        writer = begun(plan_of({"a": ("U32", (128, 128))}))

        def work(first: int) -> None:
            for row in range(first, 128, 4):
                writer.write("a", row, values[row : row + 1])

        threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.commit({})
        found = safetensors.numpy.load_file(tmp_path / "out.safetensors")
        assert np.array_equal(found["a"], values)

    def test_metadata_is_replaced_at_the_end(
        self, tmp_path: Path, begun: Callable[[FilePlan], Writer]
    ) -> None:
        writer = begun(plan_of({}, {"hash": "0000", "kept": "x"}))
        writer.commit({None: {"hash": "beef"}})
        with Safetensors.open(tmp_path / "out.safetensors") as reader:
            assert reader.metadata[""] == {"hash": "beef", "kept": "x"}

    @pytest.mark.parametrize("value", ["00000", "ää", '"""""""""""'])
    def test_metadata_must_not_move_the_data(
        self, begun: Callable[[FilePlan], Writer], value: str
    ) -> None:
        old = "0" * 11 if value.startswith('"') else "000"
        writer = begun(plan_of({}, {"hash": old}))
        with pytest.raises(RuntimeError, match="metadata"):
            writer.commit({None: {"hash": value}})
        writer.abort()

    @pytest.mark.parametrize(
        ("name", "metadata"), [("__metadata__", {}), ("\ud800", {}), ("a", {"k": "\udfff"})]
    )
    def test_what_the_format_cannot_hold(
        self, tmp_path: Path, source: Reader, name: str, metadata: dict[str, str]
    ) -> None:
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=False)
        with pytest.raises(UsageError):
            writer.measure([plan_of({name: ("U8", (1,))}, metadata)])

    def test_a_header_that_nobody_would_read(self, tmp_path: Path, source: Reader) -> None:
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=False)
        with pytest.raises(OutputError, match="readers accept 100,000,000"):
            writer.measure([plan_of({}, {"k": "x" * 100_000_000})])


class TestContract:
    """Bugs of a caller do not become files."""

    def test_unfinished_parts(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"a": ("U8", (2, 2))}))
        writer.write("a", 1, np.zeros((1, 2), "u1"))
        with pytest.raises(RuntimeError, match="a: 2 bytes not written"):
            writer.commit({})
        writer.abort()
        assert not (tmp_path / "out.safetensors").exists()

    def test_outside_of_a_part(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"a": ("U8", (2, 2)), "b": ("U8", (8,))}))
        for row in (-1, 2):
            with pytest.raises(RuntimeError, match="a: bytes"):
                writer.write("a", row, np.zeros((1, 2), "u1"))
        with pytest.raises(RuntimeError, match="a: bytes"):
            writer.write_bytes("a", 3, b"ab")
        writer.abort()

    def test_another_width(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"a": ("F32", (2,))}))
        with pytest.raises(RuntimeError, match="float64 for a part of F32"):
            writer.write("a", 0, np.zeros(1))
        writer.abort()

    def test_rows_that_end_within_a_byte(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"a": ("F4", (2, 3))}))
        writer.write("a", 0, np.zeros(3, "u1"))
        with pytest.raises(RuntimeError, match="do not end at a byte"):
            writer.write("a", 1, np.zeros(1, "u1"))
        writer.abort()

    def test_columns_stand_in_their_rows(
        self, tmp_path: Path, begun: Callable[[FilePlan], Writer]
    ) -> None:
        values = np.arange(15, dtype="<i4").reshape(3, 5)
        writer = begun(plan_of({"before": ("U8", (1,)), "a": ("I32", (3, 5))}))
        for first, last in ((2, 5), (0, 1), (1, 2)):
            writer.write_columns("a", first, values[:, first:last])
        writer.write("before", 0, np.array([7], "u1"))
        writer.commit({})
        with Safetensors.open(tmp_path / "out.safetensors") as reader:
            assert np.array_equal(reader.read("a", 0, 3), values)
            assert reader.read("before", 0, 1).tolist() == [[7]]

    def test_unfinished_columns(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"a": ("U8", (2, 3))}))
        writer.write_columns("a", 1, np.zeros((2, 2), "u1"))
        with pytest.raises(RuntimeError, match="a: 2 bytes not written"):
            writer.commit({})
        writer.abort()

    @pytest.mark.parametrize(
        ("first", "data"),
        [
            (2, np.zeros((2, 2), "u1")),
            (-1, np.zeros((2, 2), "u1")),
            (0, np.zeros((1, 2), "u1")),
            (0, np.zeros((2, 2), "<u2")),
        ],
    )
    def test_columns_outside_of_a_part(
        self, begun: Callable[[FilePlan], Writer], first: int, data: Array
    ) -> None:
        writer = begun(plan_of({"a": ("U8", (2, 3))}))
        with pytest.raises(RuntimeError, match="a: "):
            writer.write_columns("a", first, data)
        writer.abort()

    def test_before_begin(self, tmp_path: Path, source: Reader) -> None:
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=False)
        writer.abort()
        with pytest.raises(RuntimeError, match="0 plans"):
            writer.begin([])

    def test_abort_at_any_time(self, tmp_path: Path, begun: Callable[[FilePlan], Writer]) -> None:
        before = sorted(tmp_path.iterdir())
        writer = begun(plan_of({"a": ("U8", (1,))}))
        writer.abort()
        writer.abort()
        assert sorted(tmp_path.iterdir()) == before
        finished = begun(plan_of({}))
        finished.commit({})
        finished.abort()
        assert (tmp_path / "out.safetensors").exists()


class TestTarget:
    def test_the_input_is_refused_always(self, tmp_path: Path, source: Reader) -> None:
        os.link(source.path, tmp_path / "hard")
        (tmp_path / "soft").symlink_to(source.path)
        before = source.path.read_bytes()
        for target in (source.path, tmp_path / "hard", tmp_path / "soft"):
            writer = Safetensors.writer(target, source, replace=True)
            with pytest.raises(OutputExistsError, match="is the input"):
                writer.begin([plan_of({})])
        assert source.path.read_bytes() == before

    def test_mode_of_a_replaced_file(
        self, tmp_path: Path, begun: Callable[[FilePlan], Writer]
    ) -> None:
        target = tmp_path / "out.safetensors"
        target.write_bytes(b"old")
        target.chmod(0o640)
        begun(plan_of({})).commit({})
        assert stat.S_IMODE(target.stat().st_mode) == 0o640

    def test_a_full_disk_at_begin(
        self, tmp_path: Path, source: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk = os.statvfs_result([4096, 4096, 100, 100, 1] + [0] * 5)
        monkeypatch.setattr(os, "statvfs", lambda _: disk)
        before = sorted(tmp_path.iterdir())
        writer = Safetensors.writer(tmp_path / "out.safetensors", source, replace=False)
        with pytest.raises(OutputError, match=r"disk full: needs .* KiB, 4\.00 KiB free"):
            writer.begin([plan_of({"a": ("U8", (9999,))})])
        assert sorted(tmp_path.iterdir()) == before


dims = st.lists(st.integers(0, 4), max_size=4)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: name != "__metadata__"
)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, tuple[str, tuple[int, ...]]]:
    chosen = draw(st.lists(names, unique=True, max_size=6))
    return {name: (draw(st.sampled_from(WHOLE_BYTES)), tuple(draw(dims))) for name in chosen}


@settings(deadline=None)
@given(planned=parts(), metadata=st.dictionaries(names, names, max_size=3), seed=st.integers(0))
def test_what_is_written_is_what_everybody_reads(
    tmp_path_factory: pytest.TempPathFactory,
    planned: dict[str, tuple[str, tuple[int, ...]]],
    metadata: dict[str, str],
    seed: int,
) -> None:
    """Bytes of all dtypes, shapes and names, through our reader and the library."""
    folder = tmp_path_factory.mktemp("round")
    plan = plan_of(planned, metadata)
    rng = np.random.default_rng(seed)
    data = {name: rng.bytes(part.nbytes) for name, part in plan.parts.items()}
    with opened(folder, packed({}), "source.safetensors") as source:
        writer = Safetensors.writer(folder / "out.safetensors", source, replace=False)
        writer.begin([plan])
        for name, part in plan.parts.items():
            storage = DTYPES[part.dtype].storage
            writer.write(name, 0, np.frombuffer(data[name], storage).reshape(part.shape))
        writer.commit({})
    content = (folder / "out.safetensors").read_bytes()
    theirs = dict(safetensors.deserialize(content))  # type: ignore[no-untyped-call]
    assert {name: bytes(found["data"]) for name, found in theirs.items()} == data
    with Safetensors.open(folder / "out.safetensors") as reader:
        assert list(reader.infos) == list(planned)
        assert reader.metadata[""] == metadata
        for name, info in reader.infos.items():
            assert (info.dtype.code, info.shape) == planned[name]
            assert reader.read(name, 0, info.matrix[0]).tobytes() == data[name]
    header_length = int.from_bytes(content[:8], "little")
    assert header_length % 8 == 0


@settings(deadline=None)
@given(
    chunks=st.lists(st.lists(st.booleans(), max_size=40), max_size=8),
    dirty=st.booleans(),
)
def test_bits_are_appended_without_gaps(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[bool]], dirty: bool
) -> None:
    """A stream is the bits of all chunks in a row, whatever follows them in their last bytes."""
    folder = tmp_path_factory.mktemp("bits")
    bits = [bit for chunk in chunks for bit in chunk]
    plan = plan_of({"s": ("U8", ((len(bits) + 7) // 8,))}, placed="stream")
    with opened(folder, packed({}), "source.safetensors") as source:
        writer = Safetensors.writer(folder / "out.safetensors", source, replace=False)
        writer.begin([plan])
        for chunk in chunks:
            padded = chunk + [dirty] * (-len(chunk) % 8 + 8)
            data = np.packbits(np.array(padded, bool), bitorder="little")
            before = data.copy()
            writer.append("s", data, len(chunk))
            assert np.array_equal(data, before)
        writer.commit({})
    with Safetensors.open(folder / "out.safetensors") as reader:
        expected = np.packbits(np.array(bits, bool), bitorder="little")
        assert reader.read("s", 0, 1).tobytes() == expected.tobytes()


class TestStreams:
    def test_too_few_bits(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"s": ("U8", (2,))}, placed="stream"))
        writer.append("s", np.array([255], "u1"), 8)
        with pytest.raises(RuntimeError, match="s: 1 bytes not written"):
            writer.commit({})
        writer.abort()

    def test_too_many_bits(self, begun: Callable[[FilePlan], Writer]) -> None:
        writer = begun(plan_of({"s": ("U8", (1,))}, placed="stream"))
        with pytest.raises(RuntimeError, match="s: bytes"):
            writer.append("s", np.array([255, 255], "u1"), 16)
        writer.abort()

    @pytest.mark.parametrize("data", [np.zeros(1, "u1"), np.zeros(2, "<u2")])
    def test_data_that_do_not_hold_the_bits(
        self, begun: Callable[[FilePlan], Writer], data: Array
    ) -> None:
        writer = begun(plan_of({"s": ("U8", (2,))}, placed="stream"))
        with pytest.raises(RuntimeError, match="hold no 9 bits"):
            writer.append("s", data, 9)
        writer.abort()


def test_every_cut_is_an_error(tmp_path: Path) -> None:
    content = packed({"a": entry("F32", [2], [0, 8])}, bytes(8))
    for length in range(len(content)):
        with pytest.raises(InputError):
            opened(tmp_path, content[:length])


def test_found_by_name() -> None:
    assert registry.get("formats", "safetensors") is Safetensors
