"""What a number format is: a grid whose parameters are fitted to groups of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from compress_core.dtypes import DTYPES
from compress_core.fitting import FORMULA, Fitting
from compress_core.wanted import GroupSize as GroupSize
from compress_core.wanted import Wanted as Wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.differences import Weighed
    from compress_core.kernels.rounding import Coded, Rounding

SCALE_DTYPES = ("F32", "F16", "BF16")
Parameters = dict[str, "NDArray[Any]"]

EPSILONS: Mapping[str, float] = {"F32": 2.0**-23, "F16": 2.0**-10, "BF16": 2.0**-7}
"""What compressed-tensors puts in the place of a scale of 0, by dtype."""


def added(default: Any) -> Any:
    """A setting that came after files of its scheme had been written.

    Records leave it out where it has its default, so that nothing changes in them.
    """
    return field(default=default, metadata={"added": True})


@dataclass(frozen=True)
class Parameter:
    """One figure a group, as it is stored: a float of ``dtype``, or (``bits``) an unsigned code.

    :ivar whole: one figure for the whole tensor, whatever its groups are.
    :ivar span: groups, one after the other through the flattened tensor, that have the same figure,
        which is stored once.
    """

    dtype: str = ""
    bits: int = 0
    whole: bool = False
    span: int = 1

    @property
    def stored(self) -> str:
        """The dtype of its part: floats of 8 bits are held as bit patterns, which all loaders
        take.
        """
        return "U8" if self.bits or DTYPES[self.dtype].bits == 8 else self.dtype


@dataclass(frozen=True)
class Scheme(ABC):
    """One number format with all its settings; equal objects give equal codes.

    Values come as (rows, groups, width) float32 arrays that are zero where ``kept`` is false;
    ``kept`` is ``None`` when every element is kept. Fitting takes ``rounds`` of two steps each, so
    that one group may also be a whole tensor that is seen tile by tile: :meth:`observe` sums up a
    piece of a group, ``reductions`` says how pieces combine, :meth:`conclude` turns the result into
    parameters. The first ``surveys`` rounds are over the whole tensor. Where a search is asked for,
    :meth:`search` then improves what the rounds found. How parameters are chosen is said by a
    :class:`Fitting`; a reader need not know it.

    :cvar id: its name, also in files.
    :cvar rules: rules of :class:`Fitting` that it has a formula for.
    :cvar reductions: statistic → ``sum``, ``min`` or ``max``.
    :cvar doubled: the id of the same format with scales that are codes themselves (double
        quantization); ``None``: there is none.
    :ivar bits: bits of one code.
    :ivar group_size: consecutive columns that share parameters; ``channel``: a row; ``tensor``:
        all.
    """

    id: ClassVar[str]
    rules: ClassVar[tuple[str, ...]] = ("absmax",)
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]]
    doubled: ClassVar[str | None] = None

    bits: int
    group_size: GroupSize

    @classmethod
    @abstractmethod
    def asked(cls, wanted: Wanted) -> Self:
        """The scheme that somebody asks for.

        :raises UsageError: the options do not go together.
        """

    @property
    @abstractmethod
    def rounds(self) -> int:
        """How often the values must be seen."""

    @property
    def surveys(self) -> int:
        """How many of the rounds are over the whole tensor."""
        return self.rounds if self.group_size == "tensor" else 0

    @property
    def rows(self) -> int:
        """Rows that share parameters, counted from row 0: tiles hold whole multiples of them."""
        return 1

    def row_multiple(self, columns: int) -> int:
        """Rows of ``columns`` that share parameters; ``rows``, where the width does not matter."""
        return self.rows

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

    def overview(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        """Statistics of a round over the whole tensor for (rows, columns) of it: name → (1, 1)."""
        flat = None if kept is None else kept.reshape(1, 1, -1)
        return self.observe(turn, values.reshape(1, 1, -1), flat, found)

    @abstractmethod
    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        """``found`` and the parameters that round ``turn`` settles.

        Float parameters are float32 numbers that their stored dtype holds exactly.

        :raises UnsupportedError: a parameter does not fit its dtype.
        """

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """What may take the place of parameters in ``found``, in their shapes, for a search."""
        yield from ()

    def fit(
        self,
        values: NDArray[np.float32],
        mask: NDArray[np.bool_] | None,
        fitting: Fitting = FORMULA,
        surveyed: Parameters | None = None,
    ) -> Parameters:
        """Parameters of the groups of (rows, columns) values that are zero where ``mask`` is true.

        :param surveyed: what the rounds over the whole tensor found; ``None``: the values are all
            of it.
        :raises UnsupportedError: a parameter does not fit its dtype.
        """
        import numpy as np

        from compress_core.kernels.groups import grouped

        kept = None if mask is None else ~mask
        found = self._over_all(values, kept, fitting) if surveyed is None else surveyed
        width = self.width(values.shape[1])
        if kept is None and values.shape[1] % width:
            kept = np.ones(values.shape, dtype=np.bool_)  # what fills a ragged group is not counted
        pieces = grouped(values, width), None if kept is None else grouped(kept, width)
        for turn in range(self.surveys, self.rounds):
            found = self.conclude(turn, self.observe(turn, *pieces, found), found, fitting)
        return self.search(*pieces, found, fitting) if fitting.searches else found

    def _over_all(
        self, values: NDArray[np.float32], kept: NDArray[np.bool_] | None, fitting: Fitting
    ) -> Parameters:
        """What the rounds over the whole tensor find in ``values``."""
        found: Parameters = {}
        for turn in range(self.surveys):
            statistics = self.overview(turn, values, kept, found)
            found = self.conclude(turn, statistics, found, fitting)
        return found

    def search(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
        fitting: Fitting,
    ) -> Parameters:
        """Parameters of no more squared error than ``found``: the best of :meth:`trials`.

        :param values: (rows, groups, width), as in :meth:`observe`.
        """
        import numpy as np

        from compress_core.kernels.trials import best_trial, row_slices

        rows, groups, width = values.shape
        if not rows:
            return found
        if self.group_size == "tensor":
            rows, groups, width = 1, 1, values.size
        flat = values.reshape(rows, groups * width)
        stays = np.broadcast_to(True, flat.shape) if kept is None else kept.reshape(flat.shape)
        pieces = []
        for part in row_slices(*flat.shape):
            own = found | {name: found[name][part] for name in self._of_groups()}
            errors = self.errors(flat[part], None if kept is None else stays[part], width, fitting)
            pieces.append(best_trial(errors, own, self.trials(own, fitting)))
        return found | {
            name: np.concatenate([piece[name] for piece in pieces]) for name in self._of_groups()
        }

    def errors(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        width: int,
        fitting: Fitting,
    ) -> Callable[[Parameters], NDArray[np.float64]]:
        """Parameters → the squared error of each group of (rows, columns) values with them."""
        from compress_core.kernels.trials import squared_errors

        def errors(parameters: Parameters) -> NDArray[np.float64]:
            decoded = self.decode(self.encode(values, parameters, fitting), parameters)
            return squared_errors(values, decoded, kept, width)

        return errors

    def rounding(self, fitting: Fitting) -> Rounding | None:
        """How codes follow from the largest magnitudes of groups alone; ``None``: they do not."""
        return None

    def coded(self, codes: NDArray[np.uint8], parameters: Parameters) -> Coded | None:
        """Codes as numbers times units; ``None``: they are more than that."""
        return None

    def round(
        self, raw: NDArray[Any], code: str, fitting: Fitting = FORMULA
    ) -> tuple[Parameters, NDArray[np.uint8]]:
        """What :meth:`fit` and :meth:`encode` make of floats as a file has them: (rows, columns) in
        the storage dtype of ``code``.

        :raises UnsupportedError: a parameter does not fit its dtype.
        """
        from compress_core.kernels.floats import widen
        from compress_core.kernels.rounding import rounded

        how = None if fitting.searches or self.surveys else self.rounding(fitting)
        if how is not None:
            scale, codes = rounded(raw, code, self.width(raw.shape[1]), how)
            return {"scale": scale}, codes
        values = widen(raw, code)
        found = self.fit(values, None, fitting)
        return found, self.encode(values, found, fitting)

    def rounding_errors(
        self,
        raw: NDArray[Any],
        code: str,
        codes: NDArray[np.uint8],
        parameters: Parameters,
        stored: str,
        grain: int,
    ) -> list[Weighed]:
        """What sets floats as a file has them, of dtype ``code``, and what their codes stand for
        once it is rounded to ``stored``, apart: for each ``grain`` rows.
        """
        from compress_core.kernels import rounding
        from compress_core.kernels.differences import grains
        from compress_core.kernels.floats import narrow

        coded = self.coded(codes, parameters)
        if coded is not None:
            return rounding.rounding_errors(raw, code, coded, stored, grain)
        decoded = narrow(self.decode(codes, parameters), stored)
        return grains(raw, decoded, (code, stored), grain)

    def _of_groups(self) -> list[str]:
        """The parameters that each group has for itself."""
        return [name for name, kind in self.parameters().items() if not kind.whole]

    @abstractmethod
    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        """Codes of (rows, columns) values.

        :param fitting: how the parameters were chosen; the codes of a rule go with its scale.
        """

    @abstractmethod
    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        """Values of (rows, columns) codes, in a new array.

        :raises FormatError: codes or parameters that this scheme never writes and that are no
            numbers.
        """

    def ends(
        self, parameters: Parameters
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Half a step beyond the smallest and the largest number of each group, (rows, groups).

        What lies further out is cut off, and not rounded. ``None``: there are two numbers for
        the two sides of a group, which has no ends.
        """
        return None

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
            one.name: value
            for one in fields(self)
            if (value := getattr(self, one.name)) != one.default or not _was_added(one)
        }

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Self:
        """The scheme that :meth:`settings` described.

        :raises FormatError: the record is not one of this scheme.
        """
        from compress_core.errors import FormatError

        given = {key: value for key, value in settings.items() if key != "scheme"}
        needed = {one.name for one in fields(cls) if not _was_added(one)}
        if not needed <= given.keys() <= {one.name for one in fields(cls)}:
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


def _was_added(setting: Field[Any]) -> bool:
    return "added" in setting.metadata


def check_scales(dtype: object, center: object = "none") -> None:
    """Check the dtype of scales and the center, which come from a file.

    :raises FormatError: one is none that a scheme writes.
    """
    from compress_core.errors import FormatError

    if dtype not in SCALE_DTYPES:
        raise FormatError(f"not a dtype of scales: {dtype!r}")
    if center not in ("none", "mean"):
        raise FormatError(f"not a center of codes: {center!r}")
