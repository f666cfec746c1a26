"""Find passes, layouts and the like by name: every module of a package's folder is one.

A module or package ``compress_core/passes/prune`` with a class of its own whose ``id`` is
``"prune"`` *is* the pass ``prune``. Other distributions add theirs with an entry point in the group
``modelopt_cli.passes`` (``.layouts``, ``.formats``, ``.schemes``, ``.conventions``). There is no
list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

from compress_core.errors import UsageError
from compress_core.near import did_you_mean, shown
from compress_core.plugins import plugins

KINDS = ("passes", "layouts", "formats", "schemes", "conventions")

_NOUNS = {
    "passes": "pass",
    "layouts": "layout",
    "formats": "format",
    "schemes": "scheme",
    "conventions": "convention",
}


@cache
def _modules(kind: str) -> tuple[str, ...]:
    package = importlib.import_module(f"compress_core.{kind}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if name != "base" and not name.startswith("_")))


_plugins = cache(plugins)


def names(kind: str) -> tuple[str, ...]:
    """The ids of one kind, sorted; only module names are read, nothing is imported."""
    own = tuple(name.replace("_", "-") for name in _modules(kind))
    return tuple(sorted({*own, *_plugins(kind)}))


def known(kind: str, name: str, *, where: str | None = None) -> str:
    """``name``, if it is an id; nothing is imported.

    :param where: what an error names as its place.
    :raises UsageError: it is not; the hint names the nearest.
    """
    if name not in names(kind):
        other = next((other for other in KINDS if name in names(other)), None)
        raise UsageError(
            f"unknown {_NOUNS[kind]}: {shown(name)}",
            where=where,
            hint=did_you_mean(name, names(kind))
            if other is None
            else f"{name} is a {_NOUNS[other]}; there are: {', '.join(names(kind))}",
        )
    return name


@cache
def get(kind: str, name: str) -> Any:
    """The class behind an id.

    :raises UsageError: there is none (the hint names the nearest), or a plug-in cannot be loaded.
    """
    module_name = known(kind, name).replace("-", "_")
    if module_name in _modules(kind):
        return _defined(importlib.import_module(f"compress_core.{kind}.{module_name}"), name)
    try:
        return _plugins(kind)[name].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{_NOUNS[kind]} {name} of another distribution cannot be loaded: {error}",
            where=_plugins(kind)[name].value,
        ) from error


def all_of(kind: str) -> dict[str, Any]:
    """Every class of one kind by id."""
    return {name: get(kind, name) for name in names(kind)}


def _defined(module: ModuleType, name: str) -> type:
    for value in vars(module).values():
        if not isinstance(value, type) or vars(value).get("id") != name:
            continue
        if f"{value.__module__}.".startswith(f"{module.__name__}."):
            return value
    raise LookupError(f"{module.__name__} defines no class with id = {name!r}")
