"""What files were: a small JSON file that lies in git, one line a file, so that diffs are read."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compress_core.atomic import write_text
from compress_core.errors import FormatError, UsageError
from compress_core.gates.measurement import Measurement
from compress_core.inputs import InputFile
from compress_core.near import shown
from compress_core.strict_json import parse_object

SCHEMA = "modelopt.baseline/1"
MAX_BYTES = 16 * 1024**2
FIGURES = ("bytes", "tensor_bytes")

Entry = Mapping[str, int]


@dataclass(frozen=True)
class Baseline:
    """Sizes of files, by their path from the folder that the baseline lies in.

    :ivar path: the baseline file.
    :ivar files: path → ``bytes`` (of whole files) and ``tensor_bytes``.
    """

    path: Path
    files: Mapping[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, *, create: bool = False) -> Baseline:
        """The baseline at ``path``; with ``create``, an empty one where there is none.

        :raises UsageError: there is none.
        :raises InputError: it cannot be read, or breaks the rules.
        """
        if not os.path.lexists(path):
            if create:
                return cls(path)
            raise UsageError(
                "no such baseline", where=str(path), hint="--update-baseline creates it"
            )
        try:
            return cls(path, _read(path))
        except FormatError as error:
            error.hint = (
                error.hint or f"take it from git again: git checkout -- {shlex.quote(str(path))}"
            )
            raise

    def of(self, path: str) -> Entry | None:
        """What is known of the weight file at ``path``; ``None``: nothing."""
        return self.files.get(self._key(path))

    def vanished(self) -> list[str]:
        """Files that it knows and that are no longer there."""
        return [name for name in self.files if not (self.path.parent / name).exists()]

    def lowered(self, found: Iterable[Measurement]) -> Baseline:
        """With new files added, vanished ones left out, and no figure higher than it was."""
        files = {name: entry for name, entry in self.files.items() if name not in self.vanished()}
        for one in found:
            now = {"bytes": one.nbytes, "tensor_bytes": one.tensor_bytes}
            before = self.of(one.path) or now
            files[self._key(one.path)] = {key: min(before[key], now[key]) for key in FIGURES}
        return Baseline(self.path, files)

    def write(self) -> None:
        """Put it on the disk, whole.

        :raises OutputError: the disk says no.
        """
        write_text(self.path, self.text(), replace=True)

    def text(self) -> str:
        """JSON with one sorted line a file."""
        lines = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(dict(entry))}"
            for name, entry in sorted(self.files.items())
        )
        files = f"{{\n{lines}\n  }}" if lines else "{}"
        return f'{{\n  "schema": "{SCHEMA}",\n  "files": {files}\n}}\n'

    def _key(self, path: str) -> str:
        return Path(os.path.relpath(path, self.path.parent)).as_posix()


def _read(path: Path) -> dict[str, Entry]:
    with closing(InputFile(path)) as file:
        if file.size > MAX_BYTES:
            raise FormatError("baseline is larger than 16 MiB", where=str(path))
        found = parse_object(file.read(0, file.size), what="baseline", where=str(path))
    return _files(found, path)


def _files(found: Mapping[str, Any], path: Path) -> dict[str, Entry]:
    if found.get("schema") != SCHEMA:
        raise FormatError(
            f"a baseline of schema {shown(found.get('schema'))}, and this tool reads {SCHEMA}",
            where=str(path),
        )
    files = found.get("files")
    if found.keys() != {"schema", "files"} or not isinstance(files, dict):
        raise FormatError("baseline has not just the keys schema and files", where=str(path))
    for name, entry in files.items():
        if posixpath.isabs(name) or posixpath.normpath(name) != name:
            raise FormatError(
                f"baseline: {shown(name)} is no plain relative path",
                where=str(path),
                hint="write it relative to the baseline, without ./ and //",
            )
        if not _is_entry(entry):
            raise FormatError(
                f"baseline: {shown(name)} has not just {' and '.join(FIGURES)}", where=str(path)
            )
    return files


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == set(FIGURES)
        and all(type(size) is int and 0 <= size < 2**63 for size in entry.values())
    )
