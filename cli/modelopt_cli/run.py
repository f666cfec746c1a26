"""One run, the same for all commands that write or plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import compress_core
from modelopt_cli.bundles import PATH, takes
from modelopt_cli.computing import begin_computing
from modelopt_cli.console import Output
from modelopt_cli.failure import gate_error
from modelopt_cli.gate_options import Guarding
from modelopt_cli.guard import Forecast, GateRefusal, Guard, guarded
from modelopt_cli.options import (
    Calibrating,
    Limiting,
    Opening,
    Selecting,
    Storing,
    Trying,
    Writing,
)
from modelopt_cli.outcome import kept_verdict, show, tell, write_reports
from modelopt_cli.progress import labelled
from modelopt_cli.render.of_comparison import Comparison
from modelopt_cli.render.of_report import ReportResult
from modelopt_cli.request import narrowed, spec_from_passes
from modelopt_cli.result_options import Reporting, Showing

if TYPE_CHECKING:  # the face of the core is lazy: `--help` shall not wait for its engine
    from compress_core import Check, Report, Settings, Spec
    from modelopt_cli.render.base import Result

Command = Callable[..., Any]

source_argument = click.argument("source", metavar="PATH", type=PATH)


@dataclass(frozen=True)
class Errand:
    """A run without the question what is to be done.

    :ivar source: the input.
    """

    output: Output
    source: Path
    opening: Opening
    writing: Writing
    limiting: Limiting
    showing: Showing
    reporting: Reporting

    def target(self, what: str) -> Path:
        """The output; ``what`` tells it apart where none is named."""
        return self.writing.target(self.source, what)

    def settings(self) -> Settings:
        """The core's settings, as far as flags change them."""
        given = compress_core.Settings(key=self.opening.key, replace=self.writing.force)
        return self.limiting.applied(given)

    def carry_out(
        self,
        work: Callable[[Settings], Report],
        settings: Settings,
        target: Path,
        *,
        products: bool = False,
    ) -> None:
        """Do ``work``, which is about ``target``, under a meter, and tell what came of it."""
        self.tell(self.done(work, settings, target, products=products))

    def tell(self, report: Report) -> None:
        """Show a report that nothing has judged."""
        self.conclude(ReportResult(report, self.showing.per_tensor))
        tell(report, self.output)

    def done(
        self,
        work: Callable[[Settings], Report],
        settings: Settings,
        target: Path,
        *,
        products: bool = False,
    ) -> Report:
        """Do ``work``, which is about ``target``, under a meter.

        :param products: whether it has products of matrices, as with Gram matrices.
        """
        self.reporting.check(replace=self.writing.force, weights=(self.source, target))
        begin_computing(products=products)
        with self.output.metered() as meter:
            return work(replace(settings, progress=meter))

    def conclude(self, result: Result) -> None:
        """Report files first, so that a closed pipe cannot keep them from being written."""
        write_reports(result, self.reporting, replace=self.writing.force)
        show(result, self.output, self.showing)


@dataclass(frozen=True)
class Run(Errand):
    """A run of passes, which are still to be named."""

    selecting: Selecting
    calibrating: Calibrating
    storing: Storing

    def settings(self) -> Settings:
        """Those of an errand, and what to do about odd tensors."""
        return replace(
            super().settings(),
            on_unmatched=self.selecting.on_unmatched,
            on_nonfinite=self.selecting.on_nonfinite,
            requantize=self.selecting.requantize,
        )

    def own(self, spec: Spec) -> Spec:
        """``spec`` as the flags narrow it."""
        return narrowed(spec, self.selecting, self.storing, self.calibrating.gram)

    def do(self, spec: Spec, what: str, trying: Trying, guarding: Guarding) -> None:
        """Compress, or whatever else ``trying`` says."""
        spec = guarded(spec, guarding, self.output)
        if trying.print_spec:
            self.output.result(self.own(spec).to_yaml())
        elif trying.dry_run:
            self._refuse_resuming(spec)
            self.plan(spec, what)
        else:
            run = self._reporting(spec)
            if spec.gates:
                run._compress_guarded(spec, what, before_write=guarding.gate_before_write)
            else:
                run._compress(spec, what)

    def _refuse_resuming(self, spec: Spec) -> None:
        """What the run would refuse, its dry run refuses as well."""
        from compress_core.operations import refuse_resuming

        refuse_resuming(self.own(spec).output, self.settings())

    def _reporting(self, spec: Spec) -> Run:
        """The same run, which also writes the reports that a spec names."""
        return replace(self, reporting=self.reporting.also(spec.report))

    def plan(self, spec: Spec, what: str, *, exact: bool = False, measure: bool = False) -> None:
        """Tell what a run would do, and what gates say of that.

        :param exact: read the data where headers do not tell sizes.
        :param measure: read all data, and tell errors too.
        """
        target, spec, settings = self.target(what), self.own(spec), self.settings()
        if spec.output.on_exists == "resume":
            self.output.note("on_exists: resume is what modelopt batch does, and no single run")
        forecast = Forecast(spec.gates, settings, measured=measure)
        run = self._reporting(spec)
        report = run.done(
            lambda metered: compress_core.plan(
                self.source, spec, metered, target=target, exact=exact, measure=measure
            ),
            settings,
            target,
            products=spec.gram is not None,
        )
        run._tell_forecast(report, forecast)

    def _tell_forecast(self, report: Report, forecast: Forecast) -> None:
        check, left = forecast.judged(report), forecast.left(report)
        if check is None:
            self.tell(report)
        else:
            self._tell_verdicts(report, check)
        if left is not None:
            self.output.note(left)
        if check is not None and check.failed:
            raise gate_error(check, self.opening.key, written=False)

    def compare(
        self, presets: Sequence[str], *, exact: bool = False, measure: bool = False
    ) -> None:
        """Plan a quantization with each of the presets, and show them side by side.

        With ``exact`` or ``measure`` the data are read for one after the other, and not before
        headers have told that all of them can be done.
        """
        self.reporting.check(replace=self.writing.force, weights=[self.source])
        begin_computing()
        settings = self.settings()
        if exact or measure:
            for preset in presets:
                self._plan_of(preset, replace(settings, on_nonfinite="error"))
        with self.output.metered() as meter:
            plans = {
                preset: self._plan_of(
                    preset,
                    replace(settings, progress=labelled(preset, meter)),
                    exact=exact,
                    measure=measure,
                )
                for preset in presets
            }
        self.conclude(Comparison(plans))
        for note in dict.fromkeys(note for plan in plans.values() for note in plan.notes):
            self.output.note(note)

    def _plan_of(
        self, preset: str, settings: Settings, *, exact: bool = False, measure: bool = False
    ) -> Report:
        spec = self.own(spec_from_passes([{"pass": "quantize", "preset": preset}]))
        target = self.target(preset.lower())
        return compress_core.plan(
            self.source, spec, settings, target=target, exact=exact, measure=measure
        )

    def _compress(self, spec: Spec, what: str) -> None:
        target, spec = self.target(what), self.own(spec)
        self.carry_out(
            lambda settings: compress_core.compress(self.source, target, spec, settings),
            self.settings(),
            target,
            products=spec.gram is not None,
        )

    def _compress_guarded(self, spec: Spec, what: str, *, before_write: bool) -> None:
        """Compress, and judge the result before it appears, or else after."""
        target, spec, settings = self.target(what), self.own(spec), self.settings()
        guard = Guard(spec.gates, settings)
        hook = guard.refuse if before_write else None
        try:
            report = self.done(
                lambda metered: compress_core.compress(
                    self.source, target, spec, metered, before_commit=hook
                ),
                settings,
                target,
                products=spec.gram is not None,
            )
        except GateRefusal as refusal:
            self._tell_verdicts(refusal.report, refusal.check)
            raise gate_error(refusal.check, self.opening.key, written=False) from None
        check = guard.judged(report)
        self._tell_verdicts(report, check)
        if check.failed:
            raise gate_error(check, self.opening.key)

    def _tell_verdicts(self, report: Report, check: Check) -> None:
        workspace = self.output.workspace
        result = ReportResult(report, self.showing.per_tensor, check, workspace)
        with kept_verdict(check):
            self.conclude(result)
        tell(report, self.output)
        for note in check.notes:
            self.output.note(note)


_ERRAND = (Opening, Writing, Limiting, Showing, Reporting)
_RUN = (Selecting, Storing, *_ERRAND, Calibrating)


def runs_errand(function: Command) -> Command:
    """Give a command the flags of an :class:`Errand`, which it gets as its first argument."""
    return takes(*_ERRAND)(_gathering(Errand, _ERRAND, function))


def runs_passes(function: Command) -> Command:
    """Give a command the flags of a :class:`Run`, which it gets as its first argument."""
    return takes(*_RUN)(_gathering(Run, _RUN, function))


def _gathering(cls: type[Errand], bundles: tuple[type[Any], ...], function: Command) -> Command:
    names = [bundle.__name__.lower() for bundle in bundles]

    @wraps(function)
    def command(output: Output, source: Path, **given: Any) -> Any:
        gathered = {name: given.pop(name) for name in names}
        return function(cls(output=output, source=source, **gathered), **given)

    return command
