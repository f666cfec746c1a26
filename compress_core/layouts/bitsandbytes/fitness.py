"""What cannot be stored, or would not be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from compress_core.layouts._served.fitness import dense_layers, usual_refusals
from compress_core.layouts.base import Checkpoint
from compress_core.tensors import Refusal


def refusals(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Why a checkpoint cannot be stored in this layout; a hint with each."""
    yield from usual_refusals(checkpoint)
    yield from _skipped(checkpoint)


def _skipped(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Layers with codes that readers would take for plain ones, since the name of a dense layer
    means them as well.

    transformers 5.23 (``should_convert_module``) takes a name for all layers below it, and for all
    whose names end so.
    """
    dense = set(dense_layers(checkpoint))
    lengths = {len(name) for name in dense}
    for name in checkpoint.coded:
        module = name.removesuffix(".weight")
        meant = _meant_by(module, dense, lengths)
        if meant is not None:
            said = f"{meant} stays dense, and to transformers that name means {module} as well"
            yield Refusal(name, said, f"--ignore {module}, or --layout packed")


def _meant_by(module: str, dense: Collection[str], lengths: Collection[int]) -> str | None:
    ends = (module[len(module) - length :] for length in lengths if length <= len(module))
    words = module.split(".")
    above = (".".join(words[:count]) for count in range(1, len(words)))
    return next((name for name in (*ends, *above) if name in dense), None)
