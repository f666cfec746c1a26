"""The triangular factor of a Gram matrix: what an error in one column asks of the next ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 128


def factorise(gram: NDArray[Any]) -> None:
    """Overwrite a symmetric matrix by its upper triangular factor R with H = R Rᵀ.

    Block by block from the last columns to the first, in place, so that it needs no second matrix;
    what is below the diagonal becomes zero.

    :raises numpy.linalg.LinAlgError: it is not positive definite.
    """
    for stop in range(len(gram), 0, -BLOCK):
        start = max(0, stop - BLOCK)
        own = slice(start, stop)
        corner = _factor_of(gram[own, own])
        gram[own, own] = corner
        gram[own, :start] = 0
        above = gram[:start, own] @ np.linalg.inv(corner).T.astype(gram.dtype)
        gram[:start, own] = above
        for first in range(0, start, BLOCK):
            last = min(first + BLOCK, start)
            gram[:last, first:last] -= above[:last] @ above[first:last].T


def invert(factor: NDArray[Any]) -> None:
    """Overwrite an upper triangular factor by its inverse, in place as :func:`factorise` does.

    What is left of and above a block of columns is inverted before it.
    """
    for start in range(0, len(factor), BLOCK):
        own = slice(start, start + BLOCK)
        corner = np.linalg.inv(factor[own, own].astype(np.float64)).astype(factor.dtype)
        factor[:start, own] = -(factor[:start, :start] @ (factor[:start, own] @ corner))
        factor[own, own] = np.triu(corner)


def _factor_of(corner: NDArray[Any]) -> NDArray[np.float64]:
    """The same for one block: the lower factor of what is turned by half is the upper one."""
    turned = np.linalg.cholesky(corner[::-1, ::-1].astype(np.float64))
    return np.ascontiguousarray(turned[::-1, ::-1])


def solve_upper(factor: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """x with R x = ``right``, for the upper triangular R of :func:`factorise`; (n,) → (n,).

    ‖x‖² is ``right``ᵀ H⁻¹ ``right``.
    """
    found = right.copy()
    for stop in range(len(factor), 0, -BLOCK):
        own = slice(max(0, stop - BLOCK), stop)
        found[own] = np.linalg.solve(factor[own, own], found[own])
        found[: own.start] -= factor[: own.start, own] @ found[own]
    return found


def damp(gram: NDArray[Any], share: float) -> float:
    """Add a share of the mean of the diagonal to the diagonal, in place; what was added.

    A matrix of zeros, which no input ever came to, becomes that of unit variance.
    """
    mean = float(np.mean(gram.diagonal(), dtype=np.float64))
    added = share * mean if mean > 0 else 1.0
    gram.reshape(-1)[:: len(gram) + 1] += gram.dtype.type(added)
    return added
