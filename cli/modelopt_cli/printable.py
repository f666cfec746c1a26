"""Text that a stream can take and that cannot drive a terminal."""

from __future__ import annotations

_ASCII_TWINS = str.maketrans(
    {
        "≤": "<=",
        "≥": ">=",
        "×": "x",
        "‖": "||",
        "−": "-",
        "Ŵ": "W'",
        "Δ": "d",
        "·": "-",
        "—": "-",
        "─": "-",
        "…": "..",
        "→": "->",
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    }
)


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` on one line, as ``encoding`` can write it.

    Control characters, line breaks, bidirectional overrides and lone surrogates, which names in a
    file may hold, are shown as Python would escape them (``\\x1b``).
    """
    if not text.isprintable():
        text = "".join(map(_escaped, text))
    return encodable(text, encoding)


def encodable(text: str, encoding: str) -> str:
    """``text`` with twins for the characters that ``encoding`` does not have."""
    if text.isascii():
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_ASCII_TWINS)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
