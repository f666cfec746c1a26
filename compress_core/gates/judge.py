"""Gates × measurements × baselines → verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from compress_core.errors import UsageError
from compress_core.gates.baseline import Baseline
from compress_core.gates.gate import Gate, Limit
from compress_core.gates.growth import Growth
from compress_core.gates.measurement import Measurement, TensorMeasure, figure
from compress_core.gates.verdict import TensorFigure, Verdict
from compress_core.select import told_unmatched

_KEPT = {"size": "bytes", "tensor_bytes": "tensor_bytes"}
"""Metric → what a baseline calls it."""


class Judge:
    """Gates and the baselines that they compare with, read before anything is measured.

    :param baseline: takes the place of the baselines that the gates name.
    :param create: whether a baseline may be missing.
    :raises UsageError: a gate has no baseline, or it is not there.
    :raises InputError: a baseline is damaged.
    """

    def __init__(
        self, gates: Sequence[Gate], *, baseline: Path | None = None, create: bool = False
    ) -> None:
        self.gates = tuple(gates)
        self._override = baseline
        paths = [self._path(gate) for gate in self.gates if gate.growing]
        if baseline is not None and not paths:
            paths = [baseline]
        self.baselines = {path: Baseline.read(path, create=create) for path in paths}

    def _path(self, gate: Gate) -> Path:
        path = self._override or gate.baseline_path()
        if path is None:
            raise UsageError(
                "growth from what? the gate names no baseline",
                where=str(gate.growing[0].origin),
                hint="add --baseline FILE",
            )
        return path

    def new_files(self, measured: Iterable[Measurement]) -> list[str]:
        """Those that a baseline does not know yet."""
        paths = [one.path for one in measured]
        return [
            f"new, not in {known.path}: {path}"
            for known in self.baselines.values()
            for path in paths
            if known.of(path) is None
        ]

    def verdicts(
        self, of: Measurement, on_unmatched: str = "error"
    ) -> tuple[list[Verdict], list[str]]:
        """What all gates say of one file, and what is to be said of those that say nothing.

        :param on_unmatched: what a pattern is that matches no tensor of this file.
        :raises UsageError: a gate finds nothing to measure in it.
        """
        found: list[Verdict] = []
        notes: list[str] = []
        names = [tensor.name for tensor in of.tensors]
        for gate in self.gates:
            missing = told_unmatched(gate.written, names, on_unmatched)
            notes += [f"{of.path}: {said}" for said in missing]
            taken = [tensor for tensor in of.tensors if gate.takes(tensor.name)]
            if taken or not gate.narrowed:
                found += [self._verdict(gate, limit, of, taken) for limit in gate.limits]
            elif on_unmatched == "error":
                raise _nothing("no tensor", gate, of)
        return found, notes

    def _verdict(
        self, gate: Gate, limit: Limit, of: Measurement, taken: Sequence[TensorMeasure]
    ) -> Verdict:
        if isinstance(limit.value, Growth):
            return self._growth(gate, limit, limit.value, of)
        if gate.over == "tensor":
            return _over_tensors(gate, limit, limit.value, of, taken)
        now = figure(gate.metric, of, taken if gate.narrowed else None)
        if now is None:
            raise _nothing(f"no {gate.metric}", gate, of)
        return Verdict(of.path, gate, limit, now, limit.value, len(taken))

    def _growth(self, gate: Gate, limit: Limit, growth: Growth, of: Measurement) -> Verdict:
        known = self.baselines[self._path(gate)]
        entry = known.of(of.path)
        before = None if entry is None else entry[_KEPT[gate.metric]]
        return Verdict(
            file=of.path,
            gate=gate,
            limit=limit,
            now=figure(gate.metric, of) or 0,
            bound=None if before is None else before + growth.allowed(before),
            measured=len(of.tensors),
            before=before,
            baseline=str(known.path),
        )


def _over_tensors(
    gate: Gate, limit: Limit, bound: float, of: Measurement, taken: Sequence[TensorMeasure]
) -> Verdict:
    figures = [(tensor.name, figure(gate.metric, of, [tensor])) for tensor in taken]
    measured = [TensorFigure(name, now) for name, now in figures if now is not None]
    if not measured:
        raise _nothing(f"no {gate.metric}", gate, of)
    sign = 1 if limit.kind == "max" else -1
    by_rank = sorted(measured, key=lambda one: -sign * one.now)
    return Verdict(
        file=of.path,
        gate=gate,
        limit=limit,
        now=by_rank[0].now,
        bound=bound,
        measured=len(measured),
        worst=by_rank[0].name,
        breaches=tuple(one for one in by_rank if sign * (one.now - bound) > 0),
    )


def _nothing(what: str, gate: Gate, of: Measurement) -> UsageError:
    return UsageError(
        f"the gate finds {what} in {of.path}",
        where=str(gate.limits[0].origin),
        hint=f"see what is there: modelopt inspect {of.path}",
    )
