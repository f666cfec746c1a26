"""Codes that go from one layout to another as they are: nothing is quantized, only stored anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from compress_core.container import Reader
from compress_core.errors import UnsupportedError, UsageError
from compress_core.layouts.base import Layout
from compress_core.passes.quantize.room import unfit
from compress_core.planning.plan import TensorPlan
from compress_core.schemes.base import Scheme
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from compress_core.tiles import Quantized


def with_codes(
    source: Reader, layout: Layout, tensors: Mapping[str, TensorPlan]
) -> dict[str, TensorPlan]:
    """The same plans, in which what has codes in ``source`` keeps them.

    :raises UsageError: the layout does not hold the codes of a tensor, so that its values would
        become others.
    """
    return {name: _with_codes(source, layout, one) for name, one in tensors.items()}


def told_unrecorded(source: Reader, tensors: Mapping[str, TensorPlan]) -> list[str]:
    """What is to be said of codes whose error nothing records."""
    names = [name for name, one in tensors.items() if keeps_codes(one)]
    left = sum(name not in source.errors for name in names)
    if not left:
        return []
    return [f"of {left} tensors no error is recorded: theirs is told against what their codes mean"]


def keeps_codes(one: TensorPlan) -> bool:
    """Whether a tensor keeps the codes that it has in the input."""
    return one.form.scheme is not None and not one.stages


def check_codes(layout: Layout, info: TensorInfo, codes: Quantized) -> None:
    """What only data tell of codes that are kept.

    :raises UnsupportedError: a scale is below zero, and the layout holds none.
    """
    scale = codes.parameters["scale"]
    if not layout.limits(info).negative_scale and scale.dtype.kind == "f" and (scale < 0).any():
        raise UnsupportedError(
            f"layout {layout.id} holds no scales below zero, and {info.name} has some",
            hint="decode it with modelopt restore, and quantize that",
        )


def _with_codes(source: Reader, layout: Layout, one: TensorPlan) -> TensorPlan:
    form = source.forms.get(one.info.name)
    if form is None or form.scheme is None:
        return one
    reason = "they are only decoded here"
    if source.has_codes(one.info.name):
        found = _reason(layout, one.info, form, form.scheme)
        if found is None:
            return replace(one, form=form)
        reason = found
    raise UsageError(
        f"layout {layout.id} cannot hold the codes of {one.info.name}, {form}: {reason}",
        where=str(source.path),
        hint="decode them with modelopt restore, and quantize that",
    )


def _reason(layout: Layout, info: TensorInfo, form: Form, scheme: Scheme) -> str | None:
    """Why a layout does not hold codes; ``None``: it does."""
    reason = unfit(scheme, info, layout.limits(info))
    refusal = layout.fits(info, form) if reason is None else None
    return reason if refusal is None else refusal.reason
