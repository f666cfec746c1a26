"""What cannot be stored, or would not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compress_core.layouts._served.fitness import no_config, tied_head
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.model import fused
from compress_core.tensors import Form, Refusal


def refusals(checkpoint: Checkpoint, *, allow_unread: bool) -> Iterator[Refusal]:
    """Why a checkpoint cannot be stored in this layout; a hint with each."""
    yield from no_config(checkpoint)
    for name, form in checkpoint.coded.items():
        yield from _not_read(name, form, allow_unread=allow_unread)
    yield from tied_head(checkpoint)
    yield from _unlike(checkpoint)


def unread(checkpoint: Checkpoint) -> list[str]:
    """Which readers are known to refuse what is to be written."""
    found = (_unread(form) for form in checkpoint.coded.values())
    return [said for said in dict.fromkeys(found) if said is not None]


def _unread(form: Form) -> str | None:
    storage = storage_for(form)
    return None if storage is None else storage.unread(form)


def _not_read(name: str, form: Form, *, allow_unread: bool) -> Iterator[Refusal]:
    said = _unread(form)
    if said is not None and not allow_unread:
        hint = "--allow-unread writes it all the same; --layout packed holds it as well"
        yield Refusal(name, said, hint)


def _unlike(checkpoint: Checkpoint) -> Iterator[Refusal]:
    """Layers that servers join to one, and that would differ."""
    joined: dict[str, list[str]] = {}
    for name, info in checkpoint.infos.items():
        whole = fused(name)
        if whole is not None and len(info.shape) == 2:
            joined.setdefault(whole, []).append(name)
    for names in joined.values():
        kinds = [(form.scheme, form.inputs) for form in map(checkpoint.forms.__getitem__, names)]
        if len(set(kinds)) > 1:
            yield _differing(names, kinds, checkpoint)


def _differing(names: Sequence[str], kinds: Sequence[object], checkpoint: Checkpoint) -> Refusal:
    first = names[0]
    other = next(name for name, kind in zip(names, kinds, strict=True) if kind != kinds[0])
    modules = [name.removesuffix(".weight") for name in names]
    said = (
        f"{modules[0]} is {_said(checkpoint.forms[first])} and {other.removesuffix('.weight')} is"
        f" {_said(checkpoint.forms[other])}, and servers join them to one matrix"
    )
    same = " ".join(f"--ignore {module}" for module in modules)
    return Refusal(first, said, f"give all of them the same options: {same}, or --layout packed")


def _said(form: Form) -> str:
    return str(form) if form.scheme is not None else "dense"
