"""Limits and talk that a project sets: ``[tool.modelopt]`` of the nearest ``pyproject.toml``.

A key is the environment variable of an option in the spelling of TOML: ``max-memory`` is
``MODELOPT_CLI_MAX_MEMORY``. What is done to the weights has no such variable, and so no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from compress_core.pyproject.files import mentioning

if TYPE_CHECKING:  # most folders have no such table: then nothing of this is imported
    from compress_core.errors import SpecError
    from compress_core.spec.place import Place

VARIABLES = "MODELOPT_CLI_"
KEYS = ("color", "jobs", "max-memory", "progress")

_TABLE = ("tool", "modelopt")
_CHECK = "check"  # the gate's rules, which are read by the gate


@dataclass(frozen=True)
class Said:
    """One key of the table.

    :ivar text: its value, as somebody would type it.
    """

    key: str
    text: str
    place: Place

    def refused(self, why: str, hint: str | None) -> SpecError:
        """The error that no option can take the value."""
        # the value may have been read in the name of the flag
        return self.place.error(f"{self.key}: {why.removeprefix(f'--{self.key}: ')}", hint)


def key_of(variable: object) -> str | None:
    """The key that stands for an environment variable; ``None``: it is none of ours."""
    if not isinstance(variable, str) or not variable.startswith(VARIABLES):
        return None
    return variable.removeprefix(VARIABLES).lower().replace("_", "-")


def project_of(folder: Path) -> Mapping[str, Said]:
    """The keys of the nearest file that has any, in ``folder`` or above; ``{}``: none has.

    A file that has only the gate's rules leaves limits and talk to those above it.

    :raises SpecError: it has keys that are not known, or values that no option could take.
    """
    if next(mentioning(_TABLE, folder), None) is None:
        return {}
    from compress_core.pyproject.table import tables

    for table in tables(folder, _TABLE):
        given = {key: value for key, value in table.data.items() if key != _CHECK}
        if given:
            return {key: _said(key, value, table.place.key(key)) for key, value in given.items()}
    return {}


def _said(key: str, value: object, place: Place) -> Said:
    from compress_core.near import shown

    if key not in KEYS:
        _refuse(key, place)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        written = str(value).lower() if isinstance(value, bool) else shown(value)
        raise place.error(f"{key}: {written} is not accepted", "write text or a whole number")
    return Said(key, str(value), place)


def _refuse(key: str, place: Place) -> NoReturn:
    from compress_core.near import did_you_mean, shown

    name = key.replace("-", "_")
    if name in ("gates", "paths"):
        raise place.error(f"{key} is of the gate", f"put it under [tool.modelopt.{_CHECK}]")
    if name in _words_of_specs():
        raise place.error(
            f"only a spec or a flag can say {key}: here stand limits and talk",
            "put it into a spec; modelopt spec init writes one to begin with",
        )
    raise place.error(f"unknown key: {shown(key)}", did_you_mean(key, (*KEYS, _CHECK), "keys"))


def _words_of_specs() -> set[str]:
    """All that a spec can say: its own keys, and the options of passes, output and selection."""
    from compress_core import registry
    from compress_core.fields import options_of
    from compress_core.select import Where
    from compress_core.spec import Output
    from compress_core.spec.config import SELECT_KEYS, SPEC_KEYS

    passes = registry.all_of("passes")
    options = (options_of(cls) for cls in (*passes.values(), Output, Where))
    return {*SPEC_KEYS, *SELECT_KEYS, *passes}.union(*options)
