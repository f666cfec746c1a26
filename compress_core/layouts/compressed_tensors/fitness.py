"""What cannot be stored, or would not be read."""

from __future__ import annotations

from collections.abc import Iterator

from compress_core.layouts._served.fitness import no_config, not_read, tied_head, transposed, unlike
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.tensors import Form, Refusal


def refusals(checkpoint: Checkpoint, *, allow_unread: bool) -> Iterator[Refusal]:
    """Why a checkpoint cannot be stored in this layout; a hint with each."""
    yield from no_config(checkpoint)
    yield from not_read(checkpoint, unread, allow_unread=allow_unread)
    yield from tied_head(checkpoint)
    yield from transposed(checkpoint)
    yield from unlike(checkpoint)


def unread(form: Form) -> str | None:
    """Which reader is known to refuse codes of a form, and why."""
    storage = storage_for(form)
    return None if storage is None else storage.unread(form)
