"""Tensors that share their data in the input: which of them stay so, and what is said."""

from __future__ import annotations

from collections.abc import Mapping

from compress_core.planning.plan import Plan, TensorPlan


def tied_tensors(aliases: Mapping[str, str], tensors: Mapping[str, TensorPlan]) -> dict[str, str]:
    """Tensor → the first one of the same data and the same fate: one may be changed alone."""
    tied: dict[str, str] = {}
    owners: dict[str, list[str]] = {}
    for name, first in aliases.items():
        known = owners.setdefault(first, [first])
        twin = next((one for one in known if _fate(tensors[one]) == _fate(tensors[name])), None)
        if twin is None:
            known.append(name)
        else:
            tied[name] = twin
    return tied


def _fate(one: TensorPlan) -> object:
    return one.form, one.info.matrix, [(stage.step, stage.work) for stage in one.stages]


def tie_notes(plan: Plan) -> list[str]:
    """What is said of tensors that share their data in the input."""
    apart = [
        f"{name} and {first} share their data in the input, and are treated differently"
        for name, first in plan.source.aliases.items()
        if name not in plan.tied
    ]
    once = {name: of for name, of in plan.tied.items() if name in plan.aliases}
    twice = {name: of for name, of in plan.tied.items() if name not in plan.aliases}
    for how, ties in (("stored once", once), (f"layout {plan.layout.id} stores each", twice)):
        if ties:
            said = ", ".join(f"{name} = {first}" for name, first in [*ties.items()][:3])
            more = f" and {len(ties) - 3} more" if len(ties) > 3 else ""
            apart.append(f"tied, {how}: {said}{more}")
    return apart
