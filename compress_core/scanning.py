"""Read tensors from end to end, in spans of elements that fit in memory.

What :mod:`compress_core.engine` does to the tensors of a plan, this does to those of any reader.
Spans are whole *grains*, whose size follows from the tensor alone, so that sums a grain are the
same for any limit of memory and any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from compress_core.container import Reader
from compress_core.engine import sweep
from compress_core.settings import Progress, Settings
from compress_core.tensors import TensorInfo
from compress_core.tiling import GRAIN_ELEMENTS, Tiling, grain_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Subject:
    """A tensor that is to be read.

    :ivar by_rows: whether it can be read by whole rows only, since a layout decodes it.
    """

    info: TensorInfo
    by_rows: bool

    @property
    def grain(self) -> int:
        """Elements of one grain: whole rows, as in a run of passes, unless a row is longer."""
        columns = self.info.matrix[1]
        whole_bytes = columns * self.info.dtype.bits % 8 == 0
        if self.by_rows or (0 < columns <= GRAIN_ELEMENTS and whole_bytes):
            return max(1, grain_rows(self.info, 1) * columns)
        return GRAIN_ELEMENTS


_Subject = TypeVar("_Subject", bound=Subject)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Span(Generic[_Subject]):
    """Elements ``start:stop`` of a tensor, in the order of the file.

    :ivar done: bytes of all subjects up to its end.
    """

    subject: _Subject
    start: int
    stop: int
    done: int

    def grains(self) -> Iterator[slice]:
        """Where its grains stand in it."""
        size = self.subject.grain
        return (slice(first, first + size) for first in range(0, self.stop - self.start, size))


def scan(
    stage: str,
    subjects: Sequence[_Subject],
    function: Callable[[Span[_Subject]], _Result],
    settings: Settings,
    *,
    enough: Callable[[_Subject], bool] = lambda _: False,
) -> Iterator[tuple[_Subject, _Result]]:
    """``function`` of every span of every tensor, in order; in threads, with progress.

    :param enough: asked before each span: whether the rest of that tensor may be left out.
    :raises UnsupportedError: a row of a tensor that must be read by rows does not fit in memory.
    """
    tiling = Tiling(settings.max_memory, settings.threads)
    total = sum(subject.info.nbytes for subject in subjects)
    largest = max((min(one.grain, one.info.elements) for one in subjects), default=0)
    spans = _spans(subjects, tiling, enough)
    for span, result in sweep(spans, function, tiling.threads(largest)):
        yield span.subject, result
        if settings.progress is not None:
            settings.progress(Progress(stage, span.done, total))


def _spans(
    subjects: Sequence[_Subject], tiling: Tiling, enough: Callable[[_Subject], bool]
) -> Iterator[Span[_Subject]]:
    before = 0
    for subject in subjects:
        info = subject.info
        for start, stop in tiling.spans(info, subject.grain):
            if enough(subject):
                break
            yield Span(subject, start, stop, before + stop * info.dtype.bits // 8)
        before += info.nbytes


def elements(reader: Reader, name: str, start: int, stop: int) -> NDArray[Any]:
    """Elements ``start:stop`` of a tensor: flat, in the storage dtype.

    Of a dtype narrower than a byte each element is a uint8 that holds its bits; they are taken to
    be packed with the least significant first.
    """
    import numpy as np

    info = reader.infos[name]
    if name in reader.forms:
        columns = info.matrix[1]
        return reader.read(name, start // columns, stop // columns).reshape(-1)
    data = stored_bytes(reader, name, start, stop)
    if info.dtype.storage is not None:
        return np.frombuffer(data, info.dtype.storage)
    from compress_core.kernels.bits import unpack

    stream = np.frombuffer(data, np.uint8)[None, :]
    codes: NDArray[Any] = unpack(stream, info.dtype.bits, stop - start)
    return codes.reshape(-1)


def stored_bytes(reader: Reader, name: str, start: int, stop: int) -> bytes:
    """The bytes of elements ``start:stop`` of a tensor that is stored as plain values."""
    bits = reader.infos[name].dtype.bits
    return reader.read_bytes(name, start * bits // 8, stop * bits // 8)
