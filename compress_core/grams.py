"""Gram files: what is known of the inputs of layers, as second moments.

For a weight ``X.weight`` (or ``X``) a Gram file holds ``X.gram``, the mean of x xᵀ over inputs x,
(columns, columns); optionally ``X.mean``, the mean of x, and ``X.count``, how many there were. The
same of other inputs, ``X.held_out.gram`` and so on, is what a result is judged by and never fitted
to. Any file or folder of weights that is read here can be one, so that it may be sharded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from compress_core.container import Reader
from compress_core.errors import FormatError, UsageError
from compress_core.opening import open_weights
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sample = Literal["in_sample", "held_out"]
SAMPLES: tuple[Sample, ...] = ("in_sample", "held_out")

_PREFIXES: Mapping[Sample, str] = {"in_sample": "", "held_out": "held_out."}
_PARTS = ("gram", "mean", "count")
_READ = 256
"""Rows of a matrix that are read and looked at together."""


class Grams:
    """An open Gram file, for the tensors of one model.

    :ivar path: for messages.
    :ivar columns: tensor → columns of its matrix, for those that have a Gram matrix.
    :ivar notes: what must be said of the file.
    """

    def __init__(self, reader: Reader, infos: Iterable[TensorInfo]) -> None:
        self.path = reader.path
        self._reader = reader
        self._checked: set[str] = set()
        self._checking = Lock()
        known = {_stem(info.name): info for info in infos}
        self.columns: dict[str, int] = {}
        idle = []
        for name in reader.infos:
            stem, sample, part = _parted(name)
            info = known.get(stem)
            if part is None or info is None:
                idle.append(name)
                continue
            self._check_shape(reader.infos[name], part, info)
            if part == "gram" and sample == "in_sample":
                self.columns[info.name] = info.matrix[1]
        self.notes = [_idle(idle)] if idle else []
        self._refuse_orphans(known)
        if not self.columns:
            raise UsageError(
                "no tensor of the input has a Gram matrix in this file",
                where=str(self.path),
                hint=f"see what is there: modelopt inspect {self.path}",
            )

    @classmethod
    def open(cls, path: Path | str, infos: Iterable[TensorInfo]) -> Grams:
        """The Gram file at ``path``; only headers are read.

        :param infos: the tensors of the model.
        :raises InputError: it cannot be read, or a matrix has not the shape of its tensor's inputs.
        :raises UsageError: it is of another model.
        """
        reader = open_weights(path)
        try:
            return cls(reader, infos)
        except BaseException:
            reader.close()
            raise

    @property
    def known(self) -> dict[str, tuple[Sample, ...]]:
        """Tensor → the samples of inputs that there is a Gram matrix of."""
        return {name: self.samples(name) for name in self.columns}

    def samples(self, name: str) -> tuple[Sample, ...]:
        """The samples of inputs that there is a Gram matrix of for a tensor."""
        return tuple(one for one in SAMPLES if self._key(name, one) in self._reader.infos)

    def matrix(self, name: str) -> NDArray[np.float32]:
        """The Gram matrix that a tensor is fitted by, in a new array.

        :raises FormatError: it holds NaN, is not symmetric, or is indefinite beyond rounding.
        """
        import numpy as np

        self.check(name)
        size = self.columns[name]
        found = np.empty((size, size), dtype=np.float32)
        for first in range(0, size, _READ):
            found[first : first + _READ] = self.rows(name, "in_sample", first, first + _READ)
        return found

    def rows(self, name: str, sample: Sample, first: int, stop: int) -> NDArray[np.float32]:
        """Some rows of a Gram matrix; any thread."""
        from compress_core.kernels.floats import widen

        key = self._key(name, sample)
        info = self._reader.infos[key]
        raw = self._reader.read(key, first, min(stop, info.matrix[0]))
        return widen(raw, info.dtype.code)

    def check(self, name: str) -> None:
        """Look through the matrices of a tensor, once; any thread.

        :raises FormatError: as :meth:`matrix` does.
        """
        with self._checking:
            for sample in self.samples(name):
                self._check(name, sample)

    def _check(self, name: str, sample: Sample) -> None:
        key = self._key(name, sample)
        if key not in self._checked:
            _check_values(self, name, sample, self._refused(key))
            self._checked.add(key)

    def _refused(self, key: str) -> _Refusal:
        return _Refusal(key, str(self.path))

    def _check_shape(self, found: TensorInfo, part: str, info: TensorInfo) -> None:
        columns = info.matrix[1]
        shapes: dict[str, list[tuple[int, ...]]] = {
            "gram": [(columns, columns)],
            "mean": [(columns,)],
            "count": [(), (1,)],
        }
        if found.shape not in shapes[part]:
            raise self._refused(found.name).of(
                f"its shape is {list(found.shape)}, and {info.name} has {columns} inputs"
            )
        if part == "gram" and found.dtype.code not in ("F32", "F64"):
            raise self._refused(found.name).of(
                f"a Gram matrix of {found.dtype.code} is too coarse: F32 or F64 is wanted"
            )

    def _refuse_orphans(self, known: Mapping[str, TensorInfo]) -> None:
        """What stands beside a Gram matrix means nothing without it."""
        for name in self._reader.infos:
            stem, sample, part = _parted(name)
            if part is None or stem not in known:
                continue
            for owner in (SAMPLES[0], sample):
                if self._key(known[stem].name, owner) not in self._reader.infos:
                    raise self._refused(name).of("there is no Gram matrix that it goes with")

    def _key(self, name: str, sample: Sample) -> str:
        return f"{_stem(name)}.{_PREFIXES[sample]}gram"

    def close(self) -> None:
        """Give back file handles."""
        self._reader.close()

    def __enter__(self) -> Grams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Refusal:
    """The error about one member of the file."""

    def __init__(self, key: str, where: str) -> None:
        self._key = key
        self._where = where

    def of(self, reason: str) -> FormatError:
        return FormatError(f"tensor {self._key}: {reason}", where=self._where)


def _stem(name: str) -> str:
    return name.removesuffix(".weight")


def _parted(name: str) -> tuple[str, Sample, str | None]:
    """``X.held_out.gram`` → X, held_out, gram; a name that is none of ours has no part."""
    stem, _, part = name.rpartition(".")
    if part not in _PARTS:
        return name, "in_sample", None
    if stem.endswith(".held_out"):
        return stem.removesuffix(".held_out"), "held_out", part
    return stem, "in_sample", part


def _idle(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"the Gram file has {names[0]}{more} for no tensor of the input"


def _check_values(grams: Grams, name: str, sample: Sample, refused: _Refusal) -> None:
    """Finite, symmetric, and positive semi-definite as far as rounding can tell.

    What rounding does to the eigenvalues of a matrix is of the size of its norm times the epsilon
    of its dtype; a few times that may be missing.
    """
    import numpy as np

    from compress_core.kernels.calibrated.factor import factorise

    size = grams.columns[name]
    work = np.empty((size, size), dtype=np.float64)
    for first in range(0, size, _READ):
        work[first : first + _READ] = grams.rows(name, sample, first, first + _READ)
    if not np.isfinite(work).all():
        raise refused.of("it holds NaN or infinity")
    norm = float(np.sqrt(np.sum(np.square(work))))
    tolerance = _SLACK * norm
    for first in range(0, size, _READ):
        own = slice(first, first + _READ)
        if np.abs(work[own] - work[:, own].T).max(initial=0.0) > tolerance:
            raise refused.of("it is not symmetric")
    work.reshape(-1)[:: size + 1] += tolerance or 1.0
    try:
        factorise(work)
    except np.linalg.LinAlgError:
        raise refused.of("it is indefinite: no inputs have such a Gram matrix") from None


_SLACK = 2.0**-15
"""Largest error of a Gram matrix as a part of its norm: long sums in float32 make less."""
