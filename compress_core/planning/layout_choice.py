"""Which layout a run gets when its spec leaves that open."""

from __future__ import annotations

from collections.abc import Sequence

from compress_core import model, registry
from compress_core.container import Reader
from compress_core.dtypes import DTYPES
from compress_core.layouts.base import Checkpoint, Layout
from compress_core.limits import Limits
from compress_core.passes.base import Pass
from compress_core.spec import Spec
from compress_core.tensors import Form, Refusal, TensorInfo

_USUAL = TensorInfo("layer.weight", DTYPES["BF16"], (4096, 4096), 2 * 4096**2)
"""A weight of usual size."""


def choose_layout(spec: Spec, source: Reader) -> tuple[Layout, list[str]]:
    """The layout that ``spec`` names, and what is to be said of the choice.

    ``auto`` is ``packed``, except for a checkpoint folder whose passes that make codes or zeros are
    all presets: they are for servers, and so is the layout, if there is one that holds them.
    """
    output = spec.output
    if output.layout != "auto":
        return make_layout(output.layout, allow_unread=output.allow_unread), []
    works = [work for step in spec.pipeline.steps for work in step.works if not _leaves_plain(work)]
    if works and all(work.meant_for is not None for work in works):
        for name in registry.names("layouts"):
            layout = make_layout(name, allow_unread=output.allow_unread)
            if all(_serves(layout, work, source) for work in works):
                misfit = _misfit(layout, works, source)
                return (layout, []) if misfit is None else (make_layout("packed"), [misfit])
    return make_layout("packed"), []


def make_layout(name: str, *, allow_unread: bool = False) -> Layout:
    layout: Layout = registry.get("layouts", name)(allow_unread=allow_unread)
    return layout


def _leaves_plain(work: Pass) -> bool:
    """Whether a pass makes neither codes nor zeros."""
    form = work.becomes(_USUAL, Form(_USUAL.dtype), Limits())
    return isinstance(form, Form) and form.scheme is None and form.sparsity is None


def _serves(layout: Layout, work: Pass, source: Reader) -> bool:
    """Whether a layout holds what a pass makes of a weight of usual size in such a source."""
    info = _USUAL
    form = work.becomes(info, Form(info.dtype), layout.limits(info))
    if not isinstance(form, Form) or not layout.serves(form):
        return False
    if layout.fits(info, form) is not None:
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
