"""Let gates judge weight files, and keep the baselines that they compare with."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from compress_core import __version__
from compress_core.appraisal import appraise
from compress_core.errors import UsageError
from compress_core.gates import Baseline, Check, Gate, Judge, Measurement
from compress_core.gates.gate import needs
from compress_core.opening import keys_for
from compress_core.report import Report
from compress_core.settings import Settings


def check(
    paths: Iterable[Path | str],
    gates: Sequence[Gate],
    settings: Settings | None = None,
    *,
    against: Path | str | None = None,
    baseline: Path | str | None = None,
    update_baseline: bool = False,
) -> Check:
    """Measure weight files and folders, and let ``gates`` judge each of them.

    Only what the gates ask for is read: headers alone for sizes, the record in a packed file for
    errors, the data for zeros and for what ``against`` tells.

    :param paths: files, checkpoint folders, or globs.
    :param against: the original of the one path; errors and ratio are computed from both.
    :param baseline: takes the place of the baselines that the gates name.
    :param update_baseline: lower the baselines, or create them; not if a gate fails.
    :raises UsageError: a path, a gate or a baseline stands for nothing: that is never a pass.
    :raises InputError: a file is unreadable or corrupt.
    """
    settings = settings or Settings()
    judge = Judge(
        gates, baseline=None if baseline is None else Path(baseline), create=update_baseline
    )
    _refuse_idle(judge, baseline, update_baseline)
    files = found_paths(paths)
    if against is not None and len(files) > 1:
        raise UsageError(
            f"one original and {len(files)} files",
            where=str(against),
            hint="check one file at a time",
        )
    measured = list(_measured(files, gates, against, settings))
    found = _judged(judge, measured, settings)
    found = replace(found, notes=(*found.notes, *_vanished_notes(judge)))
    if not update_baseline:
        _refuse_all_new(found)
    else:
        said = _left(judge) if found.failed else _updated(judge, measured)
        found = replace(found, notes=(*found.notes, *said))
    return replace(found, against=None if against is None else str(against))


def check_report(report: Report, judge: Judge, settings: Settings | None = None) -> Check:
    """Let gates judge what a run has written, or is about to write.

    :raises UsageError: a gate finds nothing to measure.
    """
    for known in judge.baselines.values():
        if not known.files:
            raise UsageError(
                "the baseline knows no file",
                where=str(known.path),
                hint="fill it: modelopt check PATH --baseline FILE --update-baseline",
            )
    return _judged(judge, [Measurement.of_report(report)], settings or Settings())


def found_paths(paths: Iterable[Path | str]) -> list[Path]:
    """What ``paths`` stand for, each once: files, folders, and what globs match, sorted.

    :raises UsageError: there is none, or one of them stands for nothing.
    """
    found: dict[Path, None] = {}
    for path in map(str, paths):
        # a file may have a name that looks like a glob
        matches = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))
        if not matches:
            raise UsageError(
                "no such weight file",
                where=path,
                hint="an empty check is never a pass; name a file, a folder or a glob",
            )
        found |= dict.fromkeys(map(Path, matches))
    if not found:
        raise UsageError("nothing to check", hint="name a weight file: modelopt check PATH")
    return list(found)


def _refuse_idle(judge: Judge, baseline: Path | str | None, update_baseline: bool) -> None:
    """Refuse a check that would not look at anything."""
    if update_baseline and not judge.baselines:
        raise UsageError("update which baseline?", hint="name it: --baseline FILE")
    if update_baseline:
        return
    if not judge.gates:
        raise UsageError("no gate: nothing would be checked", hint="try --max-size '25 MiB'")
    if baseline is not None and not any(gate.growing for gate in judge.gates):
        raise UsageError(
            "no gate compares with the baseline", where=str(baseline), hint="add --max-growth 1%"
        )


def _measured(
    files: Sequence[Path], gates: Sequence[Gate], against: Path | str | None, settings: Settings
) -> Iterator[Measurement]:
    # against an original, the key may be meant for that alone
    keys = keys_for(files, settings.key) if against is None else [settings.key]
    for path, key in zip(files, keys, strict=True):
        yield appraise(path, needs(gates), against, replace(settings, key=key))


def _judged(judge: Judge, measured: Sequence[Measurement], settings: Settings) -> Check:
    verdicts = []
    notes = list(judge.new_files(measured))
    for one in measured:
        found, said = judge.verdicts(one, settings.on_unmatched)
        verdicts += found
        notes += said
    for gate in judge.gates:
        if not any(verdict.gate is gate for verdict in verdicts):
            raise UsageError(
                f"the gate on {gate.metric} measures nothing in any file",
                where=str(gate.limits[0].origin),
                hint="see the names of tensors with: modelopt inspect",
            )
    return Check(tuple(verdicts), tuple(measured), __version__, notes=tuple(notes))


def _vanished_notes(judge: Judge) -> Iterator[str]:
    """Only for a check of what is there: a run knows nothing of the files beside its own."""
    for known in judge.baselines.values():
        yield from (f"vanished, still in {known.path}: {path}" for path in _vanished(known))


def _vanished(known: Baseline) -> list[str]:
    """The files that are gone, as seen from the current folder."""
    return [os.path.normpath(known.path.parent / name) for name in known.vanished()]


def _refuse_all_new(found: Check) -> None:
    """A baseline that knows none of the files compares nothing."""
    growing = [verdict for verdict in found.verdicts if verdict.baseline is not None]
    known = {verdict.baseline for verdict in growing if verdict.status != "new"}
    for path in dict.fromkeys(verdict.baseline for verdict in growing):
        if path not in known:
            raise UsageError(
                "the baseline knows none of these files",
                where=path,
                hint="add them: --update-baseline",
            )


def _left(judge: Judge) -> Iterator[str]:
    for known in judge.baselines.values():
        yield f"{known.path} is left as it was, since a gate failed"


def _updated(judge: Judge, measured: Sequence[Measurement]) -> Iterator[str]:
    """Write the baselines that have changed, and say so."""
    for known in judge.baselines.values():
        lowered = known.lowered(measured)
        if lowered.files == known.files and known.path.exists():
            yield f"{known.path} is as low as it was"
            continue
        lowered.write()
        yield f"{known.path}: {_change(known, lowered)}"


def _change(old: Baseline, new: Baseline) -> str:
    both = old.files.keys() & new.files.keys()
    counts = {
        "added": len(new.files.keys() - old.files.keys()),
        "lowered": sum(old.files[name] != new.files[name] for name in both),
        "removed": len(old.files.keys() - new.files.keys()),
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
