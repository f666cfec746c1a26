"""What would not be read."""

from __future__ import annotations

from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.tensors import Form


def unread(form: Form) -> str | None:
    """Which reader is known to refuse codes of a form, and why."""
    storage = storage_for(form)
    return None if storage is None else storage.unread(form)
