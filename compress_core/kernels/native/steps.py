"""Twins of :mod:`compress_core.kernels.steps`; and how groups and ladders go to functions in C."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, INT, address, function
from compress_core.kernels.steps import Ladder, nf4_ladder

Floats = NDArray[np.float32]

MATRIX = (ARRAY, COUNT, COUNT, COUNT, COUNT)
LADDER = (ARRAY, ARRAY, ARRAY, COUNT, COUNT)
_steps = function("modelopt_steps", *MATRIX, *LADDER, INT, ARRAY)


def nf4_step(values: Floats, *, negative: bool) -> Floats:
    """See :func:`compress_core.kernels.steps.nf4_step`."""
    values = as_it_lies(values)
    found = np.empty(values.shape[1], np.float32)
    _steps(*matrix(values), *rungs(nf4_ladder()), int(negative), address(found))
    return found


def as_it_lies(values: Floats) -> Floats:
    """float32 that is contiguous in one order or the other: transposed arrays are not copied."""
    return np.asarray(values, np.float32, order="F" if values.flags.f_contiguous else "C")


def matrix(values: Floats) -> tuple[Any, ...]:
    """The arguments of ``MATRIX``."""
    along, across = (stride // values.itemsize for stride in values.strides)
    return address(values), along, across, *values.shape


def rungs(ladder: Ladder) -> tuple[Any, ...]:
    """The arguments of ``LADDER``, of one that is kept."""
    steps, _, bounds = ladder.rows.shape
    arrays = ladder.rows, ladder.rises, ladder.energies
    return *map(address, arrays), steps, bounds
