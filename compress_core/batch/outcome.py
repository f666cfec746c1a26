"""What became of the items of a batch, as values with a JSON form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from compress_core import errors
from compress_core.errors import GateError, ModelOptError, OutputError
from compress_core.gates import Breach

SCHEMA = "modelopt.batch/1"

State = Literal["done", "resumed", "failed", "skipped"]

_FIGURES = ("bytes_in", "bytes_out", "ratio", "bits_per_weight", "error", "sqnr_db", "max_abs")
_ELSEWHERE = "mend that and run it again, what is done stays done; or write elsewhere: -O DIR"


@dataclass(frozen=True)
class Outcome:
    """One item.

    :ivar item: its name.
    :ivar state: ``resumed``: it was done before; ``skipped``: the batch ended before its turn.
    :ivar totals: as in a report's JSON form; empty for what failed or was skipped.
    :ivar kind: the class of the error that made it fail, as :mod:`compress_core.errors` calls it;
        ``message``, ``where`` and ``hint`` are the error's own.
    :ivar notes: what must be said of it.
    :ivar kept: why tensors were left as they are, and how many; known of what was ``done``.
    :ivar breaches: the limits that the output would have exceeded.
    """

    item: str
    state: State
    totals: Mapping[str, Any] = field(default_factory=dict)
    layout: str | None = None
    kind: str | None = None
    message: str | None = None
    where: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    breaches: tuple[Breach, ...] = ()

    @classmethod
    def failed(cls, item: str, error: ModelOptError) -> Self:
        """What an error makes of an item."""
        return cls(
            item,
            "failed",
            kind=type(error).__name__,
            message=error.message,
            where=error.where,
            hint=error.hint or (_ELSEWHERE if isinstance(error, OutputError) else None),
            breaches=error.breaches if isinstance(error, GateError) else (),
        )

    @property
    def error(self) -> ModelOptError | None:
        """Why it failed, as an error again; its message begins with the item."""
        if self.message is None:
            return None
        kind: type[ModelOptError] = getattr(errors, self.kind or "", ModelOptError)
        return kind(f"{self.item}: {self.message}", where=self.where, hint=self.hint)

    def to_json(self) -> dict[str, Any]:
        """One flat record, with the same keys whatever happened."""
        return {
            "item": self.item,
            "state": self.state,
            **{key: self.totals.get(key) for key in _FIGURES},
            "layout": self.layout,
            "kind": self.kind,
            "message": self.message,
            "where": self.where,
            "hint": self.hint,
        }


@dataclass(frozen=True)
class BatchReport:
    """A batch, or a shard of one.

    :ivar outcomes: in the order of the request.
    :ivar shard: such as ``1/3``.
    """

    outcomes: tuple[Outcome, ...]
    spec: Mapping[str, Any]
    version: str
    shard: str = "1/1"

    def count(self, state: State) -> int:
        """How many items ended so."""
        return self._counts[state]

    @property
    def _counts(self) -> Counter[State]:
        return Counter(outcome.state for outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, schema ``modelopt.batch/1``."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "shard": self.shard,
            "spec": dict(self.spec),
            "totals": {
                **{state: self.count(state) for state in get_args(State)},
                "bytes_in": self.total("bytes_in"),
                "bytes_out": self.total("bytes_out"),
            },
            "items": [
                {
                    **outcome.to_json(),
                    "kept": dict(outcome.kept),
                    "notes": list(outcome.notes),
                    "breaches": [breach.to_json() for breach in outcome.breaches],
                }
                for outcome in self.outcomes
            ],
        }

    def total(self, figure: Literal["bytes_in", "bytes_out"]) -> int:
        """A sum over all items that are done."""
        return sum(outcome.totals.get(figure, 0) for outcome in self.outcomes)
