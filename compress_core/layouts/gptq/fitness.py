"""What cannot be stored, or would not be read."""

from __future__ import annotations

from collections.abc import Iterator

from compress_core.layouts._served.fitness import usual_refusals
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.gptq.blocks import place_of
from compress_core.model import may_be_linear
from compress_core.tensors import Form, Refusal, TensorInfo

_WORD = 8  # codes of 4 bits in a word, of which rows and columns are multiples
_KERNEL_COLUMNS = 128
_KERNEL_GROUPS = (32, 64, 128, "channel")


def misfit(info: TensorInfo, *, allow_unread: bool) -> str | None:
    """Why no codes of a tensor are stored, whatever they are; ``None``: they are."""
    if not may_be_linear(info):
        return "only weights of linear layers are quantized in it"
    rows, columns = info.matrix
    if rows % _WORD or columns % _WORD:
        return f"{rows} × {columns} are no multiples of {_WORD}, which share words"
    if allow_unread:
        return None
    if columns % _KERNEL_COLUMNS:
        return f"{columns} columns are no multiple of {_KERNEL_COLUMNS}, as kernels of vLLM want it"
    if place_of(info.name) is None:
        return "transformers reads codes in numbered blocks of layers alone"
    return None


def refusals(checkpoint: Checkpoint, *, allow_unread: bool) -> Iterator[Refusal]:
    """Why a checkpoint cannot be stored in this layout; a hint with each."""
    yield from usual_refusals(checkpoint, unread, allow_unread=allow_unread)
    yield from _two_kinds(checkpoint)
    if not allow_unread:
        yield from _two_lists(checkpoint)


def unread(form: Form) -> str | None:
    """Which reader is known to refuse codes of a form, and why."""
    scheme = form.scheme
    if scheme is None:
        return None
    if scheme.group_size not in _KERNEL_GROUPS:
        groups = "groups of 32, 64 or 128 and channel"
        return f"vLLM 0.33 has kernels for {groups}, not {scheme.group_said}"
    if (scheme.bits, scheme.group_size) == (4, "channel"):
        return "gptqmodel 7.7 computes 4 bits on a CPU in groups alone, not channel"
    return None


def _two_kinds(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """A description has room for one kind of codes."""
    first = next(iter(checkpoint.coded.values()), None)
    for name, form in checkpoint.coded.items():
        if first is not None and form.scheme != first.scheme:
            said = f"its codes are {form} and others are {first}: gptq describes one kind"
            yield Refusal(name, said, "the same options for all, or --layout compressed-tensors")
            return


def _two_lists(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """transformers looks for codes in one list of blocks: a model may have two."""
    first: str | None = None
    for name in checkpoint.coded:
        place = place_of(name)
        blocks = None if place is None else place.blocks
        first = blocks if first is None else first
        if blocks != first:
            said = f"transformers looks for codes in {first} or in {blocks}, not in both"
            yield Refusal(name, said, f"--ignore '{blocks}.*', or --allow-unread")
            return
