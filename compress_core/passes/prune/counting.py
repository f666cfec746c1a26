"""How many are zeroed, from shapes alone."""

from __future__ import annotations

import math

from compress_core.tensors import Structure


def share(fraction: float, count: int) -> int:
    """How many of ``count`` a fraction means: floor(fraction·count + ½), at most ``count``."""
    return min(count, math.floor(fraction * count + 0.5))


def units(matrix: tuple[int, int], structure: Structure) -> tuple[int, int]:
    """Rows and columns of the grid of units that a matrix of (rows, columns) falls into.

    A ragged block at the edge is a unit too.
    """
    rows, columns = matrix
    if structure.kind == "row":
        return rows, 1
    if structure.kind == "column":
        return 1, columns
    if structure.kind == "block":
        return -(-rows // structure.height), -(-columns // structure.width)
    return rows, columns


def kept_elements(
    matrix: tuple[int, int], structure: Structure, sparsity: float, scope: str
) -> int | None:
    """Elements that stay when a share of the units of every ``row`` or of the ``tensor`` is zeroed.

    ``None`` where blocks do not divide the matrix: then it depends on which of them go.
    """
    rows, columns = matrix
    if structure.kind == "nofm":
        whole, rest = divmod(columns, structure.width)
        return rows * (whole * structure.height + min(structure.height, rest))
    if structure.kind == "block" and (rows % structure.height or columns % structure.width):
        return None
    unit_rows, unit_columns = units(matrix, structure)
    count = unit_rows * unit_columns
    per_row = scope == "row"
    zeroed = unit_rows * share(sparsity, unit_columns) if per_row else share(sparsity, count)
    return (count - zeroed) * (rows * columns // count) if count else 0
