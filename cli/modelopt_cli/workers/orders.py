"""What parent and worker tell each other, as values and as lines.

To the worker: one :class:`Setup`, then tasks, then ``end``. From it, for each task: any number of
``progress``, then ``outcome`` or ``busy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from compress_core import Gate, Settings, Spec, from_config
from compress_core.batch import Item, Order, Outcome
from compress_core.gates import Breach, Origin

END: Mapping[str, Any] = {"end": True}


@dataclass(frozen=True)
class Setup:
    """What a worker must know before its first task.

    :ivar spec: the configuration of the spec.
    :ivar origins: where the limits of its gates stand, which a configuration does not say; for each
        gate by the kind of the limit. Baselines are looked for from there.
    :ivar settings: those of the core that differ from its defaults.
    """

    folder: str
    spec: Mapping[str, Any]
    label: str
    origins: Sequence[Mapping[str, Any]] = ()
    verify: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec, **others: Any) -> Self:
        """What a spec says, and the other fields."""
        return cls(spec=spec.config(), origins=[_origins(gate) for gate in spec.gates], **others)

    def order(self) -> Order:
        """The same for the core."""
        written = from_config(self.spec)
        spec = replace(written, gates=tuple(map(_placed, written.gates, self.origins)))
        return Order(
            folder=Path(self.folder),
            spec=spec,
            gates=spec.gates,
            settings=replace(Settings(jobs=1), **self.settings),
            verify=self.verify,
            label=self.label,
        )


def _origins(gate: Gate) -> dict[str, Any]:
    return {limit.kind: asdict(limit.origin) for limit in gate.limits}


def _placed(gate: Gate, origins: Mapping[str, Any]) -> Gate:
    """``gate``, whose limits stand where they were written."""
    limits = (replace(one, origin=Origin(**origins[one.kind])) for one in gate.limits)
    return replace(gate, limits=tuple(limits))


@dataclass(frozen=True)
class Task:
    """One item, and whether to wait for another run that works on it."""

    name: str
    source: str
    target: str
    wait: bool

    @classmethod
    def of(cls, item: Item, *, wait: bool) -> Self:
        """The task of an item."""
        return cls(item.name, str(item.source), str(item.target), wait)

    @property
    def item(self) -> Item:
        """The item again."""
        return Item(self.name, Path(self.source), Path(self.target))


@dataclass(frozen=True)
class Answer:
    """What came of a task.

    :ivar outcome: ``None``: another run works on it.
    :ivar traceback: of a bug.
    """

    outcome: Outcome | None
    traceback: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The line."""
        return {"answer": asdict(self)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` made."""
        outcome, traceback = said["answer"]["outcome"], said["answer"]["traceback"]
        if outcome is None:
            return cls(None, traceback)
        return cls(_outcome(outcome), traceback)


def _outcome(said: Mapping[str, Any]) -> Outcome:
    breaches = tuple(
        Breach(**{**one, "origin": Origin(**one["origin"])}) for one in said["breaches"]
    )
    return Outcome(**{**said, "notes": tuple(said["notes"]), "breaches": breaches})
