"""What is said when gates fail: how many, where their limits stand, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from compress_core.errors import GateError

if TYPE_CHECKING:
    from compress_core.gates import Check, Origin, Verdict

_TABLE = "tool.modelopt.check"
_FEW = 5


def gate_error(check: Check, key: str | None = None, *, written: bool = True) -> GateError:
    """The error for a check of which something failed.

    :param key: which set of weights was meant, where files hold several.
    :param written: whether what was judged is there; if not, the gates have kept it from being.
    """
    origins = [verdict.limit.origin for verdict in check.failed]
    noun = "gate" if len(check.verdicts) == 1 else "gates"
    counted = f"{len(check.failed)} of {len(check.verdicts)} {noun} failed"
    said = f"{counted}{'' if written else '; nothing was written'}. {_places(origins)}."
    return GateError(said, hint=_next(check.failed[0], check, key, written=written))


def _places(origins: Sequence[Origin]) -> str:
    """``Limit set in pyproject.toml [tool.modelopt.check], line 12``."""
    flags = list(dict.fromkeys(one.said for one in origins if one.file is None))
    files: dict[str, list[int]] = {}
    for one in origins:
        if one.file is not None:
            table = f" [{_TABLE}]" if one.said.startswith(_TABLE) else ""
            files.setdefault(f"{one.file}{table}", []).append(one.line or 1)
    parts = [f"by {', '.join(flags)}"] if flags else []
    parts += [f"in {file}, {_lines(lines)}" for file, lines in files.items()]
    single = len(flags) + sum(len(set(lines)) for lines in files.values()) == 1
    return f"Limit{'' if single else 's'} set {' and '.join(parts)}"


def _lines(found: Iterable[int]) -> str:
    lines = sorted(set(found))
    if len(lines) == 1:
        return f"line {lines[0]}"
    more = f" and {len(lines) - _FEW} more" if len(lines) > _FEW else ""
    return f"lines {', '.join(map(str, lines[:_FEW]))}{more}"


def _next(verdict: Verdict, check: Check, key: str | None, *, written: bool) -> str:
    """A command that helps with the first verdict."""
    known = next(one.original for one in check.files if one.path == verdict.file)
    if verdict.gate.measures.reads in ("errors", "zeros"):
        return _about_values(verdict.file, known, key, written=written and known != verdict.file)
    smaller = (
        f"modelopt inspect {_typed(key, verdict.file)} --per-tensor"
        if known is None
        else f"modelopt plan {_typed(key, known)} --compare W8A16,W4A16,W3A16"
    )
    if verdict.baseline is None:
        return smaller
    return (
        f"{smaller} — or, if it is meant to grow, delete its line in {verdict.baseline}"
        " and run again with --update-baseline"
    )


def _about_values(file: str, original: str | None, key: str | None, *, written: bool) -> str:
    if not written:
        return "give the tensors that cost most more bits, or leave them alone: --ignore PATTERN"
    if original is None:
        return f"modelopt inspect {_typed(key, file)} --per-tensor"
    return f"modelopt diff {_typed(key, original, file)} --per-tensor"


def _typed(key: str | None, *paths: str) -> str:
    """Paths as they are typed, and the key if it is for one of them."""
    from compress_core.opening import key_for  # `--help` shall not wait for it

    fits = any(key_for(path, key) is not None for path in paths)
    return shlex.join([*paths, *(["--key", str(key)] if fits else [])])
