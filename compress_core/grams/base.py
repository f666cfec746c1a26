"""What all sources of Gram matrices have in common, for the tensors of one model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sample = Literal["in_sample", "held_out"]
SAMPLES: tuple[Sample, ...] = ("in_sample", "held_out")


class Grams(ABC):
    """Second moments of what layers get, and maybe first ones.

    :cvar diagonal: whether nothing but the diagonals of the matrices is known, so that all else of
        them is zero: see :meth:`energies`.
    :ivar path: for messages.
    :ivar columns: tensor → columns of its matrix, for those that have one.
    :ivar with_mean: those of them of whose inputs the mean is known too.
    :ivar notes: what must be said.
    """

    diagonal: ClassVar[bool] = False
    path: Path
    columns: Mapping[str, int]
    with_mean: frozenset[str]
    notes: Sequence[str]

    @property
    def known(self) -> dict[str, tuple[Sample, ...]]:
        """Tensor → the samples of inputs that there is a Gram matrix of."""
        return {name: self.samples(name) for name in self.columns}

    @abstractmethod
    def samples(self, name: str) -> tuple[Sample, ...]:
        """The samples of inputs that there is a matrix of for a tensor."""

    @abstractmethod
    def matrix(self, name: str) -> NDArray[np.float32]:
        """The matrix that a tensor is fitted by, (columns, columns), in a new array.

        :raises FormatError: no inputs can have such a matrix.
        """

    @abstractmethod
    def rows(self, name: str, sample: Sample, first: int, stop: int) -> NDArray[np.float32]:
        """Some rows of a matrix; any thread."""

    @abstractmethod
    def energies(self, name: str, sample: Sample) -> NDArray[np.float64]:
        """The diagonal of a matrix, (columns,): the mean squares of the inputs; any thread.

        :raises FormatError: as :meth:`matrix` does.
        """

    @abstractmethod
    def means(self, name: str) -> Mapping[Sample, NDArray[np.float64]]:
        """Sample → the mean of a tensor's inputs, (columns,), where it is known; any thread.

        :raises FormatError: as :meth:`check` does.
        """

    @abstractmethod
    def check(self, name: str) -> None:
        """Look through what there is of a tensor, once; any thread.

        :raises FormatError: as :meth:`matrix` does, or no inputs have both the matrix and the mean.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back file handles."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Refusal:
    """The error about one member of a file.

    :param key: the member; ``where``: the file.
    """

    def __init__(self, key: str, where: str) -> None:
        self._key = key
        self._where = where

    def of(self, reason: str) -> FormatError:
        """To be raised."""
        return FormatError(f"tensor {self._key}: {reason}", where=self._where)


def idle(kind: str, names: Sequence[str]) -> str:
    """What is to be said of members that are for no tensor."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"the {kind} has {names[0]}{more} for no tensor of the input"
