"""A gate: a metric, the tensors that it is of, and its limits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from compress_core.errors import UsageError
from compress_core.fields import Configured, option
from compress_core.gates.growth import Growth
from compress_core.gates.metric import METRICS, Metric
from compress_core.select import Pattern, Written, listed
from compress_core.tensors import TensorInfo

Kind = Literal["max", "min", "max_growth"]


@dataclass(frozen=True)
class Origin:
    """Where somebody wrote a limit.

    :ivar said: the flag, or the path inside a file: ``--max-size``, ``gates[0].max``.
    :ivar file: as it was opened; ``None`` for a flag. ``line`` and ``column`` count from 1.
    """

    said: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.file is None:
            return self.said
        return f"{self.file}:{self.line}:{self.column}  {self.said}"


@dataclass(frozen=True)
class Limit:
    """One bound of a gate.

    :ivar value: in the unit of the gate's metric (:meth:`Metric.limit`), or a growth.
    """

    kind: Kind
    value: float | Growth
    origin: Origin = field(default=Origin("from Python"), compare=False)


@dataclass(frozen=True)
class Gate(Configured):
    """What may not be exceeded.

    :ivar limits: one verdict comes of each.
    :ivar match: the tensors that are measured; ``()`` = all. ``ignore``: none of these.
    :raises UsageError: its parts do not go together; ``where`` is the field's name.
    """

    metric: str = option("what is measured", str, default="size", choices=tuple(METRICS))
    limits: tuple[Limit, ...] = ()
    match: tuple[Pattern, ...] = ()
    ignore: tuple[Pattern, ...] = ()
    over: str = option(
        "all tensors together, or each by itself",
        str,
        default="total",
        choices=("total", "tensor"),
    )
    baseline: str | None = option(
        "the baseline that max_growth compares with, beside the file that names it",
        str,
        pattern=r"(?s:.+)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.limits:
            raise UsageError(
                f"gate on {self.metric} has no limit", hint="add max, min or max_growth"
            )
        if self.narrowed and not self.measures.of_tensors:
            raise UsageError(
                f"{self.metric} is of whole files",
                where="over" if self.over == "tensor" else "match",
                hint="use metric: tensor_bytes for some of the tensors",
            )
        if self.growing:
            self._check_growth()
        elif self.baseline is not None:
            raise UsageError(
                "a baseline without max_growth", where="baseline", hint="add max_growth: 1%"
            )

    def _check_growth(self) -> None:
        if not self.measures.grows:
            known = ", ".join(one.id for one in METRICS.values() if one.grows)
            raise UsageError(
                f"no baseline holds {self.metric}", where="max_growth", hint=f"it holds {known}"
            )
        if self.narrowed:
            raise UsageError(
                "a baseline is of whole files, and the gate of some tensors",
                where="max_growth",
                hint="leave out match, ignore and over",
            )

    @property
    def measures(self) -> Metric:
        """The metric itself."""
        return METRICS[self.metric]

    @property
    def narrowed(self) -> bool:
        """Whether it is of less than all tensors together."""
        return bool(self.match or self.ignore) or self.over == "tensor"

    @property
    def growing(self) -> tuple[Limit, ...]:
        """The limits that need a baseline."""
        return tuple(limit for limit in self.limits if limit.kind == "max_growth")

    @property
    def written(self) -> tuple[Written, ...]:
        """The patterns that somebody wrote, each with its place."""
        return (*listed("match", self.match), *listed("ignore", self.ignore))

    def takes(self, name: str) -> bool:
        """Whether the tensor ``name`` is measured."""
        if self.match and not any(pattern.matches(name) for pattern in self.match):
            return False
        return not any(pattern.matches(name) for pattern in self.ignore)

    def finds(self, infos: Iterable[TensorInfo]) -> bool:
        """Whether there is anything for it to measure among ``infos``."""
        if not self.measures.of_tensors:
            return True
        taken = [info for info in infos if self.takes(info.name)]
        if self.measures.reads in ("errors", "zeros"):
            taken = [info for info in taken if info.dtype.is_weight]
        return any(info.elements for info in taken)

    def baseline_path(self) -> Path | None:
        """Where its baseline lies: a relative path is meant from the file that holds the gate."""
        if self.baseline is None:
            return None
        home = next((limit.origin.file for limit in self.growing), None)
        return Path(os.path.dirname(home or ""), self.baseline)

    def config(self) -> dict[str, Any]:
        """The canonical dictionary, as a spec writes it."""
        said: dict[str, Any] = {"metric": self.metric}
        said |= {limit.kind: self._written(limit) for limit in self.limits}
        for key, found in (("match", self.match), ("ignore", self.ignore)):
            if found:
                said[key] = [pattern.text for pattern in found]
        if self.over != "total":
            said["over"] = self.over
        return said if self.baseline is None else said | {"baseline": self.baseline}

    def _written(self, limit: Limit) -> Any:
        if isinstance(limit.value, Growth):
            return limit.value.config()
        return self.measures.written(limit.value)


def needs(gates: Iterable[Gate]) -> frozenset[str]:
    """What must be known of the data, beyond headers, for all of ``gates``."""
    return frozenset(gate.measures.reads for gate in gates if gate.measures.reads is not None)
