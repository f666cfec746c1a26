"""Plain scalars as the core schema of YAML 1.2 reads them.

YAML 1.1, which PyYAML reads, takes ``no`` for false, ``2:4`` for 124, ``017`` for 15 and ``1e-3``
for text. Recipes are full of such words.

Source: YAML 1.2.2, §10.3.2.
"""

from __future__ import annotations

import math
import re

from compress_core.errors import UsageError
from compress_core.fields import Scalar
from compress_core.near import shown

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BASES = ((re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def scalar(text: str) -> Scalar:
    """The value that ``text`` stands for where YAML has no quotes around it.

    :raises UsageError: an infinite number, NaN, or an integer of more than 63 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    for written, base in _BASES:
        if written.fullmatch(text):
            return _integer(text[2:], base, text)
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("+-")) > 1 and text.lstrip("+-").startswith("0"):
            raise UsageError(
                f"{shown(text)} has a leading zero, which some readers take for octal",
                hint=f"write {text.lstrip('+-0') or '0'}, or quote it",
            )
        return _integer(text, 10, text)
    if _FLOAT.fullmatch(text):
        return _finite(float(text), text)
    if _NOT_FINITE.fullmatch(text):
        return _finite(math.nan, text)
    return text


def _integer(digits: str, base: int, text: str) -> int:
    value = int(digits, base) if len(digits.lstrip("+-")) <= 22 else 2**64
    if not -(2**63) <= value < 2**63:
        raise UsageError(f"{shown(text)} is larger than 63 bits can hold")
    return value


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{shown(text)} is not a finite number")
    return value
