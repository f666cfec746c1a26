"""What is decided before any data is read: which passes take a tensor, and what it becomes.

No NumPy here: a plan comes from headers alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from compress_core import model, registry
from compress_core.container import PartSpec, Reader
from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError, UsageError
from compress_core.layouts.base import Checkpoint, Layout
from compress_core.passes.base import Pass, Target
from compress_core.pipeline import Pipeline, Step
from compress_core.report import Exactness
from compress_core.select import told_unmatched
from compress_core.spec import Spec
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
    :ivar tied: tensor → the one that it shares its data with, where both have the same fate: what
        is decided of the data is decided once.
    """

    source: Reader
    spec: Spec
    layout: Layout
    tensors: dict[str, TensorPlan]
    notes: list[str] = field(default_factory=list)
    tied: Mapping[str, str] = field(default_factory=dict)

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
            config=self.source.config,
            aliases=self.tied,
            is_folder=self.source.path.is_dir(),
        )

    @property
    def config(self) -> Mapping[str, Any] | None:
        """What ``config.json`` of an output folder says."""
        return self.layout.config(self.checkpoint) if self.touched() else self.source.config

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
    layout, notes = choose_layout(spec, source)
    notes += told_unmatched(spec.written, list(source.infos), on_unmatched)
    _refuse_idle_gates(source, spec)
    decision = _Decision(source, spec.pipeline, layout, keep or {})
    tensors = {name: decision.tensor(info) for name, info in source.infos.items()}
    _refuse_idle_steps(decision, tensors.values())
    plan = Plan(source, spec, layout, tensors, notes, _tied(source.aliases, tensors))
    _check_forms(plan)
    plan = plan if plan.touched() else _as_copy(plan)
    plan.notes.extend((*_tie_notes(plan), *_remarks(plan)))
    return plan


def _tied(aliases: Mapping[str, str], tensors: Mapping[str, TensorPlan]) -> dict[str, str]:
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


def _tie_notes(plan: Plan) -> list[str]:
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


def _remarks(plan: Plan) -> list[str]:
    said = plan.layout.remarks(plan.checkpoint)
    inputs = dict.fromkeys(one.form.inputs for one in plan.touched() if one.form.inputs)
    if inputs and not plan.layout.records_inputs:
        what = ", ".join(map(str, inputs))
        said.append(
            f"layout {plan.layout.id} holds weights alone: nothing in it asks for {what} inputs"
        )
    return said


def _as_copy(plan: Plan) -> Plan:
    """A plan that changes nothing: its files keep the names that every loader looks for."""
    if plan.spec.pipeline.steps:
        plan.notes.append("no tensor is selected: the output is a copy")
    if plan.spec.output.layout == "auto":
        return replace(plan, layout=_layout("dense"))
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
            hint=_way_back(scheme),
        )


def _way_back(scheme: str) -> str:
    if scheme in (model.PACKED, "compressed-tensors"):
        start = "start from the original weights"
        return f"{start}, or decode these first: --requantize, or modelopt restore"
    return "start from the original weights"


def _refuse_idle_gates(source: Reader, spec: Spec) -> None:
    """A gate that will find nothing to measure is wrong already now."""
    for gate in spec.gates:
        if not gate.finds(source.infos.values()):
            raise UsageError(
                f"the gate on {gate.metric} finds nothing to measure in {source.path}",
                where=str(gate.limits[0].origin),
                hint=f"see what is there: modelopt inspect {source.path}",
            )


def choose_layout(spec: Spec, source: Reader) -> tuple[Layout, list[str]]:
    """The layout that ``spec`` names, and what is to be said of the choice.

    ``auto`` is ``packed``, except for a checkpoint folder whose passes are all presets: they are
    for servers, and so is the layout, if there is one that holds them.
    """
    output = spec.output
    if output.layout != "auto":
        return _layout(output.layout, allow_unread=output.allow_unread), []
    works = [work for step in spec.pipeline.steps for work in step.works]
    if works and all(work.meant_for is not None for work in works):
        for name, found in registry.all_of("layouts").items():
            layout = _layout(name, allow_unread=output.allow_unread)
            if found.serves_presets and all(_serves(layout, work, source) for work in works):
                misfit = _misfit(layout, works, source)
                return (layout, []) if misfit is None else (_layout("packed"), [misfit])
    return _layout("packed"), []


def _layout(name: str, *, allow_unread: bool = False) -> Layout:
    layout: Layout = registry.get("layouts", name)(allow_unread=allow_unread)
    return layout


def _serves(layout: Layout, work: Pass, source: Reader) -> bool:
    """Whether a layout holds what a pass makes of a weight of usual size in such a source."""
    info = TensorInfo("layer.weight", DTYPES["BF16"], (4096, 4096), 2 * 4096**2)
    form = work.becomes(info, Form(info.dtype), layout.limits(info))
    if not isinstance(form, Form) or layout.fits(info, form) is not None:
        return False
    one = Checkpoint({info.name: info}, {info.name: form}, source.config, {}, source.path.is_dir())
    return not layout.accepts(one)


def _misfit(layout: Layout, works: Sequence[Pass], source: Reader) -> str | None:
    """Why a layout is of no use for any tensor of a source; ``None``: it is of some."""
    refusal: Refusal | None = None
    for info in source.infos.values():
        for work in works:
            if model.role(info, source.config) == work.meant_for:
                after = work.becomes(info, Form(info.dtype), layout.limits(info))
                if isinstance(after, Form):
                    return None
                refusal = refusal or after
    if refusal is None:
        return None
    way = "" if refusal.hint is None else f"; {refusal.hint} would do"
    return f"not in layout {layout.id}, which cannot hold a layer of it: {refusal.reason}{way}"


@dataclass(frozen=True)
class _Decision:
    """What holds for every tensor of a run."""

    source: Reader
    pipeline: Pipeline
    layout: Layout
    keep: Mapping[str, str]
    refused: list[tuple[int, Refusal]] = field(default_factory=list)

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
            self.refused.append((index, after))
            if self._is_named(index, info):
                raise _unfit(after, self.layout, f"passes[{index}]")
            return after.reason
        refusal = self.layout.fits(info, after)
        if refusal is not None:
            raise _unfit(refusal, self.layout, f"passes[{index}]")
        return _not_worth_it(info, form, after, self.layout) or after

    def _is_named(self, index: int, info: TensorInfo) -> bool:
        """Whether somebody asked for this very tensor."""
        step = self.pipeline.steps[index]
        lists = [self.pipeline.select.match, step.select.match, *(one.match for one in step.rules)]
        patterns = (pattern for listed in lists for pattern in listed)
        return any(pattern.is_exact and pattern.matches(info.name) for pattern in patterns)


def _unfit(refusal: Refusal, layout: Layout, where: str) -> UsageError:
    said = f"layout {layout.id} cannot hold {refusal.name}: {refusal.reason}"
    return UsageError(said, where=where, hint=refusal.hint or "use --layout packed")


def _refuse_idle_steps(decision: _Decision, tensors: Iterable[TensorPlan]) -> None:
    """A step that cannot do anything of what it is there for is wrong."""
    for index in dict.fromkeys(index for index, _ in decision.refused):
        if not any(stage.step == index for one in tensors for stage in one.stages):
            first = next(refusal for step, refusal in decision.refused if step == index)
            raise _unfit(first, decision.layout, f"passes[{index}]")


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
    refusals = plan.layout.accepts(plan.checkpoint) if plan.touched() else []
    if refusals:
        first = refusals[0]
        raise UsageError(
            f"layout {plan.layout.id} cannot hold it: {first.reason}",
            where=first.name,
            hint=first.hint,
        )


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
