"""The gate's rules that lie in a project: ``[tool.modelopt.check]`` of a ``pyproject.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compress_core.gates import Gate
from compress_core.pyproject.table import Table, read_table, tables
from compress_core.spec.gates import build_gates
from compress_core.spec.shapes import mapping_of, texts

TABLE = ("tool", "modelopt", "check")


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
    found = next(tables(folder, TABLE), None)
    return None if found is None else _rules(found)


def read_rules(file: Path) -> Rules | None:
    """The table of one file; ``None``: it has none.

    :raises SpecError: the file is damaged, or the table breaks the grammar.
    """
    found = read_table(file, TABLE)
    return None if found is None else _rules(found)


def _rules(table: Table) -> Rules:
    place = table.place
    given = mapping_of(("paths", "gates"), table.data, place)
    return Rules(
        table.file,
        tuple(path for path, _ in texts(given.get("paths", ()), place.key("paths"))),
        build_gates(given.get("gates", ()), place.key("gates")),
    )
