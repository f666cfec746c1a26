"""The command, and somebody who changes its input while it reads.

    python -m tests.reliability.disturbed INPUT CHANGED OTHER OUT

``INPUT`` is opened, ``CHANGED`` is the file (it, or one in it) that is changed before one of the
reads, ``OTHER`` is a file that takes its place. One line of JSON for each run: see :class:`Run`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from modelopt_cli import main

# a system may give less than it is asked for, and so there are more reads to disturb
PIECE = 256 << 10


@dataclass(frozen=True)
class Run:
    """One run.

    :ivar change: what was done, or nothing in the first one.
    :ivar before: before which read.
    :ivar output: digest of the output; ``None`` where there is none.
    :ivar beside: what lies in the folder of the output.
    """

    change: str
    before: int
    code: int
    err: str
    output: str | None
    beside: list[str]


@dataclass
class Reads:
    """All reads of files that have a name, counted; temporary files have none.

    :ivar act: is called before read number ``before``.
    """

    real: Callable[..., int]
    before: int = -1
    act: Callable[[], object] = lambda: None
    done: int = 0

    def __call__(self, number: int, buffers: Sequence[Any], offset: int) -> int:
        if os.fstat(number).st_nlink:
            if self.done == self.before:
                self.act()
            self.done += 1
        return self.real(number, [buffers[0][:PIECE]], offset)


def shrink(path: Path, _: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path, _: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path, _: Path) -> None:
    os.truncate(path, path.stat().st_size + 1)


def write_into(path: Path, _: Path) -> None:
    """As many other bytes as before."""
    path.write_bytes(bytes(path.stat().st_size))
    # clocks of file systems stand still for milliseconds; nobody writes as soon as this test does
    os.utime(path, ns=(1, 1))


def vanish(path: Path, _: Path) -> None:
    path.unlink()


def replace(path: Path, other: Path) -> None:
    """Another file has its name; who opened it before still has the old one."""
    shutil.copyfile(other, path.with_name("other"))
    os.replace(path.with_name("other"), path)


CHANGES = (shrink, empty, grow, write_into, vanish, replace)


def runs(given: Path, changed: Path, other: Path, out: Path) -> Iterator[Run]:
    """An undisturbed run, and then one for each change and each of some reads."""
    reads = Reads(os.preadv)
    os.preadv = reads  # type: ignore[assignment]
    pristine = changed.with_name("pristine")
    shutil.copyfile(changed, pristine)
    kept = out.parent / "pristine"
    os.replace(pristine, kept)
    yield _run(given, out, "", -1)
    count = reads.done
    for change in CHANGES:
        for before in _some(count):
            shutil.copyfile(kept, changed)
            reads.done, reads.before = 0, before
            reads.act = partial(change, changed, other)
            yield _run(given, out, change.__name__, before)


def _some(count: int) -> list[int]:
    """All the first and last reads, and some in between."""
    return sorted({*range(min(count, 6)), *range(6, count, 3), *range(max(count - 3, 0), count)})


def _run(given: Path, out: Path, change: str, before: int) -> Run:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main.run(["compress", str(given), "-o", str(out), "-f", "-j", "1"])
    output = None
    if out.exists():
        output = hashlib.sha256(_content(out)).hexdigest()
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    beside = sorted(name for name in os.listdir(out.parent) if name != "pristine")
    return Run(change, before, code, said.getvalue(), output, beside)


def _content(out: Path) -> bytes:
    if not out.is_dir():
        return out.read_bytes()
    return b"".join(path.read_bytes() for path in sorted(out.iterdir()))


if __name__ == "__main__":
    for one in runs(*map(Path, sys.argv[1:])):
        print(json.dumps(asdict(one)))  # noqa: T201
