"""What other distributions bring: entry points in groups of ours.

``importlib.metadata`` answers that. It reads archives and e-mail headers and takes long to import,
so it is asked only where a distribution may bring something.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_PREFIX = "modelopt_cli."
_FACTS = (".dist-info", ".egg-info", "EGG-INFO")
"""What folders are called that tell of a distribution."""


def plugins(kind: str) -> dict[str, EntryPoint]:
    """Name → entry point of one kind, such as ``passes``."""
    if not _may_be_there(tuple(sys.path)):
        return {}
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"{_PREFIX}{kind}")}


def _may_be_there(path: tuple[str, ...]) -> bool:
    """Whether a distribution on the import path has a group of ours, as far as files tell."""
    finders = [one for one in sys.meta_path if hasattr(one, "find_distributions")]
    # those of another finder may lie anywhere
    return finders != [PathFinder] or _lie_on(path)


@cache
def _lie_on(path: tuple[str, ...]) -> bool:
    return any(_brings(folder or os.curdir) for folder in path)


def _brings(folder: str) -> bool:
    if os.path.isfile(folder):  # an archive: it would have to be read
        return True
    try:
        names = os.listdir(folder)
    except OSError:  # the import system passes over it, too
        return False
    facts = (name for name in names if name.endswith(_FACTS))
    return any(_has_ours(os.path.join(folder, name, "entry_points.txt")) for name in facts)


def _has_ours(file: str) -> bool:
    try:
        with open(file, "rb") as opened:
            return f"[{_PREFIX}".encode() in opened.read()
    except OSError:
        return False
