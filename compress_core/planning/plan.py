"""A plan: which passes take a tensor, what it becomes, and what stores it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from compress_core import model
from compress_core.container import PartSpec, Reader
from compress_core.layouts.base import Checkpoint, Layout
from compress_core.passes.base import GRAM_ROWS, Pass, Target
from compress_core.planning.dtypes_of_config import config_after, config_remarks
from compress_core.report import Exactness
from compress_core.spec import Spec
from compress_core.tensors import Form, TensorInfo


@dataclass(frozen=True)
class Stage:
    """A pass on one tensor, and the tensor's form before and after it.

    :ivar step: index of the step in the pipeline.
    """

    step: int
    work: Pass
    target: Target


@dataclass(frozen=True)
class TensorPlan:
    """What happens to one tensor.

    :ivar stages: its passes in order; none for a tensor that is kept.
    :ivar skipped: why passes leave it alone, in the order of the pipeline.
    :ivar left: why its passes have left it as it was after all, as the data told.
    """

    info: TensorInfo
    role: model.Role
    stages: tuple[Stage, ...]
    form: Form
    skipped: tuple[str, ...]
    left: str | None = None

    @property
    def needs_finite(self) -> bool:
        """Whether NaN and infinity would not be left as they are."""
        return self.form.touched and not all(stage.work.takes_nonfinite for stage in self.stages)

    @property
    def gram_matrices(self) -> int:
        """How many matrices of the size of its Gram matrix its passes hold at once."""
        return sum(one.work.gram_matrices for one in self.stages if one.target.has_gram)

    @property
    def kept_because(self) -> str | None:
        """The first reason of a tensor that no pass takes."""
        if self.form.touched:
            return self.left
        return "a cast would lose something" if self.stages else next(iter(self.skipped), None)


@dataclass
class Plan:
    """All tensors of a run, in the order of the input.

    :ivar notes: what must be said: patterns without a match, an empty selection.
    :ivar tied: tensor → the one that it shares its data with, where both have the same fate: what
        is decided of the data is decided once.
    :ivar gram_of: tied tensor → the one of the same data whose Gram matrix it is fitted by.
    """

    source: Reader
    spec: Spec
    layout: Layout
    tensors: dict[str, TensorPlan]
    notes: list[str] = field(default_factory=list)
    tied: Mapping[str, str] = field(default_factory=dict)
    gram_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def aliases(self) -> Mapping[str, str]:
        """Tensors that are only stored as another name of one that is tied to them."""
        return self._aliases

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return self.layout.tied(self.checkpoint)

    @property
    def checkpoint(self) -> Checkpoint:
        """The output as a layout sees it."""
        return Checkpoint(
            infos={name: one.info for name, one in self.tensors.items()},
            forms={name: one.form for name, one in self.tensors.items()},
            config=self.plain_config,
            aliases=self.tied,
            is_folder=self.source.path.is_dir(),
        )

    @property
    def config(self) -> Mapping[str, Any] | None:
        """What ``config.json`` of an output folder says."""
        return self.layout.config(self.checkpoint) if self.touched() else self.source.config

    @property
    def plain_config(self) -> Mapping[str, Any] | None:
        """What ``config.json`` would say if nothing were stored as codes."""
        config = self.source.config
        return None if config is None else config_after(config, self._weight_forms())

    def remarks(self) -> list[str]:
        """What is to be said once the passes are settled."""
        return config_remarks(self.source.config, self._weight_forms())

    def _weight_forms(self) -> list[Form]:
        infos = (one.info for one in self.tensors.values())
        return [
            self.tensors[info.name].form for info in infos if info.dtype.is_weight and info.elements
        ]

    def owner(self, one: TensorPlan) -> TensorPlan:
        """The tensor whose data decide what becomes of ``one``: usually itself."""
        return self.tensors[self.tied.get(one.info.name, one.info.name)]

    @property
    def exact(self) -> bool:
        """Whether every size is known."""
        return all(exactness(one.form) == "exact" for one in self.tensors.values())

    def touched(self) -> list[TensorPlan]:
        """The tensors that some pass changes."""
        return [one for one in self.tensors.values() if one.form.touched]

    def with_forms(self, forms: Mapping[str, Form]) -> Plan:
        """The same plan with forms that surveys have made exact."""
        tensors = {
            name: replace(one, form=forms.get(name, one.form)) for name, one in self.tensors.items()
        }
        return replace(self, tensors=tensors)

    def parts(self, one: TensorPlan) -> dict[str, PartSpec]:
        """Parts that store a tensor; none for an alias."""
        known = self._parts.get(one.info.name)
        if known is None:
            known = self._parts[one.info.name] = self._parts_of(one)
        return known

    @cached_property
    def _parts(self) -> dict[str, dict[str, PartSpec]]:
        """Parts that were asked for already: each is asked for several times."""
        return {}

    def _parts_of(self, one: TensorPlan) -> dict[str, PartSpec]:
        if one.info.name in self.aliases:
            return {}
        if one.form.touched:
            return self.layout.parts(one.info, one.form)
        return {one.info.name: PartSpec(one.info.dtype.code, one.info.shape, "rows")}

    def row_multiple(self, one: TensorPlan) -> int:
        """Rows of a tensor that neither its passes nor its layout may see parted."""
        multiples = [stage.work.row_multiple(one.info) for stage in one.stages]
        if one.gram_matrices:
            multiples.append(GRAM_ROWS)
        return math.lcm(self.layout.row_multiple(one.info, one.form), *multiples)


def without_gram(plan: Plan) -> list[str]:
    """What is to be said of passes that go by Gram matrices, and of tensors that have none."""
    left: dict[str, list[str]] = {}
    for one in plan.tensors.values():
        for stage in one.stages:
            if stage.work.gram_matrices and not stage.target.has_gram:
                left.setdefault(stage.work.without_gram, []).append(one.info.name)
    return [
        f"no Gram matrix of {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {said}"
        for said, names in left.items()
    ]


def exactness(form: Form) -> Exactness:
    """Whether the sizes of a form are exact or an upper bound."""
    uncounted = form.sparsity is not None and form.kept is None
    return "at most" if uncounted or form.maybe is not None else "exact"


def targets_of(plan: Plan, step: int) -> list[tuple[Pass, list[Target]]]:
    """The groups of tensors whose data decide together in one step, each with its pass.

    Tensors that need no survey are groups of their own. What is tied to another counts once.
    """
    groups: dict[tuple[Pass, str], list[Target]] = {}
    for name, one in plan.tensors.items():
        for stage in one.stages:
            if stage.step == step and name not in plan.tied:
                groups.setdefault((stage.work, _group(stage)), []).append(stage.target)
    return [(work, targets) for (work, _), targets in groups.items()]


def _group(stage: Stage) -> str:
    info, joined = stage.target.info, stage.target.limits.joined
    if joined is not None and stage.work.joins(info):
        return joined
    return stage.work.group(info) or info.name
