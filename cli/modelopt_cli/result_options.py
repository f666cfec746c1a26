"""Flags about results: their format on stdout, and the files that they are written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import click

from compress_core.atomic import check_file
from compress_core.errors import OutputExistsError, UsageError
from modelopt_cli.bundles import PATH, bundle, flag
from modelopt_cli.render import formats, renderer_for

if TYPE_CHECKING:
    from modelopt_cli.render.base import Renderer


def _announce(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Let GitHub see the errors, too, that leave no result."""
    if ctx.obj is not None:  # a shell that completes words has no console
        ctx.obj.annotating = value == "github"
    return value


@bundle
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


@bundle
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


@bundle
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


@bundle
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


@bundle
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
