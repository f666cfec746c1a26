"""What can be measured of a file, of all its tensors or of some."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from compress_core.errors import UsageError
from compress_core.gates.growth import LARGEST_SIZE, PERCENT, percentage
from compress_core.near import shown
from compress_core.sizes import parse_size, spelled

Unit = Literal["bytes", "times", "bits", "share", "decibels", "number"]

_PERCENT = re.compile(rf"\s*({PERCENT})\s*")


@dataclass(frozen=True)
class Metric:
    """One kind of measurement.

    :ivar reads: what must be known of the data besides headers: ``errors``, ``zeros``, ``plain``,
        the size without compression, or ``outputs``, what layers give; ``None``: nothing.
    :ivar grows: whether a baseline keeps it.
    :ivar of_tensors: whether it can be of some tensors; otherwise it is of whole files.
    """

    id: str
    help: str
    unit: Unit
    reads: Literal["errors", "zeros", "plain", "outputs"] | None = None
    grows: bool = False
    of_tensors: bool = True

    def accepts(self) -> str:
        """What a limit may be, for messages."""
        forms = {
            "bytes": "a size: 25 MiB, or bytes as a number",
            "share": "a number from 0 to 1, or a percentage: 50%",
        }
        return forms.get(self.unit, "a number")

    def limit(self, value: object) -> float:
        """``value`` as a number of this metric's unit; bytes are integers.

        :raises UsageError: it is none.
        """
        found = self._size(value) if self.unit == "bytes" else self._number(value)
        if found is None:
            raise UsageError(f"{shown(value)} is no limit of {self.id}", hint=self._hint)
        return found

    def written(self, limit: float) -> str | float:
        """``limit`` as a spec writes it."""
        return spelled(int(limit)) if self.unit == "bytes" else limit

    @property
    def _hint(self) -> str:
        return f"{self.id} takes {self.accepts()}"

    def _size(self, value: object) -> int | None:
        found = parse_size(value) if isinstance(value, str) else value
        return found if type(found) is int and 0 <= found < LARGEST_SIZE else None

    def _number(self, value: object) -> float | None:
        if self.unit == "share" and isinstance(value, str):
            found = _PERCENT.fullmatch(value)
            value = percentage(found[1]) / 100 if found is not None else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        most = 1 if self.unit == "share" else 1e18
        least = -1e18 if self.unit == "decibels" else 0
        return float(value) + 0 if least <= value <= most else None


METRICS = {
    metric.id: metric
    for metric in (
        Metric("size", "bytes of the weight files", "bytes", grows=True, of_tensors=False),
        Metric("tensor_bytes", "bytes of the tensors, without headers", "bytes", grows=True),
        Metric("ratio", "how many times smaller than uncompressed", "times", reads="plain"),
        Metric("bits_per_weight", "stored bits an element", "bits"),
        Metric("error", "‖W−Ŵ‖/‖W‖", "number", reads="errors"),
        Metric("sqnr_db", "signal to quantization noise, in dB", "decibels", reads="errors"),
        Metric("max_abs", "largest |W−Ŵ|", "number", reads="errors"),
        Metric(
            "output_error",
            "error of what layers give, for held-out inputs where there are some",
            "number",
            reads="outputs",
        ),
        Metric("zeros", "share of float elements that are zero", "share", reads="zeros"),
    )
}
"""By the name that specs give them."""
