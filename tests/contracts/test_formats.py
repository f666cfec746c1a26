"""Every format that is written is read again, to the bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import open_weights, registry
from compress_core.container import FilePlan, PartSpec, Reader, Writer
from compress_core.formats.base import Format
from tests.contracts import zoo

FORMATS: dict[str, type[Format]] = registry.all_of("formats")
each_format = pytest.mark.parametrize("name", FORMATS)

STREAM = np.random.default_rng(1).integers(0, 256, 1001).astype(np.uint8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = tmp_path_factory.mktemp("formats") / "shapes.safetensors"
    zoo.write(path, zoo.shapes(), zoo.METADATA)
    with open_weights(path) as reader:
        yield reader


def _holds_folders(cls: type[Format], folder: Path) -> bool:
    return cls.recognises(folder, b"")


def _file(cls: type[Format], folder: Path) -> FilePlan:
    name = "model.safetensors" if _holds_folders(cls, folder) else None
    parts = {
        part: PartSpec(zoo.code_of(array), array.shape, "rows")
        for part, array in zoo.shapes().items()
    }
    parts["last.stream"] = PartSpec("U8", (len(STREAM),), "stream")
    parts["last.once"] = PartSpec("F16", (1, 1), "once")
    return FilePlan(name, parts, {"format": "pt", "width": "0" * 9})


@pytest.fixture
def opened(name: str, source: Reader, tmp_path: Path) -> tuple[Writer, Path]:
    """A writer to a target that is not there yet."""
    target = tmp_path / "written"
    writer = FORMATS[name].writer(target, source, replace=False)
    if writer is None:
        pytest.skip("this format is only read")
    return writer, target


def _storage(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """As readers and writers hold an element: what NumPy has no arithmetic for as integers."""
    two_bytes = zoo.code_of(array) in ("BF16", "F16")
    flat = array.view("<u2") if two_bytes else array
    flat = flat.view(np.uint8) if array.dtype == np.bool_ else flat
    return np.asarray(flat)


def _fill(writer: Writer) -> None:
    """Rows from the last to the first, some by threads, some as bytes; bits in odd pieces."""
    arrays = zoo.shapes()
    threads = []
    for index, (part, array) in enumerate(reversed(arrays.items())):
        if index % 3 == 0:
            writer.write_bytes(part, 0, array.tobytes())
        elif array.ndim < 2 or not array.size:
            writer.write(part, 0, _storage(array))
        else:
            work = threading.Thread(target=_write_rows, args=(writer, part, _storage(array)))
            threads.append(work)
            work.start()
    bits = np.unpackbits(STREAM, bitorder="little")
    at = 0
    for count in (1, 7, 8, 13, 0, 800, 3, len(bits)):
        piece = bits[at : at + count]
        writer.append("last.stream", np.packbits(piece, bitorder="little"), len(piece))
        at += count
    writer.write("last.once", 0, np.array([[1.5]], np.float16).view(np.uint16))
    for work in threads:
        work.join()


def _write_rows(writer: Writer, part: str, array: NDArray[np.generic]) -> None:
    for row in reversed(range(len(array))):
        writer.write(part, row, array[row : row + 1])


@each_format
def test_a_format_says_what_it_is(name: str) -> None:
    cls = FORMATS[name]
    assert issubclass(cls, Format)
    assert cls.id == name
    assert len(cls.summary) > 10
    assert cls.__doc__


@each_format
def test_what_is_written_is_read_again(
    name: str, opened: tuple[Writer, Path], source: Reader, tmp_path: Path
) -> None:
    writer, target = opened
    plan = _file(FORMATS[name], tmp_path)
    promised = writer.measure([plan])
    writer.check()
    assert list(tmp_path.iterdir()) == [], "measuring touched the disk"
    writer.begin([plan])
    assert not target.exists(), "visible before it is whole"
    _fill(writer)
    writer.commit({plan.name: {"width": "123456789"}})
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    head = b"" if target.is_dir() else target.read_bytes()[:4096]
    assert FORMATS[name].recognises(target, head)
    with FORMATS[name].open(target) as reader:
        assert reader.size() == sum(promised.values())
        assert list(reader.infos) == list(plan.parts)
        metadata = {key: text for own in reader.metadata.values() for key, text in own.items()}
        assert metadata == {"format": "pt", "width": "123456789"}
        for part, array in zoo.shapes().items():
            info = reader.infos[part]
            assert (info.dtype.code, info.shape) == (zoo.code_of(array), array.shape)
            assert reader.read_bytes(part, 0, info.nbytes) == array.tobytes()
            assert reader.read(part, 0, info.matrix[0]).tobytes() == array.tobytes()
        assert reader.read_bytes("last.stream", 0, len(STREAM)) == STREAM.tobytes()
    with open_weights(target) as again:
        assert list(again.infos) == list(plan.parts)


@each_format
@pytest.mark.parametrize("filled", [False, True])
def test_giving_up_leaves_nothing(
    name: str, filled: bool, opened: tuple[Writer, Path], tmp_path: Path
) -> None:
    writer, _ = opened
    writer.begin([_file(FORMATS[name], tmp_path)])
    assert list(tmp_path.iterdir()) != []
    if filled:
        _fill(writer)
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    writer.abort()


@each_format
def test_giving_up_after_the_end_keeps_the_result(
    name: str, opened: tuple[Writer, Path], tmp_path: Path
) -> None:
    writer, target = opened
    plan = _file(FORMATS[name], tmp_path)
    writer.begin([plan])
    _fill(writer)
    writer.commit({})
    writer.abort()
    assert target.exists()


@each_format
def test_a_part_that_is_not_finished_is_never_published(
    name: str, opened: tuple[Writer, Path], tmp_path: Path
) -> None:
    writer, target = opened
    plan = _file(FORMATS[name], tmp_path)
    more = {**plan.parts, "forgotten": PartSpec("F32", (2, 2), "rows")}
    writer.begin([replace(plan, parts=more)])
    _fill(writer)
    with pytest.raises(RuntimeError, match="forgotten"):
        writer.commit({})
    writer.abort()
    assert not target.exists()
