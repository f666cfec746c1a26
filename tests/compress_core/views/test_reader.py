"""Tensors in any order of elements, compared with NumPy's own strides on the same bytes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from compress_core.errors import InputError, UnsupportedError
from compress_core.inputs import InputFile
from compress_core.tensors import TensorInfo
from compress_core.views import Placed, Sequential, View, ViewReader, access, copying, gathering

Array = np.ndarray[Any, Any]

DATA = np.random.default_rng(5).integers(0, 256, 1 << 16, "u1").tobytes()
CODES = ("BOOL", "I8", "BF16", "I16", "F32", "I64", "F64", "C64")


@dataclass(frozen=True)
class Case:
    info: TensorInfo
    view: View

    @property
    def expected(self) -> Array:
        """The matrix view, little-endian, by NumPy."""
        storage = np.dtype(self.info.dtype.storage)
        there = storage.newbyteorder(">") if self.view.swapped else storage
        flat: Array = np.frombuffer(DATA, there, max(self.view.reach, 1), self.view.start)
        strides = [stride * storage.itemsize for stride in self.view.strides]
        dense = np.lib.stride_tricks.as_strided(flat, self.view.shape, strides)
        return dense.astype(storage).reshape(self.info.matrix)


def _info(shape: tuple[int, ...], code: str = "F32", name: str = "x") -> TensorInfo:
    dtype = DTYPES[code]
    return TensorInfo(name, dtype, shape, math.prod(shape) * dtype.bits // 8)


def _nested(shape: Sequence[int], order: Sequence[int], padding: Sequence[int]) -> tuple[int, ...]:
    """Strides of a permuted tensor in slightly larger storage."""
    strides, step = [0] * len(shape), 1
    for place, more in zip(order, padding, strict=True):
        strides[place] = step
        step *= shape[place] + more
    return tuple(strides)


def _each(shape: tuple[int, ...], most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, most), min_size=len(shape), max_size=len(shape))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = tuple(draw(st.lists(st.sampled_from((1, 2, 3, 5, 7, 0)), max_size=5)))
    if draw(st.booleans()):
        strides = tuple(draw(_each(shape, 12)))
    else:
        order = draw(st.permutations(range(len(shape))))
        strides = _nested(shape, order, draw(_each(shape, 1)))
    name = draw(st.sampled_from(("x", "mlp.experts.up")))
    info = _info(shape, draw(st.sampled_from(CODES)), name)
    view = View(shape, strides, draw(st.integers(0, 50)), draw(st.booleans()))
    end = view.start + view.reach * info.dtype.bits // 8
    if end > len(DATA):
        return Case(info, View.contiguous(shape, 0))
    return Case(info, view)


@st.composite
def limits(draw: st.DrawFn) -> list[tuple[object, str, int]]:
    """Sizes so small that tensors of a few bytes come to know all ways."""
    return [
        (access, "_WORTH", draw(st.sampled_from((8, 64, 4096)))),
        (access, "_WHOLE", draw(st.sampled_from((0, 64, 1 << 20)))),
        (copying, "_BLOCK", draw(st.sampled_from((1, 64, 400, 8 << 20)))),
        (gathering, "_GAP", draw(st.sampled_from((0, 16, 8192)))),
        (gathering, "_SPAN", draw(st.sampled_from((16, 200, 8 << 20)))),
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("views") / "data"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _open(path: Path, *tensors: Placed) -> ViewReader:
    return ViewReader(path, InputFile(path), tensors)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), limits(), st.data())
def test_reads_what_numpy_sees(
    path: Path, case: Case, limits: list[tuple[object, str, int]], data: st.DataObject
) -> None:
    info, expected = case.info, case.expected
    rows = info.matrix[0]
    with pytest.MonkeyPatch.context() as patch:
        for limit in limits:
            patch.setattr(*limit)
        with _open(path, Placed(info, case.view)) as reader:
            for _ in range(2):
                start = data.draw(st.integers(0, rows))
                stop = data.draw(st.integers(start, rows))
                found = reader.read(info.name, start, stop)
                assert found.dtype == info.dtype.storage
                assert found.shape == (stop - start, info.matrix[1])
                assert found.tobytes() == expected[start:stop].tobytes()
                first = data.draw(st.integers(0, info.nbytes))
                last = data.draw(st.integers(first, info.nbytes))
                dense = expected.tobytes()
                assert reader.read_bytes(info.name, first, last) == dense[first:last]


def test_what_a_reader_tells(path: Path) -> None:
    tensors = [
        Placed(_info((2, 3), name="b"), View.contiguous((2, 3), 0)),
        Placed(_info((2, 3), name="a"), View.contiguous((2, 3), 0)),
    ]
    file = InputFile(path)
    told = {"metadata": {"k": "v"}, "notes": ["n"], "aliases": {"a": "b"}}
    reader = ViewReader(path, file, tensors, **told)  # type: ignore[arg-type]
    assert list(reader.infos) == ["b", "a"]
    assert reader.metadata == {"": {"k": "v"}}
    assert reader.config is None
    assert reader.shards == {"b": "", "a": ""}
    assert (reader.notes, reader.aliases) == (["n"], {"a": "b"})
    assert reader.size() == len(DATA)
    assert (reader.stored_bytes("b"), reader.stored_bytes("a")) == (24, 0)
    assert (reader.forms, reader.errors, reader.spooled()) == ({}, {}, 0)
    reader.close()


@pytest.mark.parametrize("strides", [(3, 1), (1, 2)])
def test_the_array_is_the_callers(path: Path, strides: tuple[int, int]) -> None:
    with _open(path, Placed(_info((2, 3)), View((2, 3), strides, 0))) as reader:
        first = reader.read("x", 0, 2)
        before = first.tobytes()
        first[:] = 0
        assert reader.read("x", 0, 2).tobytes() == before


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 3), (2, 1)])
def test_wrong_ranges(path: Path, start: int, stop: int) -> None:
    with _open(path, Placed(_info((2,), "U8"), View.contiguous((2,), 0))) as reader:
        with pytest.raises(IndexError):
            reader.read_bytes("x", start, stop)
        with pytest.raises(IndexError):
            reader.read("x", start, stop + 1)


def test_a_shape_that_numpy_cannot_hold(path: Path) -> None:
    shape = (0, 2**62, 4)
    info = TensorInfo("x", DTYPES["F32"], shape, 0)
    with (
        _open(path, Placed(info, View(shape, (0, 0, 0), 0))) as reader,
        pytest.raises(UnsupportedError, match="too large"),
    ):
        reader.read("x", 0, 0)


@pytest.mark.parametrize("code", ["F16", "F32", "F64", "C64"])
def test_swapping_keeps_every_bit(tmp_path: Path, code: str) -> None:
    """Signalling NaNs too."""
    dtype = DTYPES[code]
    item = dtype.bits // 8
    half = item // 2 if dtype.kind == "complex" else item
    raw = bytes([0x7F, 0x81 if item == 4 else 0xF1, *range(half - 2)]) * (3 * item // half)
    path = tmp_path / "swapped"
    path.write_bytes(raw)
    with _open(path, Placed(_info((3,), code), View.contiguous((3,), 0, swapped=True))) as reader:
        swapped = b"".join(raw[at : at + half][::-1] for at in range(0, len(raw), half))
        assert reader.read("x", 0, 1).tobytes() == swapped
        assert reader.read_bytes("x", 0, 3 * item) == swapped


PLAIN = [
    ((20, 30), (30, 1)),
    ((20, 30), (90, 1)),
    ((20, 6, 3, 3), (54, 1, 18, 6)),
    ((20, 30), (0, 1)),
    ((20, 30), (1, 1)),
]


@pytest.mark.parametrize(("shape", "strides"), PLAIN)
def test_nothing_is_copied_that_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    with _open(path, Placed(_info(shape), View(shape, strides, 0))) as reader:
        assert reader.spooled() == 0
        reader.read("x", 0, 20)


def test_spooled_is_what_is_used(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    make = tempfile.TemporaryFile

    def kept(**how: Any) -> Any:
        files.append(make(**how))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", kept)
    tensors = [
        Placed(_info((20, 30), name="a"), View((20, 30), (1, 20), 0)),
        Placed(_info((20, 30), name="b"), View((20, 30), (30, 1), 0)),
        Placed(_info((7, 9), "F64", "c"), View((7, 9), (1, 7), 5)),
        Placed(_info((20, 30), name="d"), View((20, 30), (1, 20), 0)),
    ]
    with _open(path, *tensors) as reader:
        promised = reader.spooled()
        assert promised == 2400 + 504
        reader.read("b", 0, 20)
        assert files == []
        for name in reader.infos:
            reader.read(name, 0, 1)
        assert [os.fstat(file.fileno()).st_size for file in files] == [promised]
        assert reader.spooled() == 0, "nothing more is to come"
        assert os.listdir(folder) == []
    assert files[0].closed


class Zeros:
    """As many as one likes."""

    def read_into(self, buffer: memoryview, start: int) -> None:
        np.frombuffer(buffer, "u1").fill(0)


@pytest.mark.parametrize("strides", [(4000, 4), (4000, 1), (1000, 1), (1, 1)])
def test_memory_is_that_of_the_rows(path: Path, strides: tuple[int, int]) -> None:
    view = View((10**9, 1000), strides, 0)
    with _open(path, Placed(_info(view.shape), view, Zeros())) as reader:
        tracemalloc.start()
        try:
            asked = reader.read("x", 10**8, 10**8 + 1000).nbytes
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert reader.spooled() == 0
    assert peak < 4 * asked


def test_many_threads_read_one_tensor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BLOCK", 256)
    case = Case(_info((100, 30)), View((100, 30), (1, 100), 8))
    with _open(path, Placed(case.info, case.view)) as reader, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: reader.read("x", row, row + 1), range(100)))
    assert np.concatenate(found).tobytes() == case.expected.tobytes()


class Member(Sequential):
    """The data in pieces, as a deflated member of an archive gives them."""

    size = len(DATA)
    begun = 0

    def chunks(self) -> Iterator[bytes]:
        self.begun += 1
        for start in range(0, len(DATA), 1000):
            yield DATA[start : start + 1000]


def test_sources_that_come_in_order(path: Path) -> None:
    member = Member()
    dense = Case(_info((20, 30), name="dense"), View.contiguous((20, 30), 400))
    turned = Case(_info((20, 30), name="turned"), View((20, 30), (1, 20), 80, swapped=True))
    with _open(path, *(Placed(case.info, case.view, member) for case in (dense, turned))) as reader:
        assert reader.spooled() == len(DATA) + 2400
        for case in (turned, dense, turned):
            assert reader.read(case.info.name, 3, 9).tobytes() == case.expected[3:9].tobytes()
    assert member.begun == 1


def test_a_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    tensors = [
        Placed(_info((20, 30), name="a"), View((20, 30), (1, 20), 0)),
        Placed(_info((20, 30), name="b"), View((20, 30), (30, 1), 0)),
    ]
    with _open(path, *tensors) as reader:
        os.truncate(path, 1000)
        for name in ("a", "b", "a"):
            with pytest.raises(InputError, match="changed while it was read"):
                reader.read(name, 0, 20)


def test_reading_after_close(path: Path) -> None:
    tensors = [
        Placed(_info((20, 30), name="a"), View((20, 30), (1, 20), 0)),
        Placed(_info((20, 30), name="b"), View((20, 30), (30, 1), 0)),
    ]
    reader = _open(path, *tensors)
    reader.read("a", 0, 1)
    reader.close()
    for name in ("a", "b"):
        with pytest.raises(InputError, match="after it was closed"):
            reader.read(name, 0, 1)


def test_headers_need_no_numpy(path: Path) -> None:
    code = """
import sys
from pathlib import Path
from compress_core.dtypes import DTYPES
from compress_core.inputs import InputFile
from compress_core.tensors import TensorInfo
from compress_core.views import Placed, View, ViewReader
path = Path(sys.argv[1])
info = TensorInfo("x", DTYPES["F32"], (20, 30), 2400)
reader = ViewReader(path, InputFile(path), [Placed(info, View((20, 30), (1, 20), 0))])
print(reader.spooled(), "numpy" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2400 False\n"
