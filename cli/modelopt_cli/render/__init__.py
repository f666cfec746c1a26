"""Results as text: ``of_*`` say what a kind of result shows, ``as_*`` how a format writes it.

Every module ``as_X.py`` *is* the format ``X`` of ``--format``, and its files end in ``.X``. There
is no list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import cast

from compress_core.errors import UsageError
from modelopt_cli.render.base import Renderer

_PREFIX = "as_"


def formats() -> tuple[str, ...]:
    """The names for ``--format``, sorted; nothing is imported to find them."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.removeprefix(_PREFIX) for name in found if name.startswith(_PREFIX)))


def renderer(name: str) -> Renderer:
    """The module that writes the format ``name``, one of :func:`formats`."""
    return cast(Renderer, importlib.import_module(f"{__name__}.{_PREFIX}{name}"))


def file_suffixes() -> tuple[str, ...]:
    """The suffixes that a report file may have."""
    return tuple(f".{name}" for name in formats() if renderer(name).FOR_FILES)


def renderer_for(path: Path) -> Renderer:
    """The format of a report file, by its suffix.

    :raises UsageError: no format has that suffix.
    """
    if path.suffix not in file_suffixes():
        raise UsageError(
            f"no report format for the suffix {path.suffix or '(none)'}",
            where=str(path),
            hint=f"end the name in {' or '.join(file_suffixes())}",
        )
    return renderer(path.suffix.removeprefix("."))
