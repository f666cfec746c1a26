"""Importance matrices of llama.cpp: the mean squares of what layers get, as Gram matrices.

Nothing is known beside their diagonals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Self

from compress_core.errors import UsageError
from compress_core.foreign import HEAD
from compress_core.grams import imatrix_dat, imatrix_gguf
from compress_core.grams.base import Grams, Refusal, Sample, idle
from compress_core.grams.entries import Entry
from compress_core.grams.llama_names import name_in_transformers
from compress_core.inputs import InputFile
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXPERTS = "_exps."


class Imatrix(Grams):
    """An open importance matrix; :meth:`of` tells it the tensors of a model."""

    diagonal: ClassVar[bool] = True

    def __init__(self, file: InputFile, entries: Mapping[str, Entry]) -> None:
        self.path = file.path
        self._file = file
        self._all = entries
        self._of: dict[str, str] = {}
        self._checked: set[str] = set()
        self._checking = Lock()
        self.columns = {}
        self.with_mean = frozenset()
        self.notes = []

    @classmethod
    def recognised(cls, path: Path) -> Self | None:
        """The importance matrix at ``path``; ``None``: it is something else.

        :raises FormatError: it is damaged.
        """
        if not path.is_file():
            return None
        file = InputFile(path)
        try:
            head = file.read(0, min(HEAD, file.size))
            entries: Mapping[str, Entry]
            if head.startswith(imatrix_gguf.MAGIC):
                entries = imatrix_gguf.entries_of(file)
            elif path.suffix == imatrix_dat.SUFFIX or imatrix_dat.looks_like_it(head, file.size):
                entries = imatrix_dat.entries_of(file)
            else:
                file.close()
                return None
        except BaseException:
            file.close()
            raise
        return cls(file, entries)

    def of(self, infos: Iterable[TensorInfo]) -> Self:
        """The same for the tensors of a model, by their names or by those of transformers.

        :raises FormatError: an entry has not a value for each column of its tensor.
        :raises UsageError: none of them is in it.
        """
        known = {info.name: info for info in infos}
        unused, columns = [], {}
        try:
            for name, entry in self._all.items():
                info = known.get(name) or known.get(name_in_transformers(name) or "")
                if info is None or _EXPERTS in name:
                    unused.append(name)
                    continue
                self._check_size(name, entry, info)
                self._of[info.name] = name
                columns[info.name] = info.matrix[1]
            if not columns:
                raise UsageError(
                    "no tensor of the input is in this importance matrix",
                    where=str(self.path),
                    hint=f"its names are such as {next(iter(self._all), 'none')}; see docs/gram.md",
                )
        except BaseException:
            self.close()
            raise
        self.columns = columns
        self.notes = [idle("importance matrix", unused)] if unused else []
        return self

    def _check_size(self, name: str, entry: Entry, info: TensorInfo) -> None:
        if entry.size != info.matrix[1]:
            raise Refusal(name, str(self.path)).of(
                f"it has {entry.size:,} values, and {info.name} has {info.matrix[1]:,} inputs"
            )
        if info.name in self._of:
            raise Refusal(name, str(self.path)).of(f"{self._of[info.name]} is the same tensor")

    def samples(self, name: str) -> tuple[Sample, ...]:
        return ("in_sample",)

    def energies(self, name: str, sample: Sample) -> NDArray[np.float64]:
        import numpy as np

        key = self._of[name]
        found = self._all[key].values(self._file)
        refused = Refusal(key, str(self.path))
        if not np.isfinite(found).all():
            raise refused.of("it holds NaN or infinity, or a count that is none")
        if found.min() < 0:
            raise refused.of("it holds a square below zero")
        # no result depends on a common factor, and any is in the range of float32 then
        return np.ldexp(found, -int(np.frexp(found.max())[1]))

    def matrix(self, name: str) -> NDArray[np.float32]:
        import numpy as np

        return np.diag(self.energies(name, "in_sample").astype(np.float32))

    def rows(self, name: str, sample: Sample, first: int, stop: int) -> NDArray[np.float32]:
        import numpy as np

        energies = self.energies(name, sample).astype(np.float32)
        found = np.zeros((min(stop, len(energies)) - first, len(energies)), dtype=np.float32)
        own = np.arange(len(found))
        found[own, first + own] = energies[first:stop]
        return found

    def means(self, name: str) -> Mapping[Sample, NDArray[np.float64]]:
        return {}

    def check(self, name: str) -> None:
        with self._checking:
            if name not in self._checked:
                self.energies(name, "in_sample")
                self._checked.add(name)

    def close(self) -> None:
        self._file.close()
