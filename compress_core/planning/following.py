"""Passes that go by what becomes of another tensor: what is refused, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from compress_core.errors import UsageError
from compress_core.passes.base import Decided, Follower
from compress_core.planning.decision import Decision
from compress_core.planning.plan import Plan, TensorPlan


def refuse_late_changes(tensors: Mapping[str, TensorPlan]) -> None:
    """What a pass went by must stay what it was then.

    :raises UsageError: a later step changes it.
    """
    for one in tensors.values():
        for step, leader in _leaders(one):
            late = next((stage for stage in tensors[leader].stages if stage.step > step), None)
            if late is not None:
                raise UsageError(
                    f"passes[{late.step}] changes {leader}, which {one.info.name} was fitted to",
                    where=f"passes[{step}]",
                    hint=f"put {one.stages[-1].work.id} behind it",
                )


def _leaders(one: TensorPlan) -> Iterator[tuple[int, str]]:
    """(step, leader) of the passes on a tensor that go by another."""
    for stage in one.stages:
        if isinstance(stage.work, Follower):
            yield stage.step, str(stage.work.leader(one.info))


def told_apart(decision: Decision, tensors: Mapping[str, TensorPlan]) -> list[str]:
    """What is to be said of tensors that nothing could be gone by for, and of those that nothing
    follows.
    """
    said = [
        f"{decision.pipeline.steps[index].work.id} leaves {_counted(names)} alone: {reason}"
        for (index, reason), names in decision.apart.items()
    ]
    for index, step in enumerate(decision.pipeline.steps):
        if isinstance(step.work, Follower):
            alone = list(_unfollowed(step.work, index, tensors))
            said += [f"{step.work.id}: {step.work.unled} {_counted(alone)}"] if alone else []
    return said


def _unfollowed(work: Follower, index: int, tensors: Mapping[str, TensorPlan]) -> Iterator[str]:
    """Tensors that earlier steps change and that no tensor of the file could go by."""
    leaders = {work.leader(one.info) for one in tensors.values()}
    for name, one in tensors.items():
        changed = any(stage.step < index for stage in one.stages)
        if changed and name not in leaders and work.leader(one.info) is None:
            yield name


def with_decided(plan: Plan, decided: Mapping[tuple[int, str], Decided]) -> Plan:
    """The plan with what data have told its passes, and with what must be said of that."""
    tensors = dict(plan.tensors)
    remarks: dict[str, list[str]] = {}
    for name, one in plan.tensors.items():
        owner = plan.owner(one).info.name
        for stage in one.stages:
            found = decided[stage.step, owner]
            if found.remark is not None:
                remarks.setdefault(f"{stage.work.id}: {found.remark}", []).append(name)
            if found.leaves_alone and len(one.stages) == 1:
                tensors[name] = replace(one, left=found.remark or "nothing to do")
    plan.notes.extend(f"{said}: {_counted(names)}" for said, names in remarks.items())
    return replace(plan, tensors=tensors)


def _counted(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if names[1:] else names[0]
