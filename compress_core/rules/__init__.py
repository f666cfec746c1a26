"""The gate's rules that lie in a project: ``[tool.modelopt.check]`` of a ``pyproject.toml``."""

from __future__ import annotations

import os
import tomllib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.errors import InputError, SpecError
from compress_core.gates import Gate
from compress_core.inputs import InputFile
from compress_core.rules.toml_places import places
from compress_core.spec.gates import build_gates
from compress_core.spec.shapes import mapping_of, texts

FILE = "pyproject.toml"
TABLE = ("tool", "modelopt", "check")
MAX_BYTES = 1_000_000

_ERROR = "pyproject.toml cannot be read"


@dataclass(frozen=True)
class Rules:
    """What the table says.

    :ivar file: the file it stands in.
    :ivar paths: files, folders or globs, relative to the folder of the file.
    """

    file: Path
    paths: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()


def nearest_rules(folder: Path) -> Rules | None:
    """The table of the nearest file that has it, in ``folder`` or above; ``None``: none has.

    :raises SpecError: a file on the way is damaged, or the table breaks the grammar.
    """
    whole = Path(os.path.abspath(folder))
    for above in (whole, *whole.parents):
        file = above / FILE
        if file.is_file():
            # as a person would write it from here
            found = read_rules(Path(os.path.relpath(file, whole)) if folder == Path() else file)
            if found is not None:
                return found
    return None


def read_rules(file: Path) -> Rules | None:
    """The table of one file; ``None``: it has none.

    :raises SpecError: the file is damaged, or the table breaks the grammar.
    """
    text = _read(file)
    data = _parsed(text, file)
    place = places(text, str(file))
    for key in TABLE:
        if not isinstance(data, dict) or key not in data:
            return None
        data, place = data[key], place.key(key)
    given = mapping_of(("paths", "gates"), data, place)
    return Rules(
        file,
        tuple(path for path, _ in texts(given.get("paths", ()), place.key("paths"))),
        build_gates(given.get("gates", ()), place.key("gates")),
    )


def _read(file: Path) -> str:
    try:
        with closing(InputFile(file)) as opened:
            if opened.size > MAX_BYTES:
                raise SpecError(f"{_ERROR}: larger than 1 MB", where=str(file))
            # TOML has lines that end in CR LF, and tomllib wants them as they are
            return opened.read(0, opened.size).decode("utf-8")
    except InputError as error:
        raise SpecError(f"{_ERROR}: {error.message}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{_ERROR}: byte {error.start} is not UTF-8", where=str(file)) from None


def _parsed(text: str, file: Path) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"not TOML: {error}", where=str(file), hint="correct the file") from None
    except RecursionError:
        raise SpecError("not TOML: nested too deeply", where=str(file)) from None
