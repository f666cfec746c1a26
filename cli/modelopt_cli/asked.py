"""Which files are to be checked by which gates: flags, a spec, or the project's own rules."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compress_core.errors import UsageError
from compress_core.gates import Gate
from compress_core.pyproject.rules import Rules, nearest_rules
from compress_core.spec import load
from modelopt_cli.gate_options import Comparing, narrowed_gates
from modelopt_cli.options import Choosing


@dataclass(frozen=True)
class Asked:
    """A check before it is made.

    :ivar said: whose gates they are, if that is not plain from the command line.
    """

    paths: tuple[str, ...]
    gates: tuple[Gate, ...]
    said: str | None = None


def asked_for(
    paths: Sequence[Path], comparing: Comparing, choosing: Choosing, spec: Path | None
) -> Asked:
    """What a command line asks for. Flags win over a spec, and a spec over the project's rules.

    :raises UsageError: it asks for nothing, or a spec or the rules are wrong.
    """
    flags = _gates_of_flags(comparing, choosing)
    written = None if spec is None else load(spec).gates
    rules = nearest_rules(Path()) if not paths or (written is None and not flags) else None
    chosen = tuple(map(str, paths)) or _paths(rules)
    if flags:
        return Asked(chosen, flags, _given_way(spec, rules))
    if spec is not None:
        if not written:
            raise UsageError("the spec has no gates", where=str(spec), hint="add gates: to it")
        return Asked(chosen, written)
    return _by_rules(chosen, rules)


def _gates_of_flags(comparing: Comparing, choosing: Choosing) -> tuple[Gate, ...]:
    if comparing.gates:
        return narrowed_gates(comparing.gates, choosing.match, choosing.ignore)
    if choosing.match or choosing.ignore:
        raise UsageError(
            "--match and --ignore are for gates of flags", hint="add --max-error or --min-sqnr"
        )
    return ()


def _by_rules(paths: tuple[str, ...], rules: Rules | None) -> Asked:
    if rules is None or not rules.gates:
        return Asked(paths, ())
    return Asked(paths, rules.gates, f"gates: {rules.file} [tool.modelopt.check]")


def _given_way(spec: Path | None, rules: Rules | None) -> str | None:
    """Whose gates are not used, since flags say others."""
    if spec is not None:
        return f"gates: those of the flags, not those of {spec}"
    if rules is not None and rules.gates:
        return f"gates: those of the flags, not those of {rules.file} [tool.modelopt.check]"
    return None


def _paths(rules: Rules | None) -> tuple[str, ...]:
    """The paths of the rules, as seen from here.

    :raises UsageError: there are none.
    """
    if rules is None or not rules.paths:
        raise UsageError(
            "nothing to check",
            hint="modelopt check PATH, or paths under [tool.modelopt.check] in pyproject.toml",
        )
    home = glob.escape(str(rules.file.parent))
    return tuple(os.path.normpath(os.path.join(home, path)) for path in rules.paths)
