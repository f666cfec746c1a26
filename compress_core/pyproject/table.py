"""A table of a ``pyproject.toml``, with the place of each of its keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.errors import SpecError
from compress_core.near import shown
from compress_core.pyproject.files import mentioning, read
from compress_core.pyproject.places import places
from compress_core.spec.place import Place

_CORRECT = "correct the file"


@dataclass(frozen=True)
class Table:
    """What stands below a header such as ``[tool.modelopt.check]``.

    :ivar file: the file it stands in.
    :ivar data: what it says.
    """

    file: Path
    data: Mapping[str, Any]
    place: Place


def tables(folder: Path, keys: Sequence[str]) -> Iterator[Table]:
    """The tables that ``keys`` lead to, of the files in ``folder`` and above, the nearest first.

    :raises SpecError: a file on the way cannot be read, names all ``keys`` and is damaged, or has
        something else than a table there.
    """
    for file, written in mentioning(keys, folder):
        table = _table(file, written, keys)
        if table is not None:
            yield table


def read_table(file: Path, keys: Sequence[str]) -> Table | None:
    """The table of one file; ``None``: it has none.

    :raises SpecError: the file is damaged, or has something else than a table there.
    """
    return _table(file, read(file), keys)


def _table(file: Path, written: bytes, keys: Sequence[str]) -> Table | None:
    text = _decoded(written, file)
    data = _parsed(text, file)
    place = places(text, str(file))
    for number, key in enumerate(keys, 1):
        if key not in data:
            return None
        data, place = data[key], place.key(key)
        if not isinstance(data, dict):
            raise _no_table(data, keys[:number], place)
    return Table(file, data, place)


def _no_table(data: object, keys: Sequence[str], place: Place) -> SpecError:
    header = f"[{'.'.join(keys)}]"
    return place.error(
        f"{keys[-1]} is not a table: {shown(data)}", f"write {header} above its keys"
    )


def _decoded(written: bytes, file: Path) -> str:
    try:
        # TOML has lines that end in CR LF, and tomllib wants them as they are
        return written.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"pyproject.toml cannot be read: byte {error.start} is not UTF-8",
            where=str(file),
            hint=_CORRECT,
        ) from None


def _parsed(text: str, file: Path) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"not TOML: {error}", where=str(file), hint=_CORRECT) from None
    except RecursionError:
        raise SpecError("not TOML: nested too deeply", where=str(file), hint=_CORRECT) from None
