"""Flags that mean the same in every command, as bundles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import click

from compress_core import registry
from compress_core.atomic import check_file
from compress_core.errors import OutputExistsError, UsageError
from modelopt_cli.bundles import PATH, flag, memory, size_for
from modelopt_cli.completion import tensor_names
from modelopt_cli.render import formats, renderer_for

if TYPE_CHECKING:
    from compress_core import Settings
    from modelopt_cli.render.base import Renderer


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
            help="Take weights that are quantized already, and decode them first.",
        ),
    )


@dataclass(frozen=True)
class Storing:
    """How the result is stored; ``None`` leaves it to the spec."""

    layout: str | None = field(
        default=None,
        metadata=flag(
            "--layout",
            section="Output",
            type=click.Choice(("auto", *registry.names("layouts"))),
            help="How tensors are stored.  [default: auto]",
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


@dataclass(frozen=True)
class Replacing:
    """What happens to report files that exist, where nothing else is written."""

    force: bool = _force()


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


def _announce(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Let GitHub see the errors, too, that leave no result."""
    if ctx.obj is not None:  # a shell that completes words has no console
        ctx.obj.annotating = value == "github"
    return value


@dataclass(frozen=True)
class Formatting:
    """The format of the result.

    :raises UsageError: two formats are asked for.
    """

    json: bool = field(
        default=False,
        metadata=flag("--json", section="Results", is_flag=True, help="The same as --format json."),
    )
    format: str | None = field(
        default=None,
        metadata=flag(
            "--format",
            section="Results",
            type=click.Choice(formats()),
            callback=_announce,
            is_eager=True,  # before any other option can be wrong
            help="Format of the result on stdout.  [default: table]",
        ),
    )

    def __post_init__(self) -> None:
        if self.json and self.format not in (None, "json"):
            raise UsageError(f"--json and --format {self.format} exclude each other")

    @property
    def chosen(self) -> str:
        """The format of stdout."""
        return "json" if self.json else self.format or "table"


@dataclass(frozen=True)
class Announcing(Formatting):
    """The format of a result with verdicts."""

    format: str | None = field(
        default=None,
        metadata=flag(
            "--format",
            section="Results",
            type=click.Choice(formats(judged=True)),
            callback=_announce,
            is_eager=True,  # before any other option can be wrong
            help="Format of the result on stdout.  [default: table]",
        ),
    )


@dataclass(frozen=True)
class Showing(Formatting):
    """How a result about tensors is shown."""

    per_tensor: bool = field(
        default=False,
        metadata=flag(
            "--per-tensor",
            section="Results",
            is_flag=True,
            help="One line a tensor, instead of one for all layers that are alike.",
        ),
    )


@dataclass(frozen=True)
class Reporting:
    """Files that the result is written to besides.

    :raises UsageError: a suffix says no format.
    """

    report: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "--report",
            section="Results",
            type=PATH,
            multiple=True,
            metavar="PATH",
            help="Also write the result to a .json, .md or .csv file; repeatable.",
        ),
    )

    judged: ClassVar[bool] = False
    """Whether the result has verdicts, and so more formats."""

    def __post_init__(self) -> None:
        for path in self.report:
            self.renderer(path)

    def renderer(self, path: Path) -> Renderer:
        """What writes one of the files."""
        return renderer_for(path, judged=self.judged)

    def also(self, paths: Iterable[str]) -> Self:
        """These files and those that a spec names."""
        return replace(self, report=(*self.report, *map(Path, paths)))

    def check(
        self, *, replace: bool, weights: Iterable[Path] = (), baselines: Iterable[Path] = ()
    ) -> None:
        """Whether the files may be written, before any work is done.

        :param weights: inputs and output of the run, which no report may replace or lie in.
        :param baselines: files that no report may replace.
        :raises OutputExistsError: one is there and must not be replaced.
        :raises OutputError: the folder of one is missing.
        """
        if len({path.resolve() for path in self.report}) < len(self.report):
            raise UsageError("two reports in one file", where="--report", hint="name each once")
        for path in self.report:
            for other in weights:
                _refuse_among_weights(path, other)
            for other in baselines:
                _refuse_baseline(path, other)
            if not replace and path.exists():
                raise OutputExistsError(
                    "the report already exists", where=str(path), hint="pass --force to replace it"
                )
            check_file(path, replace=True)


def _refuse_among_weights(report: Path, weights: Path) -> None:
    here, there = report.resolve(), weights.resolve()
    if here == there or there in here.parents:
        raise OutputExistsError(
            "the report would lie among the weights",
            where=str(report),
            hint="write it to another folder",
        )


def _refuse_baseline(report: Path, baseline: Path) -> None:
    if report.resolve() == baseline.resolve():
        raise OutputExistsError(
            "the report would take the place of the baseline",
            where=str(report),
            hint="give it another name",
        )


def _remember(
    ctx: click.Context, parameter: click.Parameter, value: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Let the reports be known to whatever goes wrong from now on."""
    if ctx.obj is not None:  # a shell that completes words has no console
        ctx.obj.reports = value
    return value


@dataclass(frozen=True)
class Recording(Reporting):
    """Files that a result with verdicts is written to."""

    report: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "--report",
            section="Results",
            type=PATH,
            multiple=True,
            metavar="PATH",
            callback=_remember,
            is_eager=True,  # before any other option can be wrong
            help="Also write the result to a .json, .md, .csv or .xml (JUnit) file, and replace"
            " the one of an earlier run; repeatable.",
        ),
    )

    judged: ClassVar[bool] = True


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
