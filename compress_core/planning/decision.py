"""What the passes make of one tensor, and why one is left alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from compress_core import model
from compress_core.container import Reader
from compress_core.errors import UsageError
from compress_core.layouts.base import Layout
from compress_core.passes.base import Follower, Pass, Target
from compress_core.pipeline import Pipeline, Step
from compress_core.planning.plan import Stage, TensorPlan
from compress_core.tensors import Form, Refusal, TensorInfo


@dataclass(frozen=True)
class Decision:
    """What holds for every tensor of a run, and what was found on the way.

    :ivar with_gram: tensor → the samples of inputs that there is a Gram matrix of; ``with_mean``:
        those of them that there is a mean of.
    :ivar refused: (index of a step, what it cannot be done to).
    :ivar apart: (index of a step, why it leaves tensors alone that it is for) → their names.
    """

    source: Reader
    pipeline: Pipeline
    layout: Layout
    keep: Mapping[str, str]
    with_gram: Mapping[str, Collection[str]] = field(default_factory=dict)
    with_mean: Collection[str] = ()
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    apart: dict[tuple[int, str], list[str]] = field(default_factory=dict)

    def tensor(self, info: TensorInfo) -> TensorPlan:
        """What happens to one tensor."""
        return self._after(info, len(self.pipeline.steps))

    def _after(self, info: TensorInfo, steps: int) -> TensorPlan:
        """What happens to one tensor in the first steps."""
        role = model.role(info, self.source.config)
        form = Form(info.dtype)
        stages: list[Stage] = []
        skipped: list[str] = []
        untouchable = self.keep.get(info.name) or _untouchable(info)
        for index, step in enumerate(self.pipeline.steps[:steps]):
            work = step.for_tensor(info)
            reason = untouchable or self._unselected(info, role, step, work)
            if reason is None and isinstance(work, Follower):
                reason = self._unled(index, work, info)
            after = self._outcome(index, work, info, form) if reason is None else reason
            if isinstance(after, str):
                skipped.append(after)
                continue
            limits = self.layout.limits(info)
            samples = self.with_gram.get(info.name, ())
            target = Target(info, form, after, limits, bool(samples), "held_out" in samples)
            stages.append(Stage(index, work, target))
            form = after
        return TensorPlan(info, role, tuple(stages), form, tuple(skipped))

    def _unselected(self, info: TensorInfo, role: str, step: Step, work: Pass) -> str | None:
        """Why a step leaves a tensor alone, by what was said and by what holds when nothing is."""
        if len(info.shape) < min(work.least_ndim, 1):
            return "0-D"
        selects = (self.pipeline.select, step.select)
        for select in selects:
            reason = select.refuses(info, role)
            if reason is not None:
                return reason
        stated = any(select.where.states_rank for select in selects)
        if len(info.shape) < work.least_ndim and not stated:
            return f"{len(info.shape)}-D"
        meant = work.meant_for if self.source.path.is_dir() else None
        if meant not in (None, role) and all(select.where.role is None for select in selects):
            return f"role {role}"
        return None

    def _unled(self, index: int, work: Follower, info: TensorInfo) -> str | None:
        """Why there is nothing that a pass could go by."""
        name = work.leader(info)
        if name is None:
            return f"not for {work.id}"
        reason = self._misled(index, work, info, name)
        if reason is not None:
            self.apart.setdefault((index, reason), []).append(info.name)
        return reason

    def _misled(self, index: int, work: Follower, info: TensorInfo, name: str) -> str | None:
        leader, word = self.source.infos.get(name), name.rpartition(".")[2]
        if leader is None:
            return f"there is no {word} beside it"
        misfit = work.misfit(info, leader)
        if misfit is not None:
            return misfit
        if not self._after(leader, index).form.touched:
            return f"no earlier pass changes the {name.rpartition('.')[2]} beside it"
        return (
            None if name in self.with_mean else "no Gram file has the mean of what its layer gets"
        )

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
        if not form.touched and not after.touched:
            return "nothing to do"
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


def refuse_idle_steps(decision: Decision, tensors: Iterable[TensorPlan]) -> None:
    """A step that cannot do anything of what it is there for is wrong."""
    for index in dict.fromkeys(index for index, _ in decision.refused):
        if not any(stage.step == index for one in tensors for stage in one.stages):
            first = next(refusal for step, refusal in decision.refused if step == index)
            raise _unfit(first, decision.layout, f"passes[{index}]")


def refuse_unjudged(tensors: Iterable[TensorPlan]) -> None:
    """What goes by held-out inputs cannot do without them."""
    for one in tensors:
        for stage in one.stages:
            target = stage.target
            if stage.work.needs_held_out and target.has_gram and not target.has_held_out:
                raise UsageError(
                    f"{one.info.name} has no held-out Gram matrix, which damping auto goes by",
                    where=f"passes[{stage.step}].damping",
                    hint=f"add {one.info.name.removesuffix('.weight')}.held_out.gram to the Gram"
                    " file, or give a number: --damping 0.1",
                )


def _untouchable(info: TensorInfo) -> str | None:
    if not info.dtype.is_weight:
        return f"no float weight ({info.dtype})"
    return "empty" if info.elements == 0 else None


def _not_worth_it(info: TensorInfo, before: Form, after: Form, layout: Layout) -> str | None:
    """Why the outcome of a pass is not used: codes would take as much as values.

    Codes are judged without the tensor's zeros: the population of a prune must not depend on a
    layout.
    """
    if after.scheme is None or before.scheme is not None or layout.keeps_values:
        return None
    codes = layout.parts(info, Form(after.dtype, after.scheme))
    size = sum(part.nbytes for part in codes.values())
    plain = info.elements * before.dtype.bits // 8
    return None if size < plain else f"{after.scheme} would not be smaller"
