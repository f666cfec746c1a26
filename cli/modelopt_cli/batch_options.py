"""The flags of a batch: which inputs, and how the work is shared out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import field
from pathlib import Path
from typing import Any

import click

from compress_core.batch import Gathered, Shard, gather
from compress_core.errors import InputError, UsageError
from compress_core.inputs import InputFile
from compress_core.settings import Settings
from compress_core.sizes import human
from compress_core.tiling import LEAST_MEMORY
from modelopt_cli.array import shard_of
from modelopt_cli.bundles import PATH, bundle, flag, memory
from modelopt_cli.command import typed

_STDIN = "-"


@bundle
class Gathering:
    """Which inputs, and where the outputs go."""

    output_dir: Path = field(
        metadata=flag(
            "-O",
            "--output-dir",
            section="Output",
            type=PATH,
            metavar="DIR",
            required=True,
            help="The folder of the outputs; what is done is kept in its .modelopt folder.",
        ),
    )
    filelist: str | None = field(
        default=None,
        metadata=flag(
            "--filelist",
            section="Inputs",
            metavar="FILE",
            help="Also take each line of FILE as a PATH; - is stdin.",
        ),
    )
    root: Path | None = field(
        default=None,
        metadata=flag(
            "--root",
            section="Inputs",
            type=PATH,
            metavar="DIR",
            help="Outputs lie in -O as inputs do in DIR.  [default: that of the runs before; at"
            " first, the folder of all inputs]",
        ),
    )

    def gathered(self, paths: tuple[str, ...]) -> Gathered:
        """All items, whatever shard they belong to.

        :raises UsageError: there are none, the list of files cannot be read, or they do not lie
            where those of the runs before do.
        """
        listed = [] if self.filelist is None else _lines(self.filelist)
        if not paths and self.filelist is None:
            raise UsageError("no inputs", hint="name files, folders or patterns, or --filelist")
        return gather([*paths, *listed], self.output_dir, self.root)


@bundle
class Sharing:
    """Who does what, and when to stop."""

    jobs: int | None = field(
        default=None,
        metadata=flag(
            "-j",
            "--jobs",
            section="Work",
            type=click.IntRange(min=1),
            metavar="N",
            envvar="MODELOPT_CLI_JOBS",
            show_envvar=True,
            help="Processes, of one thread each.  [default: the cores there are, at most 4]",
        ),
    )
    max_memory: int | None = field(
        default=None,
        metadata=flag(
            "--max-memory",
            section="Work",
            type=memory,
            metavar="SIZE",
            envvar="MODELOPT_CLI_MAX_MEMORY",
            show_envvar=True,
            help="Memory that the processes share, such as 1GiB.  [default: 200MiB each]",
        ),
    )
    keep_going: bool = field(
        default=False,
        metadata=flag(
            "-k",
            "--keep-going",
            section="Work",
            is_flag=True,
            help="Do all others when one fails; else begin nothing more.",
        ),
    )
    shard: str | None = field(
        default=None,
        metadata=flag(
            "--shard",
            section="Work",
            metavar="I/N|auto",
            help="Only this share of the inputs; auto: the one of this job of a cluster's array.",
        ),
    )
    verify: bool = field(
        default=False,
        metadata=flag(
            "--verify",
            section="Work",
            is_flag=True,
            help="Read inputs and outputs again before taking them for done.",
        ),
    )

    def chosen(self, environment: Mapping[str, str] = os.environ) -> Shard:
        """The shard.

        :raises UsageError: there is no such shard, or the environment does not tell.
        """
        return shard_of(self.shard, environment)

    def processes(self, items: int) -> int:
        """How many workers there are to be for so many items."""
        size = min(Settings(jobs=self.jobs).threads, items)
        # a standing order is for all commands, and says nothing of processes: memory decides
        if self.max_memory is not None and (self.jobs is None or not typed("jobs")):
            size = min(size, self.max_memory // LEAST_MEMORY)
        return max(1, size)

    def limits(self, processes: int) -> dict[str, Any]:
        """What each worker's settings say of memory.

        :raises UsageError: that is too little.
        """
        if self.max_memory is None:
            return {}
        each = self.max_memory // processes
        if each < LEAST_MEMORY:
            needed = -(-LEAST_MEMORY * processes // 1024**2)
            raise UsageError(
                f"{human(self.max_memory)} of memory is too little for {processes} processes",
                hint=f"--max-memory '{needed} MiB', or fewer --jobs",
            )
        return {"max_memory": each}


def _lines(name: str) -> list[str]:
    """The lines of a list of files that are not empty; they may have any bytes but a line break."""
    data = sys.stdin.buffer.read() if name == _STDIN else _read(Path(name))
    return [os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n") if line.strip()]


def _read(path: Path) -> bytes:
    try:
        with closing(InputFile(path)) as file:
            return file.read(0, file.size)
    except InputError as error:  # what was asked for is wrong, not the weights
        raise UsageError(
            f"the list of files cannot be read: {error.message}",
            where=str(path),
            hint="a pipe is read with --filelist -",
        ) from error
