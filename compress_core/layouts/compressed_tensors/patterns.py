"""Targets and ``ignore`` of a ``quantization_config``: which layers they mean.

A file is anybody's: an expression that could take for ever is not tried. Those that are have no
quantifier behind a parenthesis, and few without a bound, so that the time of a match is bounded by
a power of the length of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from compress_core.errors import FormatError
from compress_core.layouts._served.undecoded import NotDecodedError

_LONGEST = 500
_MOST_UNBOUNDED = 4
_MOST_STEPS = 10**8
CLASSES = ("Linear", "Embedding")
"""Classes that targets may name: all layers with codes are taken to be of one of them."""


class Names:
    """A list of targets: exact names, ``re:`` and an expression, or classes.

    :raises FormatError: it is no such list.
    """

    def __init__(self, listed: Any) -> None:
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise FormatError(f"targets of a group: {listed!r:.80}")
        self._exact = {one for one in listed if not one.startswith("re:")}
        self._patterns = [_compiled(one[3:]) for one in listed if one.startswith("re:")]

    @property
    def has_class(self) -> bool:
        """Whether layers are meant by their class."""
        return any(name in self._exact for name in CLASSES)

    def has(self, module: str) -> bool:
        """Whether a module is named."""
        return module in self._exact

    def matches(self, module: str) -> bool:
        """Whether an expression matches a module's name, from its beginning.

        :raises NotDecodedError: that could take too long.
        """
        return any(_match(pattern, module) for pattern in self._patterns)


def check_cost(patterns: Iterable[Names], modules: int) -> None:
    """Refuse lists that would be tried too often.

    :raises NotDecodedError: they would.
    """
    if modules * sum(len(names._patterns) for names in patterns) > 10**6:
        raise NotDecodedError("too many expressions in quantization_config")


def _compiled(text: str) -> re.Pattern[str]:
    if len(text) > _LONGEST or _is_costly(text):
        raise NotDecodedError(f"expression {text!r:.80} of quantization_config is not tried")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise FormatError(f"no regular expression: {text!r:.80} ({error})") from None


def _is_costly(text: str) -> bool:
    """Whether a repetition can be repeated, or there are too many."""
    plain = re.sub(r"\\.", "a", text)
    return re.search(r"\)[*+?{]|\(\?[^:]", plain) is not None or _unbounded(text) > _MOST_UNBOUNDED


def _unbounded(text: str) -> int:
    return len(re.findall(r"[*+{]", re.sub(r"\\.", "a", text)))


def _steps(text: str, length: int) -> int:
    """Steps that a match with a name of ``length`` takes at the most."""
    choices = len(re.findall(r"[?|]", re.sub(r"\\.", "a", text)))
    return int(length ** (_unbounded(text) + 1)) << min(choices, 99)


def _match(pattern: re.Pattern[str], module: str) -> bool:
    if _steps(pattern.pattern, len(module)) > _MOST_STEPS:
        raise NotDecodedError(f"expression {pattern.pattern!r:.80} is not tried on {module:.80}")
    return pattern.match(module) is not None
