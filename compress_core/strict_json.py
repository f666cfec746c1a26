"""JSON of unknown origin: one object, every key once, nothing that readers read differently.

Python's ``json`` takes NaN, duplicate keys (the last wins), lone surrogates and numbers of any
length; what two readers understand differently, or what only costs time, is refused here.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from compress_core.errors import FormatError

# 2**64 - 1 has 20
_MAX_DIGITS = 20


class _RuleError(ValueError):
    """A rule that ``json`` itself does not have."""


def parse_object(text: bytes, *, what: str, where: str) -> dict[str, Any]:
    """The object that ``text`` holds.

    :param what: what the text is, for messages: ``header``, ``index``.
    :param where: the file.
    :raises FormatError: not UTF-8, not JSON, not an object; a duplicate key, NaN or infinity, a
        lone surrogate, an integer of more than 20 digits, or nesting too deep for the parser.
    """
    try:
        found = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is not UTF-8 (byte {error.start})", where=where) from error
    except json.JSONDecodeError as error:
        said = f"{what} is not JSON: {error.msg} (character {error.pos})"
        raise FormatError(said, where=where) from error
    except RecursionError as error:
        raise FormatError(f"{what} is nested too deeply", where=where) from error
    except _RuleError as error:
        raise FormatError(f"{what}: {error}", where=where) from error
    if not isinstance(found, dict):
        raise FormatError(f"{what} is not a JSON object", where=where)
    return found


def shown(text: str) -> str:
    """A string from a file as messages show it: quoted, escaped and not endless."""
    return repr(text) if len(text) <= 100 else repr(text[:100]) + "…"


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: it holds no lone surrogate."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RuleError(f"{shown(key)} stands there twice")
        if not is_text(key) or (isinstance(value, str) and not is_text(value)):
            raise _RuleError(f"a lone surrogate in or under {shown(key)}")
        found[key] = value
    return found


def _no_constant(token: str) -> NoReturn:
    raise _RuleError(f"{token} is not JSON")


def _integer(token: str) -> int | float:
    if len(token) > _MAX_DIGITS + token.startswith("-"):
        raise _RuleError(f"an integer of {len(token)} characters")
    # to the reference reader "-0" is a float, and so no size
    return -0.0 if token == "-0" else int(token)
