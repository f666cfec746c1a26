"""The text of an array's header: a dictionary, written as Python writes one.

NumPy evaluates it as a Python literal. Every writer means three keys and a handful of values, and
exactly those are read here, by a pattern: nothing is evaluated, however deeply it is nested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from compress_core.errors import FormatError, UnsupportedError
from compress_core.strict_json import shown

_RECORDS = re.compile(r"""['"]descr['"]\s*:\s*[\[(]""")

# what Python takes between two words; str.strip and \s take more than that
_BLANK = " \t\n"
_GAP = rf"[{_BLANK}]*"
# Python 2 wrote sizes as 3L
_SIZE = r"(?:0|[1-9][0-9]{0,19})L?"

_ENTRY = re.compile(
    rf"""{_GAP}(?P<quote>['"])(?:
      descr(?P=quote){_GAP}:{_GAP}(?P<mark>['"])(?P<descr>[^'"\\]*)(?P=mark)
    | fortran_order(?P=quote){_GAP}:{_GAP}(?P<fortran_order>True|False)
    | shape(?P=quote){_GAP}:{_GAP}\((?P<shape>{_GAP}(?:{_SIZE}{_GAP},{_GAP})*(?:{_SIZE}{_GAP})?)\)
    ){_GAP}(?:,|\Z)""",
    re.VERBOSE,
)
_KEYS = ("descr", "fortran_order", "shape")


@dataclass(frozen=True)
class Literal:
    """The three values, as they stand there."""

    descr: str
    fortran_order: bool
    shape: tuple[int, ...]


def parse_literal(text: str, at: str, where: str) -> Literal:
    """The dictionary: the three keys, each once, in any order.

    :param at: what begins every message: nothing, or the member of an archive.
    :raises FormatError: anything else.
    :raises UnsupportedError: the dtype is a list of fields.
    """
    if _RECORDS.search(text):
        raise UnsupportedError(
            f"{at}an array of records (a structured dtype), not of numbers",
            where=where,
            hint="save each field by name: numpy.savez('weights.npz', **arrays)",
        )
    values = _values(text)
    if values is None:
        raise FormatError(f"{at}not a header of NumPy: {shown(text.strip())}", where=where)
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise FormatError(f"{at}no {missing[0]} in its header", where=where)
    sizes = re.findall(r"\d+", values["shape"])
    # (3) is a number, (3,) is a shape
    if len(sizes) == 1 and "," not in values["shape"]:
        raise FormatError(f"{at}shape is no tuple", where=where)
    shape = tuple(int(size) for size in sizes)
    return Literal(values["descr"], values["fortran_order"] == "True", shape)


def _values(text: str) -> dict[str, str] | None:
    """Key → the text of its value; ``None`` when the text is anything but such a dictionary."""
    text = text.lstrip(" \t").rstrip(_BLANK)
    if len(text) < 2 or (text[0], text[-1]) != ("{", "}"):
        return None
    body = text[1:-1].rstrip(_BLANK)
    found: dict[str, str] = {}
    place = 0
    while place < len(body):
        entry = _ENTRY.match(body, place)
        key = entry.lastgroup if entry else None
        if entry is None or key is None or key in found:
            return None
        found[key] = entry[key]
        place = entry.end()
    return found
