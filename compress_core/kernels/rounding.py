"""From the floats of a file to codes, and what codes differ from them by: each in one pass.

What is done with values on the way is what other kernels do one after the other. These do it
without a float32 copy of a tile, which is more than a processor holds near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.differences import Weighed, grains
from compress_core.kernels.floats import narrow, widen
from compress_core.kernels.groups import grouped, largest
from compress_core.kernels.integers import integer_codes, integer_values
from compress_core.kernels.scaled import Number, scaled_codes, scaled_values
from compress_core.kernels.scales import stored_scale
from compress_core.kernels.twins import twin


@dataclass(frozen=True, slots=True)
class Rounding:
    """Codes of ``value / scale``, with ``scale = max|w| / steps`` of each group.

    :ivar number: the format of the quotients, rounded to the nearest; ``integer``: codes are
        ``rint(value / scale) + after``, from ``low`` to ``high``.
    :ivar of_zero: the scale of a group of zeros.
    """

    number: Number | Literal["integer"]
    steps: float
    scale_dtype: str
    of_zero: float
    low: int = 0
    high: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Coded:
    """Codes (rows, columns), and what they stand for: ``number · unit``.

    :ivar width: columns that have a ``unit``, which is (rows, groups).
    :ivar number: the format of codes; ``integer``: ``code − zero``.
    """

    codes: NDArray[np.uint8]
    width: int
    unit: NDArray[np.float32]
    number: Number | Literal["integer"]
    zero: int = 0


@twin
def rounded(
    raw: NDArray[Any], code: str, width: int, how: Rounding
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Scales (rows, groups) and codes of (rows, columns) finite floats in the storage dtype of
    ``code``.

    :raises UnsupportedError: a scale beyond the range of its dtype.
    """
    values = widen(raw, code)
    step = np.divide(largest(grouped(values, width)), how.steps, dtype=np.float32)
    scale = stored_scale(step, how.scale_dtype, of_zero=how.of_zero)
    if how.number == "integer":
        after, low, high = how.after, how.low, how.high
        return scale, integer_codes(values, width, scale, after=after, low=low, high=high)
    return scale, scaled_codes(values, width, scale, how.number)


@twin
def rounding_errors(
    raw: NDArray[Any], code: str, coded: Coded, stored: str, grain: int
) -> list[Weighed]:
    """What sets floats and what their codes stand for, rounded to ``stored``, apart: for each
    ``grain`` rows, in the words of :func:`~compress_core.kernels.differences.grains`.
    """
    if coded.number == "integer":
        values = integer_values(coded.codes, coded.width, coded.unit, zero=coded.zero)
    else:
        values = scaled_values(coded.codes, coded.width, coded.unit, coded.number)
    return grains(raw, narrow(values, stored), (code, stored), grain)
