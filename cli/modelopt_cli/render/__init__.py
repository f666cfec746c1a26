"""Results as text: ``of_*`` say what a kind of result shows, ``as_*`` how a format writes it.

Every module ``as_X.py`` *is* the format ``X`` of ``--format``, and its files end in ``.X``. A
module ``judged_as_X.py`` is one that only results with verdicts have. There is no list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import cast

from compress_core.errors import UsageError
from modelopt_cli.render.base import Renderer

_PREFIX = "as_"
_JUDGED = "judged_as_"


def formats(*, judged: bool = False) -> tuple[str, ...]:
    """The names for ``--format``, sorted; nothing is imported to find them.

    :param judged: with those that only results with verdicts have.
    """
    return tuple(sorted(_modules(judged=judged)))


def _modules(*, judged: bool) -> dict[str, str]:
    """Format → module."""
    prefixes = (_PREFIX, _JUDGED) if judged else (_PREFIX,)
    return {
        module.name.removeprefix(prefix): module.name
        for module in pkgutil.iter_modules(__path__)
        for prefix in prefixes
        if module.name.startswith(prefix)
    }


def renderer(name: str) -> Renderer:
    """The module that writes the format ``name``, one of :func:`formats`."""
    module = _modules(judged=True)[name]
    return cast(Renderer, importlib.import_module(f"{__name__}.{module}"))


def _by_suffix(*, judged: bool) -> dict[str, str]:
    """Suffix of a report file → format; ``SUFFIX`` is for formats that are not called like it."""
    found = {name: renderer(name) for name in formats(judged=judged)}
    return {
        getattr(one, "SUFFIX", f".{name}"): name for name, one in found.items() if one.FOR_FILES
    }


def file_suffixes(*, judged: bool = False) -> tuple[str, ...]:
    """The suffixes that a report file may have."""
    return tuple(_by_suffix(judged=judged))


def renderer_for(path: Path, *, judged: bool = False) -> Renderer:
    """The format of a report file, by its suffix.

    :raises UsageError: no format has that suffix.
    """
    known = _by_suffix(judged=judged)
    if path.suffix not in known:
        raise UsageError(
            f"no report format for the suffix {path.suffix or '(none)'}",
            where=str(path),
            hint=f"end the name in {' or '.join(known)}",
        )
    return renderer(known[path.suffix])
