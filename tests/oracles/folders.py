"""Folders in a layout that servers read, and what comes back of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compress_core import compress, from_config, open_logical, restore
from tests.oracles import readers


def compressed(source: Path, target: Path, layout: str, **options: Any) -> Path:
    """``target``, a quantized checkpoint."""
    passes = [{"pass": "quantize", **options}]
    output = {"layout": layout}
    compress(source, target, from_config({"version": 1, "passes": passes, "output": output}))
    return target


def restored(folder: Path) -> dict[str, Any]:
    """The tensors that ``restore`` makes of a folder."""
    target = folder.with_name(f"{folder.name} restored")
    restore(folder, target)
    return readers.tensors_of(target)


def coded(folder: Path) -> set[str]:
    """Names of the weights that are codes."""
    with open_logical(folder) as reader:
        return set(reader.forms)
