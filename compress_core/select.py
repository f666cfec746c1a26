"""Which tensors: patterns, conditions, and the reason why one is left alone."""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from compress_core.dtypes import DTYPES
from compress_core.errors import UnmatchedError, UsageError
from compress_core.fields import Configured, option
from compress_core.near import did_you_mean, shown
from compress_core.near import nearest as nearest  # part of this module's face
from compress_core.tensors import TensorInfo

ROLES = ("linear", "embedding", "other")
CLASSES = ("Linear", "Embedding")
"""Classes of layers that other tools' lists name, and that no file knows."""

Written = tuple[str, "Pattern"]


def module_path(name: str) -> str:
    """``model.layers.0.mlp.down_proj.weight`` → ``model.layers.0.mlp.down_proj``."""
    return name.rpartition(".")[0]


@dataclass(frozen=True)
class Pattern:
    """An exact name, a glob (``*`` crosses dots; case matters) or ``re:`` and a regular expression.

    Tried on a tensor's name and on its module path: ignore lists of other tools can be pasted.

    :ivar where: where somebody wrote it, such as ``a.yaml:9:14  passes[0].ignore[1]``.
    :raises UsageError: no regular expression, or the text is empty or a class name.
    """

    text: str
    where: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.text in CLASSES:
            raise UsageError(
                f"pattern {self.text} is a class, and a file knows no classes",
                hint=f"name tensors, or write where: {{role: {self.text.lower()}}} in a spec",
            )
        if self.text in ("", "re:"):
            raise UsageError("empty pattern", hint="'*' stands for every tensor")
        if not self.is_exact:
            _ = self._matcher  # compile now, so that a bad expression is an error of this line

    @cached_property
    def is_exact(self) -> bool:
        """Whether it can only mean one name."""
        return not self.text.startswith("re:") and not set("*?[") & set(self.text)

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        if not self.text.startswith("re:"):
            return re.compile(fnmatch.translate(self.text))
        try:
            with warnings.catch_warnings():
                # what Python warns of ("possible nested set") will mean something else one day
                warnings.simplefilter("error")
                return re.compile(self.text[3:])
        except (re.error, RecursionError, OverflowError, Warning) as error:
            raise UsageError(f"not a regular expression: {shown(self.text)} ({error})") from None

    def matches(self, name: str) -> bool:
        """Whether it names the tensor ``name`` or the module that holds it."""
        if self.text in (name, module_path(name)):
            return True
        if self.is_exact:
            return False
        module = module_path(name)
        tried = (name, module) if module else (name,)
        return any(self._matcher.match(one) for one in tried)


def patterns(texts: Sequence[str]) -> tuple[Pattern, ...]:
    """``texts`` as patterns, in order."""
    return tuple(Pattern(text) for text in texts)


@dataclass(frozen=True)
class Where(Configured):
    """Conditions on a tensor; ``None`` and ``()`` ask for nothing.

    :raises UsageError: a value that is not accepted; ``where`` is the field's name.
    """

    ndim: int | None = option("number of dimensions", int, minimum=0)
    min_ndim: int | None = option("dimensions it must have at least", int, minimum=0)
    min_elements: int | None = option("elements it must have at least", int, minimum=0)
    dtype: tuple[str, ...] = ()
    role: str | None = option("what it does in the model", str, choices=ROLES)

    def __post_init__(self) -> None:
        super().__post_init__()
        for index, code in enumerate(self.dtype):
            if code.upper() not in DTYPES:
                raise UsageError(
                    f"unknown dtype: {code}",
                    where=f"dtype[{index}]",
                    hint=did_you_mean(code, DTYPES, "dtypes"),
                )
        object.__setattr__(self, "dtype", tuple(code.upper() for code in self.dtype))

    def config(self) -> dict[str, Any]:
        """The conditions that ask for something."""
        dtype = {"dtype": list(self.dtype)} if self.dtype else {}
        return {**super().config(), **dtype}

    @property
    def states_rank(self) -> bool:
        """Whether it says anything of the number of dimensions."""
        return self.ndim is not None or self.min_ndim is not None

    def refuses(self, info: TensorInfo, role: str) -> str | None:
        """Why ``info`` does not meet the conditions, or ``None``."""
        rank = len(info.shape)
        if self.ndim is not None and rank != self.ndim:
            return f"{rank}-D, not {self.ndim}-D"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"{rank}-D"
        if self.min_elements is not None and info.elements < self.min_elements:
            return f"fewer than {self.min_elements} elements"
        if self.dtype and info.dtype.code not in self.dtype:
            return f"dtype {info.dtype}"
        if self.role is not None and role != self.role:
            return f"role {role}"
        return None


_EVERYTHING = (Pattern("*"),)


@dataclass(frozen=True)
class Selector:
    """``match`` (at least one), none of ``ignore``, and ``where``."""

    match: tuple[Pattern, ...] = _EVERYTHING
    ignore: tuple[Pattern, ...] = ()
    where: Where = field(default_factory=Where)

    def refuses(self, info: TensorInfo, role: str) -> str | None:
        """Why ``info`` is not selected, or ``None`` when it is."""
        if not any(pattern.matches(info.name) for pattern in self.match):
            return "not matched"
        ignoring = next((pattern for pattern in self.ignore if pattern.matches(info.name)), None)
        if ignoring is not None:
            return f"ignored by {ignoring.text}"
        return self.where.refuses(info, role)

    def config(self) -> dict[str, Any]:
        """The parts that narrow the selection, as a spec writes them."""
        said: dict[str, Any] = {}
        if self.match != _EVERYTHING:
            said["match"] = [pattern.text for pattern in self.match]
        if self.ignore:
            said["ignore"] = [pattern.text for pattern in self.ignore]
        if self.where != Where():
            said["where"] = self.where.config()
        return said

    @property
    def written(self) -> tuple[Written, ...]:
        """The patterns that somebody wrote, each with its place: ``("ignore[1]", …)``."""
        return (*listed("match", self.match), *listed("ignore", self.ignore))


def listed(key: str, found: Iterable[Pattern]) -> tuple[Written, ...]:
    """The patterns of a list that say more than "everything", each with its place in it."""
    return tuple(
        (f"{key}[{index}]", pattern) for index, pattern in enumerate(found) if pattern.text != "*"
    )


def unmatched(
    written: Iterable[Written],
    names: Sequence[str],
    *,
    advice: str = "fix it, or pass --on-unmatched warn",
) -> list[UnmatchedError]:
    """One error for every pattern that matches none of ``names``, with names that look like it.

    :param advice: what can be done, once the names are seen.
    """
    return [
        UnmatchedError(
            f"{_kind(place)} pattern matched no tensor: {pattern.text}",
            where=pattern.where or place,
            hint=_closest(pattern, names, advice),
        )
        for place, pattern in written
        if not any(pattern.matches(name) for name in names)
    ]


def told_unmatched(written: Iterable[Written], names: Sequence[str], reaction: str) -> list[str]:
    """What is to be said of the patterns that match none of ``names``.

    :param reaction: ``error``, ``warn`` or ``ignore``.
    :raises UnmatchedError: there is one, and that is an error.
    """
    missing = unmatched(written, names)
    if missing and reaction == "error":
        raise missing[0]
    return [error.message for error in missing] if reaction == "warn" else []


def _kind(place: str) -> str:
    if "rules" in place:
        return "rule"
    return "ignore" if "ignore" in place else "match"


def _closest(pattern: Pattern, names: Sequence[str], advice: str) -> str:
    # whole names differ by their layer numbers; the words between dots are few and tell more
    words = re.findall(r"\w+", pattern.text.removeprefix("re:"), re.ASCII)
    parts = dict.fromkeys(part for name in names for part in name.split("."))
    close = [part for word in reversed(words) for part in nearest(word, parts, 1) if len(word) > 2]
    found = [next(name for name in names if part in name.split(".")) for part in close]
    if not found:
        return "see the names with: modelopt inspect"
    shown_names = ", ".join(dict.fromkeys(found[:3]))
    return f"nearest names: {shown_names} — {advice}"
