"""What is decided before any data is read: which passes take a tensor, and what it becomes.

No NumPy here: a plan comes from headers alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from compress_core import model, registry
from compress_core.container import Reader
from compress_core.errors import UnsupportedError, UsageError
from compress_core.pipeline import Pipeline
from compress_core.planning.decision import Decision, refuse_idle_steps, refuse_unjudged
from compress_core.planning.following import refuse_late_changes, told_apart, with_decided
from compress_core.planning.kept_codes import told_unrecorded, with_codes
from compress_core.planning.layout_choice import choose_layout, make_layout
from compress_core.planning.plan import (
    Plan,
    TensorPlan,
    exactness,
    targets_of,
    without_gram,
)
from compress_core.planning.ties import (
    gram_owners,
    tie_notes,
    tied_tensors,
    unused_grams,
    with_inputs_of,
)
from compress_core.select import told_unmatched
from compress_core.spec import Spec

__all__ = [
    "Plan",
    "TensorPlan",
    "exactness",
    "make_plan",
    "targets_of",
    "with_decided",
    "without_gram",
]


def make_plan(
    source: Reader,
    spec: Spec,
    *,
    on_unmatched: str = "error",
    keep: Mapping[str, str] | None = None,
    with_gram: Mapping[str, Collection[str]] | None = None,
    with_mean: Collection[str] = (),
) -> Plan:
    """Decide what happens to every tensor of ``source``.

    :param on_unmatched: ``error``, ``warn`` or ``ignore`` patterns that match nothing.
    :param keep: tensors that no pass may take, and why.
    :param with_gram: tensor → the samples of inputs that there is a Gram matrix of; ``with_mean``:
        those of them that there is a mean of.
    :raises UnsupportedError: the input is quantized already.
    :raises UsageError: pipeline, layout and file do not go together.
    """
    refuse_quantized(source, spec.pipeline, spec.output.layout)
    layout, notes = choose_layout(spec, source)
    notes += told_unmatched(spec.written, list(source.infos), on_unmatched)
    with_gram = with_gram or {}
    _refuse_idle_gates(source, spec, with_gram)
    decision = Decision(source, spec.pipeline, layout, keep or {}, with_gram, with_mean)
    tensors = {name: decision.tensor(info) for name, info in source.infos.items()}
    refuse_idle_steps(decision, tensors.values())
    refuse_late_changes(tensors)
    notes += told_apart(decision, tensors)
    if not spec.pipeline.steps and spec.output.layout != "auto" and not layout.keeps_values:
        tensors = with_codes(source, layout, tensors)
        notes += told_unrecorded(source, tensors)
    tied = tied_tensors(source.aliases, tensors)
    gram_of = gram_owners(tied, with_gram)
    tensors |= {name: with_inputs_of(tensors[name], tensors[of]) for name, of in gram_of.items()}
    refuse_unjudged(tensors.values())
    plan = Plan(source, spec, layout, tensors, notes, tied, gram_of)
    _check_forms(plan)
    plan = _as_plain(plan)
    plan.notes.extend((*tie_notes(plan), *unused_grams(tied, with_gram), *_remarks(plan)))
    return plan


def _remarks(plan: Plan) -> list[str]:
    said = plan.layout.remarks(plan.checkpoint)
    inputs = dict.fromkeys(one.form.inputs for one in plan.touched() if one.form.inputs)
    if inputs and not plan.layout.records_inputs:
        what = ", ".join(map(str, inputs))
        said.append(
            f"layout {plan.layout.id} holds weights alone: nothing in it asks for {what} inputs"
        )
    return said


def _as_plain(plan: Plan) -> Plan:
    """Of a plan with plain values alone, files that keep the names that loaders look for."""
    forms = [one.form for one in plan.touched()]
    if any(form.scheme is not None or form.sparsity is not None for form in forms):
        return plan
    if plan.spec.pipeline.steps and not forms:
        plan.notes.append("no tensor is selected: the output is a copy")
    if plan.spec.output.layout == "auto":
        return replace(plan, layout=make_layout("dense"))
    return plan


def refuse_quantized(source: Reader, pipeline: Pipeline, layout: str) -> None:
    """Quantizing what is quantized is the worst failure there is; copied under the name of another
    layout, it would be read by nobody.

    :param layout: the one that is asked for.
    :raises UnsupportedError: ``source`` holds codes; the message names their scheme.
    """
    strings = {key: value for own in source.metadata.values() for key, value in own.items()}
    scheme = model.quantized_as(source.infos, strings, source.config)
    # parts of ours are no weights to any other tool: copied as they are, they would pass for some
    anew = layout not in ("auto", "dense")
    if scheme is not None and (pipeline.steps or anew or scheme == model.PACKED):
        said = f"already quantized: {scheme}"
        if source.undecoded is not None:  # who asks for decoding learns what it fails at
            said += f", and not decoded here: {source.undecoded}"
        raise UnsupportedError(said, where=str(source.path), hint=_way_back(source, scheme))


_DECODED = ("compressed-tensors", "fp8", "fp8 in blocks", "modelopt", "modelopt (NVIDIA)")
"""Schemes by the names of :func:`model.quantized_as` that there may be a reader for."""


def _way_back(source: Reader, scheme: str) -> str:
    if source.undecoded is None and scheme in (model.PACKED, *_DECODED, *registry.names("layouts")):
        start = "start from the original weights"
        return f"{start}, or decode these first: --requantize, or modelopt restore"
    return "start from the original weights"


def _refuse_idle_gates(source: Reader, spec: Spec, with_gram: Collection[str]) -> None:
    """A gate that will find nothing to measure is wrong already now."""
    for gate in spec.gates:
        if gate.measures.reads == "outputs" and not with_gram:
            raise UsageError(
                f"the gate on {gate.metric} needs Gram matrices",
                where=str(gate.limits[0].origin),
                hint="name a file of them: --gram FILE",
            )
        if not gate.finds(source.infos.values()):
            raise UsageError(
                f"the gate on {gate.metric} finds nothing to measure in {source.path}",
                where=str(gate.limits[0].origin),
                hint=f"see what is there: modelopt inspect {source.path}",
            )


def _check_forms(plan: Plan) -> None:
    refusals = plan.layout.accepts(plan.checkpoint) if plan.touched() else []
    if refusals:
        first = refusals[0]
        raise UsageError(
            f"layout {plan.layout.id} cannot hold it: {first.reason}",
            where=first.name,
            hint=first.hint,
        )
