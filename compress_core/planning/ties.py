"""Tensors that share their data in the input: which of them stay so, and what is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

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


def gram_owners(tied: Mapping[str, str], with_gram: Collection[str]) -> dict[str, str]:
    """Tensor → the one whose Gram matrix it is fitted by, among those that share their data.

    That is the first one of them that has a matrix: data that are decided once have one only.
    """
    owners: dict[str, str] = {}
    for names in _together(tied).values():
        given = [name for name in names if name in with_gram]
        if given:
            owners |= dict.fromkeys(names, given[0])
    return owners


def unused_grams(tied: Mapping[str, str], with_gram: Collection[str]) -> list[str]:
    """What is said of Gram matrices of tensors whose data another matrix decides of."""
    return [
        f"{name} and {owner} share their data: of their Gram matrices that of {owner} is used"
        for name, owner in gram_owners(tied, with_gram).items()
        if name in with_gram and name != owner
    ]


def with_inputs_of(one: TensorPlan, other: TensorPlan) -> TensorPlan:
    """``one``, with the Gram matrices that there are of ``other``."""
    given = [stage.target for stage in other.stages]
    stages = tuple(
        replace(
            stage,
            target=replace(
                stage.target, has_gram=target.has_gram, has_held_out=target.has_held_out
            ),
        )
        for stage, target in zip(one.stages, given, strict=True)
    )
    return replace(one, stages=stages)


def _together(tied: Mapping[str, str]) -> dict[str, list[str]]:
    """The first of some tensors that share their data → all of them."""
    found: dict[str, list[str]] = {}
    for name, first in tied.items():
        found.setdefault(first, [first]).append(name)
    return found


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
