"""What has been done in a folder, told by files in it that only ever grow.

Every process writes a file of its own, ``.modelopt/<label>-<process>-<random>.jsonl``: a JSON
object a line, each on the disk before anything is built on it. All of them together are the ledger.
A line that was torn or damaged is as good as none: it can make work be done again, never make
unfinished work count as done, since what is done must also be there and be what the line says.

Nothing in it depends on where the folder stands: names are relative.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args
from zlib import crc32

from compress_core.atomic.failures import output_error
from compress_core.atomic.flush import sync_folder
from compress_core.errors import FormatError
from compress_core.fingerprint import Fingerprint, path_of, text_of
from compress_core.strict_json import parse_object

SCHEMA = "modelopt.journal/1"
FOLDER = ".modelopt"

Status = Literal["started", "done", "failed"]

_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Entry:
    """One line.

    :ivar item: what is worked on, by its name in the batch.
    :ivar spec: digest of all that decides what becomes of an input.
    :ivar version: of the tool.
    :ivar source: the input; known, like all that follows, when it is ``done``.
    :ivar layout: how it is stored.
    :ivar totals: the totals of its report.
    :ivar message: why it ``failed``.
    """

    item: str
    status: Status
    spec: str
    version: str
    source: Fingerprint | None = None
    output: Fingerprint | None = None
    layout: str | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of its line."""
        said = {
            "schema": SCHEMA,
            "item": text_of(self.item),
            "status": self.status,
            "spec": self.spec,
            "version": self.version,
            "layout": self.layout,
            "message": self.message,
            "source": self.source and self.source.to_json(),
            "output": self.output and self.output.to_json(),
            "totals": dict(self.totals),
        }
        return {key: value for key, value in said.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` wrote.

        :raises ValueError: it did not write that.
        """
        texts = {key: data.get(key) for key in ("item", "status", "spec", "version")}
        if data.get("schema") != SCHEMA or not all(isinstance(one, str) for one in texts.values()):
            raise ValueError("no line of a journal")
        if data["status"] not in get_args(Status) or not isinstance(data.get("totals", {}), dict):
            raise ValueError("a line of another version")
        prints = {
            key: Fingerprint.from_json(data[key]) for key in ("source", "output") if key in data
        }
        if data["status"] == "done" and len(prints) < 2:
            raise ValueError("done, and nothing to tell it by")
        return cls(
            item=path_of(data["item"]),
            status=data["status"],
            spec=data["spec"],
            version=data["version"],
            layout=data.get("layout"),
            totals=data.get("totals", {}),
            message=data.get("message"),
            **prints,
        )


class Journal:
    """The file of one process; it is made with its first line.

    :param folder: the folder that the outputs lie in.
    :param label: the beginning of its name.
    """

    _file = -1

    def __init__(self, folder: Path, label: str) -> None:
        self._folder = folder / FOLDER
        self._label = label

    def append(self, entry: Entry) -> None:
        """Write a line and see it onto the disk.

        :raises OutputError: the disk says no.
        """
        line = _line(entry)
        try:
            if self._file < 0:
                self._create()
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            self.close()  # the line may be torn: the next one must not follow it
            raise output_error(error, self._folder, len(line)) from error

    def close(self) -> None:
        """Give the file back. A later line begins another one."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _create(self) -> None:
        # numbers of processes repeat across machines that share a folder
        name = f"{self._label}-{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._folder.mkdir(exist_ok=True)
        self._file = os.open(self._folder / name, flags, 0o666)
        sync_folder(self._folder)


class Ledger:
    """All journals of a folder, read as far as they go. A folder without any has an empty one.

    :param folder: the folder that the outputs lie in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._read: dict[str, int] = {}
        self._begun: dict[str, set[str]] = {}  # item → journals that say it may have been written
        self._done: dict[str, list[Entry]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what has been written since."""
        for name in _journals(self._folder):
            for entry in self._news_of(name):
                begun = self._begun.setdefault(entry.item, set())
                if entry.status == "failed":  # then nothing was written
                    begun.discard(name)
                else:
                    begun.add(name)
                if entry.status == "done":
                    self._done.setdefault(entry.item, []).append(entry)

    def knows(self, item: str) -> bool:
        """Whether the output of ``item``, if there is any, was written here."""
        return item in self._done or bool(self._begun.get(item))

    def done(self, item: str, spec: str, version: str) -> list[Entry]:
        """What says that ``item`` was done in this way, the latest of each journal first."""
        found = reversed(self._done.get(item, ()))
        return [one for one in found if (one.spec, one.version) == (spec, version)]

    def _news_of(self, name: str) -> list[Entry]:
        begin = self._read.get(name, 0)
        data = _read(self._folder / name, begin)
        whole = data.rfind(b"\n") + 1  # the rest is still being written, or was torn
        self._read[name] = begin + whole
        found = (_entry(line) for line in data[:whole].split(b"\n"))
        return [entry for entry in found if entry is not None]


def has_journals(folder: Path) -> bool:
    """Whether batches have written outputs to ``folder``, or have tried to."""
    return bool(_journals(folder / FOLDER))


def _journals(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIX))
    except OSError:
        return []


def _line(entry: Entry) -> bytes:
    said = entry.to_json()
    return _dumped({**said, "check": _check(said)}) + b"\n"


def _entry(line: bytes) -> Entry | None:
    try:
        said = parse_object(line, what="line", where=FOLDER)
        if said.pop("check", None) != _check(said):
            return None
        return Entry.from_json(said)
    except (FormatError, ValueError):
        return None


def _check(said: Mapping[str, Any]) -> str:
    """A line in which a disk has changed a letter can still be JSON."""
    return f"{crc32(_dumped(said)):08x}"


def _dumped(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, allow_nan=False).encode("ascii")


def _read(path: Path, begin: int) -> bytes:
    """What a regular file holds from ``begin`` on; nothing of one that cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size <= begin:
            return b""
        return os.pread(file, found.st_size - begin, begin)
    except OSError:
        return b""
    finally:
        os.close(file)
