"""A table of the nearest ``pyproject.toml`` that has it, with the place of each of its keys."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.errors import SpecError
from compress_core.projects import mentioning, read
from compress_core.rules.toml_places import places
from compress_core.spec.place import Place


@dataclass(frozen=True)
class Table:
    """What stands below a header such as ``[tool.modelopt.check]``.

    :ivar file: the file it stands in.
    :ivar data: as TOML says it; whether it is a table at all is for the reader to see.
    """

    file: Path
    data: Any
    place: Place


def nearest_table(folder: Path, keys: Sequence[str]) -> Table | None:
    """The table that ``keys`` lead to, of the nearest file that has it; ``None``: none has.

    :raises SpecError: a file on the way cannot be read, or names all ``keys`` and is damaged.
    """
    found = (_table(file, written, keys) for file, written in mentioning(keys, folder))
    return next((table for table in found if table is not None), None)


def read_table(file: Path, keys: Sequence[str]) -> Table | None:
    """The table of one file; ``None``: it has none.

    :raises SpecError: the file is damaged.
    """
    return _table(file, read(file), keys)


def _table(file: Path, written: bytes, keys: Sequence[str]) -> Table | None:
    text = _decoded(written, file)
    data = _parsed(text, file)
    place = places(text, str(file))
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return None
        data, place = data[key], place.key(key)
    return Table(file, data, place)


def _decoded(written: bytes, file: Path) -> str:
    try:
        # TOML has lines that end in CR LF, and tomllib wants them as they are
        return written.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"pyproject.toml cannot be read: byte {error.start} is not UTF-8", where=str(file)
        ) from None


def _parsed(text: str, file: Path) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"not TOML: {error}", where=str(file), hint="correct the file") from None
    except RecursionError:
        raise SpecError("not TOML: nested too deeply", where=str(file)) from None
