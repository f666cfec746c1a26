"""GitHub Actions: an annotation for each gate or item that failed, then the table.

Sources: "Workflow commands for GitHub Actions" (their form and escapes) and the limits of
annotations in docs/problem-matchers.md of actions/toolkit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from modelopt_cli.printable import printable
from modelopt_cli.render import as_table
from modelopt_cli.render.base import Look, Result
from modelopt_cli.render.judged import Finding, Judged

FOR_FILES = False

MOST_ANNOTATIONS = 10
"""Annotations of one kind that GitHub shows of a step; further ones are dropped silently."""

_LONGEST = 1000
_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_ESCAPES_OF_PROPERTIES = _ESCAPES | str.maketrans({":": "%3A", ",": "%2C"})


def render(result: Result, look: Look) -> str:
    """At most ten annotations; the last one tells how many more there are."""
    failed = (
        [one for one in result.findings() if one.status == "fail"]
        if isinstance(result, Judged)
        else []
    )
    lines = "".join(f"{line}\n" for line in _annotations(failed, look.encoding))
    return lines + _inert(as_table.render(result, look))


def _annotations(failed: Sequence[Finding], encoding: str) -> Iterator[str]:
    shown = failed if len(failed) <= MOST_ANNOTATIONS else failed[: MOST_ANNOTATIONS - 1]
    for finding in shown:
        yield _annotation(finding, encoding)
    others = failed[len(shown) :]
    if others:
        what = "gates failed" if all(one.of_gate for one in others) else "failures"
        rest = f"{len(others)} more {what}: see the log or the summary"
        yield f"::error title=modelopt::{_data(rest, encoding)}"


def _annotation(finding: Finding, encoding: str) -> str:
    place = {"file": finding.file, "line": finding.line, "col": finding.column}
    properties = {key: str(value) for key, value in place.items() if value is not None}
    properties["title"] = finding.title
    said = ",".join(f"{key}={_property(text, encoding)}" for key, text in properties.items())
    return f"::error {said}::{_data(finding.message, encoding)}"


def _data(text: str, encoding: str) -> str:
    return printable(text[:_LONGEST], encoding).translate(_ESCAPES)


def _property(text: str, encoding: str) -> str:
    return printable(text[:_LONGEST], encoding).translate(_ESCAPES_OF_PROPERTIES)


def _inert(text: str) -> str:
    """``text`` between two commands that keep it from being taken for commands.

    The word that ends it must not stand in it: names in files are chosen by others, and none of
    them can hold the hash of itself.
    """
    word = f"modelopt-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    return f"::stop-commands::{word}\n{text}::{word}::\n"
