"""Errors of compressed tensors as a text that stands in the metadata of their file.

Its length is known before the errors are: numbers stand in fields of a fixed width, since they come
only after the header's length is fixed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from compress_core.errors import FormatError

Sums = tuple[float, float, float, int]
"""Σ(W−Ŵ)², ΣW², max|W−Ŵ| and zeros of one tensor."""

_LARGEST = sys.float_info.max


def errors_text(errors: Iterable[Sums]) -> str:
    """Sums of tensors as text whose length depends on their number alone."""
    rows = (
        f"[{a:<23.16e},{b:<23.16e},{largest:<23.16e},{zeros:<20d}]"
        for a, b, largest, zeros in errors
    )
    return f"[{','.join(rows)}]"


def read_errors(text: str, key: str) -> list[Sums]:
    """The sums of :func:`errors_text`.

    :param key: what the text stands under, for messages.
    :raises FormatError: they are damaged.
    """
    rows = parsed(text, key)
    if not isinstance(rows, list):
        raise FormatError(f"{key} is no list")
    return [_sums(row, key) for row in rows]


def parsed(text: str, key: str) -> Any:
    """JSON that stands under ``key``; without the constants that JSON does not have.

    :raises FormatError: it is none.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{key} is not JSON: {error}") from None


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _sums(row: Any, key: str) -> Sums:
    numbers = isinstance(row, list) and len(row) == 4
    if not numbers or not all(type(one) in (int, float) and 0 <= one <= _LARGEST for one in row):
        raise FormatError(f"{key} has a row that is not four numbers")
    return float(row[0]), float(row[1]), float(row[2]), int(row[3])
