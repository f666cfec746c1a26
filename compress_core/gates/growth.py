"""How much a file may grow: a share of what it was, a number of bytes, or the larger of both."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from compress_core.errors import UsageError
from compress_core.near import shown
from compress_core.sizes import parse_size, spelled

PERCENT = r"[0-9]{1,6}(?:\.[0-9]{1,6})?\s*%"
LARGEST_SIZE = 10**18
"""No limit is this large: sizes are written with at most 18 digits."""

_PERCENT = re.compile(rf"\s*({PERCENT})\s*")
_FORMS = "write '1%', '64 KiB', or '1%, 64 KiB'"


@dataclass(frozen=True)
class Growth:
    """What may be added; with both limits given, only growth above both is too much.

    :ivar percent: of what it was.
    :ivar nbytes: bytes, a floor below which a percentage says nothing of small files.
    :raises UsageError: neither is given, or one is negative or beyond all measure.
    """

    percent: float | None = None
    nbytes: int | None = None

    def __post_init__(self) -> None:
        if self.percent is None and self.nbytes is None:
            raise UsageError("max_growth says nothing", where="max_growth", hint=_FORMS)
        if self.percent is not None and not 0 <= self.percent < math.inf:
            raise UsageError(
                f"percent: {shown(self.percent)} is not accepted",
                where="max_growth",
                hint="percent takes a number of 0 or more",
            )
        if self.nbytes is not None and not 0 <= self.nbytes < LARGEST_SIZE:
            raise UsageError(
                f"bytes: {shown(self.nbytes)} is not accepted",
                where="max_growth",
                hint="bytes takes a size below 10^18",
            )

    @classmethod
    def parse(cls, text: str) -> Growth:
        """What ``1%``, ``64 KiB`` or ``1%, 64 KiB`` stands for.

        :raises UsageError: it is none of them.
        """
        said: dict[str, Any] = {}
        for part in text.split(","):
            key, value = _part(part)
            if key in said:
                raise UsageError(f"not a growth: {text!r}", hint=_FORMS)
            said[key] = value
        return cls(**said)

    def allowed(self, before: int) -> int:
        """The bytes that may be added to ``before``."""
        share = 0 if self.percent is None else before * _exactly(self.percent) / 100
        # a growth that is a fraction of a byte too large cannot be seen: sizes are whole
        return max(math.floor(share), self.nbytes or 0)

    def config(self) -> str | dict[str, Any]:
        """As a spec writes it; both limits as a mapping."""
        if self.nbytes is None:
            return f"{self.percent:g}%" if _short(self.percent) else {"percent": self.percent}
        if self.percent is None:
            return spelled(self.nbytes)
        return {"percent": self.percent, "bytes": spelled(self.nbytes)}


def _part(text: str) -> tuple[str, float | int]:
    found = _PERCENT.fullmatch(text)
    if found is not None:
        return "percent", percentage(found[1])
    try:
        return "nbytes", parse_size(text)
    except UsageError as error:
        raise UsageError(f"not a growth: {text!r}", hint=error.hint or _FORMS) from None


def percentage(text: str) -> float:
    """The number before the sign of ``12.5 %``; ``text`` has the form of :data:`PERCENT`."""
    return float(text.rstrip("% \t"))


def _exactly(percent: float) -> Fraction:
    """The decimal number that somebody wrote, not the float next to it."""
    return Fraction(repr(percent))


def _short(percent: float | None) -> bool:
    """Whether ``%g`` and the pattern of a percentage hold it exactly."""
    text = f"{percent:g}%"
    return re.fullmatch(PERCENT, text) is not None and percentage(text) == percent
