"""What is decided before any data is read: which passes take a tensor, and what it becomes.

No NumPy here: a plan comes from headers alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from compress_core import model, registry
from compress_core.container import PartSpec, Reader
from compress_core.errors import UnsupportedError, UsageError
from compress_core.layouts.base import Layout
from compress_core.passes.base import Pass, Target
from compress_core.pipeline import Pipeline, Step
from compress_core.report import Exactness
from compress_core.select import told_unmatched
from compress_core.spec import Output, Spec
from compress_core.tensors import Form, Refusal, TensorInfo


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
    """

    info: TensorInfo
    role: model.Role
    stages: tuple[Stage, ...]
    form: Form
    skipped: tuple[str, ...]

    @property
    def kept_because(self) -> str | None:
        """The first reason of a tensor that no pass takes."""
        return None if self.form.touched else next(iter(self.skipped), None)


@dataclass
class Plan:
    """All tensors of a run, in the order of the input.

    :ivar notes: what must be said: patterns without a match, an empty selection.
    """

    source: Reader
    spec: Spec
    layout: Layout
    tensors: dict[str, TensorPlan]
    notes: list[str] = field(default_factory=list)

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
        """Parts that store a tensor."""
        known = self._parts.get(one.info.name)
        if known is None:
            known = self._parts[one.info.name] = self._parts_of(one)
        return known

    @cached_property
    def _parts(self) -> dict[str, dict[str, PartSpec]]:
        """Parts that were asked for already: each is asked for several times."""
        return {}

    def _parts_of(self, one: TensorPlan) -> dict[str, PartSpec]:
        if one.form.touched:
            return self.layout.parts(one.info, one.form)
        return {one.info.name: PartSpec(one.info.dtype.code, one.info.shape, "rows")}

    def row_multiple(self, one: TensorPlan) -> int:
        """Rows of a tensor that neither its passes nor its layout may see parted."""
        multiples = [stage.work.row_multiple(one.info) for stage in one.stages]
        return math.lcm(self.layout.row_multiple(one.info, one.form), *multiples)


def exactness(form: Form) -> Exactness:
    """Whether the sizes of a form are exact or an upper bound."""
    return "at most" if form.sparsity is not None and form.kept is None else "exact"


def make_plan(
    source: Reader,
    spec: Spec,
    *,
    on_unmatched: str = "error",
    keep: Mapping[str, str] | None = None,
) -> Plan:
    """Decide what happens to every tensor of ``source``.

    :param on_unmatched: ``error``, ``warn`` or ``ignore`` patterns that match nothing.
    :param keep: tensors that no pass may take, and why.
    :raises UnsupportedError: the input is quantized already.
    :raises UsageError: pipeline, layout and file do not go together.
    """
    refuse_quantized(source, spec.pipeline)
    layout = choose_layout(spec.output)
    notes = told_unmatched(spec.written, list(source.infos), on_unmatched)
    _refuse_idle_gates(source, spec)
    decision = _Decision(source, spec.pipeline, layout, keep or {})
    tensors = {name: decision.tensor(info) for name, info in source.infos.items()}
    plan = Plan(source, spec, layout, tensors, notes)
    _check_forms(plan)
    return plan if plan.touched() else _as_copy(plan)


def _as_copy(plan: Plan) -> Plan:
    """A plan that changes nothing: its files keep the names that every loader looks for."""
    if plan.spec.pipeline.steps:
        plan.notes.append("no tensor is selected: the output is a copy")
    if plan.spec.output.layout == "auto":
        return replace(plan, layout=choose_layout(replace(plan.spec.output, layout="dense")))
    return plan


def refuse_quantized(source: Reader, pipeline: Pipeline) -> None:
    """Quantizing what is quantized is the worst failure there is.

    :raises UnsupportedError: ``source`` holds codes; the message names their scheme.
    """
    strings = {key: value for own in source.metadata.values() for key, value in own.items()}
    scheme = model.quantized_as(source.infos, strings, source.config)
    # parts of ours are no weights to any other tool: copied as they are, they would pass for some
    if scheme is not None and (pipeline.steps or scheme == model.PACKED):
        raise UnsupportedError(
            f"already quantized: {scheme}",
            where=str(source.path),
            hint="start from the original weights, or bring ours back first: modelopt restore",
        )


def _refuse_idle_gates(source: Reader, spec: Spec) -> None:
    """A gate that will find nothing to measure is wrong already now."""
    for gate in spec.gates:
        if not gate.finds(source.infos.values()):
            raise UsageError(
                f"the gate on {gate.metric} finds nothing to measure in {source.path}",
                where=str(gate.limits[0].origin),
                hint=f"see what is there: modelopt inspect {source.path}",
            )


def choose_layout(output: Output) -> Layout:
    """The layout that ``output`` names; ``auto`` is ``packed``."""
    name = "packed" if output.layout == "auto" else output.layout
    layout: Layout = registry.get("layouts", name)()
    return layout


@dataclass(frozen=True)
class _Decision:
    """What holds for every tensor of a run."""

    source: Reader
    pipeline: Pipeline
    layout: Layout
    keep: Mapping[str, str]

    def tensor(self, info: TensorInfo) -> TensorPlan:
        """What happens to one tensor."""
        role = model.role(info, self.source.config)
        form = Form(info.dtype)
        stages: list[Stage] = []
        skipped: list[str] = []
        untouchable = self.keep.get(info.name) or _untouchable(info)
        for index, step in enumerate(self.pipeline.steps):
            work = step.for_tensor(info)
            reason = untouchable or self._unselected(info, role, step, work)
            after = self._outcome(index, work, info, form) if reason is None else reason
            if isinstance(after, str):
                skipped.append(after)
                continue
            stages.append(Stage(index, work, Target(info, form, after, self.layout.limits(info))))
            form = after
        return TensorPlan(info, role, tuple(stages), form, tuple(skipped))

    def _unselected(self, info: TensorInfo, role: str, step: Step, work: Pass) -> str | None:
        """Why a step leaves a tensor alone, by what was said and by what holds when nothing is."""
        selects = (self.pipeline.select, step.select)
        for select in selects:
            reason = select.refuses(info, role)
            if reason is not None:
                return reason
        if len(info.shape) < 2 and not any(select.where.states_rank for select in selects):
            return f"{len(info.shape)}-D"
        meant = work.meant_for if self.source.path.is_dir() else None
        if meant not in (None, role) and all(select.where.role is None for select in selects):
            return f"role {role}"
        return None

    def _outcome(self, index: int, work: Pass, info: TensorInfo, form: Form) -> Form | str:
        """The form after a pass, or why the pass is not used."""
        try:
            after = work.becomes(info, form, self.layout.limits(info))
        except UsageError as error:
            raise type(error)(error.message, where=f"passes[{index}]", hint=error.hint) from error
        if isinstance(after, Refusal):
            return after.reason
        return _not_worth_it(info, form, after, self.layout) or after


def _untouchable(info: TensorInfo) -> str | None:
    if not info.dtype.is_weight:
        return f"no float weight ({info.dtype})"
    if info.elements == 0:
        return "empty"
    return "0-D" if not info.shape else None


def _not_worth_it(info: TensorInfo, before: Form, after: Form, layout: Layout) -> str | None:
    """Why the outcome of a pass is not used: codes would take as much as values.

    Codes are judged without the tensor's zeros: the population of a prune must not depend on a
    layout.
    """
    if after.scheme is None or before.scheme is not None or layout.keeps_values:
        return None
    codes = layout.parts(info, Form(after.dtype, after.scheme))
    size = sum(part.nbytes for part in codes.values())
    return None if size < info.nbytes else f"{after.scheme} would not be smaller"


def _check_forms(plan: Plan) -> None:
    refusals = plan.layout.accepts({one.info.name: one.form for one in plan.touched()})
    if refusals:
        first = refusals[0]
        raise UsageError(
            f"layout {plan.layout.id} cannot hold it: {first.reason}",
            where=first.name,
            hint=first.hint,
        )


def targets_of(plan: Plan, step: int) -> list[tuple[Pass, list[Target]]]:
    """The groups of tensors whose data decide together in one step, each with its pass.

    Tensors that need no survey are groups of their own.
    """
    groups: dict[tuple[Pass, str], list[Target]] = {}
    for one in plan.tensors.values():
        for stage in one.stages:
            if stage.step == step:
                key = stage.work.group(one.info) or one.info.name
                groups.setdefault((stage.work, key), []).append(stage.target)
    return [(work, targets) for (work, _), targets in groups.items()]
