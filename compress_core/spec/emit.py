"""Plain data as YAML: one text for one value, quoted where a reader could misunderstand it.

A YAML library would do, but for three things: the text must not change with its version, words that
YAML 1.1 and 1.2 read differently must be quoted, and ``to_yaml`` must not cost its import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from compress_core.fields import Scalar

_WIDTH = 88
_PLAIN = re.compile(
    r"[A-Za-z][\w./-]*|[1-9]\d*(?:of|x)[1-9]\d*|\d+ (?:[KMGT]i)?B|\d+ [kMGT]B", re.ASCII
)
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def emit(data: Mapping[str, Any]) -> str:
    """``data`` (mappings, lists and scalars) as a YAML document."""
    return "".join(f"{line}\n" for line in _block(data))


def _block(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        inline = f"{_scalar(key)}: {_flow(value)}"
        if not _is_filled(value) or (_is_flat(value) and len(inline) <= _WIDTH):
            yield inline
            continue
        yield f"{_scalar(key)}:"
        lines = _block(value) if isinstance(value, Mapping) else chain(*map(_item, value))
        yield from (f"  {line}" for line in lines)


def _item(item: object) -> Iterator[str]:
    if not isinstance(item, Mapping) or not item:
        yield f"- {_flow(item)}"
        return
    for index, line in enumerate(_block(item)):
        yield f"  {line}" if index else f"- {line}"


def _is_filled(value: object) -> bool:
    """Whether the value is a mapping or a list with something in it."""
    return isinstance(value, (Mapping, list, tuple)) and len(value) > 0


def _is_flat(value: Mapping[str, Any] | Sequence[Any]) -> bool:
    """Whether a mapping or a list holds nothing but scalars."""
    inner = value.values() if isinstance(value, Mapping) else value
    return not any(isinstance(item, (Mapping, list, tuple)) for item in inner)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(key)}: {_flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_flow(inner) for inner in value)}]"
    return _scalar(value)


def _scalar(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 takes a float without a point for text
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    if isinstance(value, int):
        return str(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() and (character == " " or not character.isspace()):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
