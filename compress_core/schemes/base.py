"""What a number format is: a grid whose parameters are fitted to groups of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GroupSize = int | Literal["channel", "tensor"]
SCALE_DTYPES = ("F32", "F16", "BF16")
Parameters = dict[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Parameter:
    """One figure a group, as it is stored: a float of ``dtype``, or (``bits``) an unsigned code."""

    dtype: str = ""
    bits: int = 0


@dataclass(frozen=True)
class Scheme(ABC):
    """One number format with all its settings; equal objects give equal codes.

    Values come as (rows, groups, width) float32 arrays that are zero where ``kept`` is false;
    ``kept`` is ``None`` when every element is kept. Fitting takes ``rounds`` of two steps each, so
    that one group may also be a whole tensor that is seen tile by tile: :meth:`observe` sums up a
    piece of a group, ``reductions`` says how pieces combine, :meth:`conclude` turns the result into
    parameters.

    :cvar id: its name, also in files.
    :cvar rounds: how often the values must be seen.
    :cvar reductions: statistic → ``sum``, ``min`` or ``max``.
    :ivar bits: bits of one code.
    :ivar group_size: consecutive columns that share parameters; ``channel``: a row; ``tensor``:
        all.
    """

    id: ClassVar[str]
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]]

    bits: int
    group_size: GroupSize

    @property
    @abstractmethod
    def rounds(self) -> int:
        """How often the values must be seen."""

    @property
    @abstractmethod
    def holds_zero(self) -> bool:
        """Whether the zero code decodes to exactly zero, so that zeros need no mask."""

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of a group, in the order in which they are stored."""

    @abstractmethod
    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        """Statistics of round ``turn`` for (rows, groups, width) values: name → (rows, groups)."""

    @abstractmethod
    def conclude(self, turn: int, statistics: Parameters, found: Parameters) -> Parameters:
        """``found`` and the parameters that round ``turn`` settles.

        Float parameters are float32 numbers that their stored dtype holds exactly.

        :raises UnsupportedError: a parameter does not fit its dtype.
        """

    def fit(self, values: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> Parameters:
        """Parameters of the groups of (rows, columns) values that are zero where ``mask`` is true.

        :raises UnsupportedError: a parameter does not fit its dtype.
        """
        import numpy as np

        from compress_core.kernels.groups import grouped

        width = self.width(values.shape[1])
        kept = None if mask is None else ~mask
        if kept is None and values.shape[1] % width:
            kept = np.ones(values.shape, dtype=np.bool_)  # what fills a ragged group is not counted
        pieces = grouped(values, width), None if kept is None else grouped(kept, width)
        found: Parameters = {}
        for turn in range(self.rounds):
            found = self.conclude(turn, self.observe(turn, *pieces, found), found)
        return found

    @abstractmethod
    def encode(self, values: NDArray[np.float32], parameters: Parameters) -> NDArray[np.uint8]:
        """Codes of (rows, columns) values."""

    @abstractmethod
    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        """Values of (rows, columns) codes, in a new array."""

    @abstractmethod
    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        """The code that a masked element gets, broadcastable to (rows, columns)."""

    def width(self, columns: int) -> int:
        """Columns of one group in a row of ``columns``; 1 where there are none."""
        size = self.group_size if isinstance(self.group_size, int) else columns
        return max(1, min(size, columns))

    def groups(self, columns: int) -> int:
        """Groups of a row of ``columns``; the last may be shorter."""
        return -(-columns // self.width(columns))

    def settings(self) -> dict[str, Any]:
        """Every setting, for the record in a file; :meth:`restored` is the inverse."""
        return {"scheme": self.id} | {
            field.name: getattr(self, field.name) for field in fields(self)
        }

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Self:
        """The scheme that :meth:`settings` described.

        :raises FormatError: the record is not one of this scheme.
        """
        from compress_core.errors import FormatError

        given = {key: value for key, value in settings.items() if key != "scheme"}
        if given.keys() != {field.name for field in fields(cls)}:
            raise FormatError(f"settings of {cls.id} are incomplete or unknown: {sorted(given)}")
        scheme = cls(**given)
        scheme.validate()
        return scheme

    @property
    def group_said(self) -> str:
        """The group size as tables say it: ``g128``, ``channel``, ``tensor``."""
        return f"g{self.group_size}" if isinstance(self.group_size, int) else self.group_size

    def validate(self) -> None:
        """Check settings that come from a file.

        :raises FormatError: a value that this scheme never writes.
        """
        from compress_core.errors import FormatError

        size = self.group_size
        if not (size in ("channel", "tensor") or (type(size) is int and size > 0)):
            raise FormatError(f"not a group size: {size!r}")
        if type(self.bits) is not int or not 1 <= self.bits <= 8:
            raise FormatError(f"not a number of bits: {self.bits!r}")


def check_scales(dtype: object, center: object) -> None:
    """Check the dtype of scales and the center, which come from a file.

    :raises FormatError: one is none that a scheme writes.
    """
    from compress_core.errors import FormatError

    if dtype not in SCALE_DTYPES:
        raise FormatError(f"not a dtype of scales: {dtype!r}")
    if center not in ("none", "mean"):
        raise FormatError(f"not a center of codes: {center!r}")
