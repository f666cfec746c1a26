"""Flags that mean the same in every command, as bundles."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from compress_core import registry
from compress_core.errors import UsageError
from modelopt_cli.bundles import PATH, bundle, flag, memory, size_for
from modelopt_cli.completion import tensor_names

if TYPE_CHECKING:
    from compress_core import Settings

_LAYOUTS = ("auto", *registry.names("layouts"))


@bundle
class Opening:
    """Which weights of an input."""

    key: str | None = field(
        default=None,
        metadata=flag(
            "--key",
            section="Input",
            metavar="KEY",
            help="Which weights of a PyTorch checkpoint that holds several, such as model.ema;"
            " other files have no use for it.",
        ),
    )


@bundle
class OpeningTwo(Opening):
    """Which weights of each of two inputs."""

    key_a: str | None = field(
        default=None,
        metadata=flag(
            "--key-a",
            section="Input",
            metavar="KEY",
            help="The same for A alone.",
        ),
    )
    key_b: str | None = field(
        default=None,
        metadata=flag(
            "--key-b",
            section="Input",
            metavar="KEY",
            help="The same for B alone: two sets of one file are compared so.",
        ),
    )


@bundle
class Choosing:
    """Which tensors."""

    match: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "--match",
            section="Tensors",
            multiple=True,
            metavar="PATTERN",
            shell_complete=tensor_names,
            help="Only tensors with such a name: exact, a glob, or re:REGEX; repeatable.",
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "--ignore",
            section="Tensors",
            multiple=True,
            metavar="PATTERN",
            shell_complete=tensor_names,
            help="Leave tensors with such a name alone; repeatable.",
        ),
    )
    on_unmatched: Literal["error", "warn", "ignore"] = field(
        default="error",
        metadata=flag(
            "--on-unmatched",
            section="Tensors",
            type=click.Choice(("error", "warn", "ignore")),
            default="error",
            show_default=True,
            help="When a pattern matches no tensor.",
        ),
    )


@bundle
class Selecting(Choosing):
    """Which tensors are to be changed, and what to do about the odd ones."""

    on_nonfinite: Literal["error", "keep"] = field(
        default="error",
        metadata=flag(
            "--on-nonfinite",
            section="Tensors",
            type=click.Choice(("error", "keep")),
            default="error",
            show_default=True,
            help="When a tensor holds NaN or infinity; keep: leave that tensor as it is.",
        ),
    )
    requantize: bool = field(
        default=False,
        metadata=flag(
            "--requantize",
            section="Tensors",
            is_flag=True,
            help="Take weights that are quantized already, and decode them first; with --layout and"
            " no pass, store their codes anew.",
        ),
    )


@bundle
class Calibrating:
    """What is known of the inputs of layers; ``None`` leaves it to the spec."""

    gram: Path | None = field(
        default=None,
        metadata=flag(
            "--gram",
            section="Input",
            type=PATH,
            metavar="FILE",
            help="Gram matrices of what layers get, to fit and judge what they give.",
        ),
    )


@bundle
class Storing:
    """How the result is stored; ``None`` leaves it to the spec."""

    layout: str | None = field(
        default=None,
        metadata=flag(
            "--layout",
            section="Output",
            type=click.Choice(_LAYOUTS),
            metavar="WORD",
            help=f"How tensors are stored: {', '.join(_LAYOUTS)}.  [default: auto]",
        ),
    )
    shard_size: int | None = field(
        default=None,
        metadata=flag(
            "--shard-size",
            section="Output",
            type=size_for("--shard-size"),
            metavar="SIZE",
            help="Largest weight file of an output folder, such as 4GiB.",
        ),
    )
    allow_unread: bool = field(
        default=False,
        metadata=flag(
            "--allow-unread",
            section="Output",
            is_flag=True,
            help="Write also what a reader of the layout is known to refuse.",
        ),
    )


def _force() -> bool:
    """The field behind ``--force``."""
    found: bool = field(
        default=False,
        metadata=flag(
            "-f",
            "--force",
            section="Output",
            is_flag=True,
            help="Replace what exists; never the input.",
        ),
    )
    return found


@bundle
class Replacing:
    """What happens to report files that exist, where nothing else is written."""

    force: bool = _force()


@bundle
class Writing:
    """Where the result goes.

    :raises UsageError: both a path and a folder are given.
    """

    output: Path | None = field(
        default=None,
        metadata=flag(
            "-o",
            "--output",
            section="Output",
            type=PATH,
            help="The file or folder to write.  [default: named after the input, in this folder]",
        ),
    )
    output_dir: Path | None = field(
        default=None,
        metadata=flag(
            "-O",
            "--output-dir",
            section="Output",
            type=PATH,
            metavar="DIR",
            help="The folder to write the default name into.",
        ),
    )
    force: bool = _force()

    def __post_init__(self) -> None:
        if self.output is not None and self.output_dir is not None:
            raise UsageError(
                "--output names the result and --output-dir its folder: one of them is enough",
                hint=f"--output {self.output_dir / self.output.name}",
            )

    def target(self, source: Path, what: str) -> Path:
        """The output for ``source``; its default name has ``what`` to tell them apart.

        :raises UsageError: the name promises another kind of file than what is written.
        """
        from compress_core.opening import refuse_misnamed, stem  # `--help` shall not wait for it

        if self.output is not None:
            if not source.is_dir():
                refuse_misnamed(self.output)
            return self.output
        if source.is_dir():
            name = f"{source.resolve().name}-{what}"
        else:
            name = f"{stem(source)}.{what}.safetensors"
        return (self.output_dir or Path()) / name


@bundle
class Limiting:
    """What the machine may give; ``None`` leaves it to the core."""

    max_memory: int | None = field(
        default=None,
        metadata=flag(
            "--max-memory",
            section="Limits",
            type=memory,
            metavar="SIZE",
            envvar="MODELOPT_CLI_MAX_MEMORY",
            show_envvar=True,
            help="Memory to stay within, such as 1GiB.  [default: 200MiB]",
        ),
    )
    jobs: int | None = field(
        default=None,
        metadata=flag(
            "-j",
            "--jobs",
            section="Limits",
            type=click.IntRange(min=1),
            metavar="N",
            envvar="MODELOPT_CLI_JOBS",
            show_envvar=True,
            help="Threads.  [default: the cores there are, at most 4]",
        ),
    )

    def applied(self, settings: Settings) -> Settings:
        """``settings`` within these limits."""
        given = {"max_memory": self.max_memory, "jobs": self.jobs}
        said: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return replace(settings, **said)


@bundle
class Looking:
    """A look before the leap."""

    dry_run: bool = field(
        default=False,
        metadata=flag(
            "-n",
            "--dry-run",
            section="Output",
            is_flag=True,
            help="Write nothing; print what `modelopt plan` prints for the same arguments.",
        ),
    )


@bundle
class Trying(Looking):
    """Ways to look before the leap of a run with passes."""

    print_spec: bool = field(
        default=False,
        metadata=flag(
            "--print-spec",
            section="Results",
            is_flag=True,
            help="Do nothing; print the spec file that these flags stand for.",
        ),
    )
