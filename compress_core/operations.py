"""What people ask for: compress, plan, restore. Each opens, decides, works and reports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from compress_core import __version__, model, registry
from compress_core.container import FilePlan, Reader, Writer
from compress_core.engine import Run
from compress_core.errors import OutputExistsError, UnsupportedError, UsageError
from compress_core.filing import slack, weight_files
from compress_core.grams import Grams, open_grams
from compress_core.metrics import ErrorStats, total
from compress_core.opening import open_logical, open_weights
from compress_core.planning import Plan, TensorPlan, exactness, make_plan, without_gram
from compress_core.planning.kept_codes import keeps_codes
from compress_core.report import ErrorResult, Report, TensorReport, Totals, mean_outputs
from compress_core.settings import Settings
from compress_core.spec import Output, Spec

_NON_FINITE = "holds NaN, infinity or numbers beyond float32"


def compress(
    source: Path | str,
    target: Path | str,
    spec: Spec,
    settings: Settings | None = None,
    *,
    before_commit: Callable[[Report], None] | None = None,
) -> Report:
    """Carry ``spec`` out on ``source`` and write ``target``, whole or not at all.

    The gates of ``spec`` are not judged here: see :func:`compress_core.check`.

    :param before_commit: gets the report before the output appears; what it raises leaves none.
    :raises InputError: ``source`` cannot be used; :raises OutputError: ``target`` cannot be
        written.
    :raises UsageError: what is asked for does not go together, or ``target`` must not be replaced;
        or the spec wants to resume, which is for a batch, and ``settings`` do not replace.
    """
    settings = settings or Settings()
    refuse_resuming(spec.output, settings)
    with _source(source, settings) as reader, _grams(spec, reader) as grams:
        _refuse_target(Path(target), spec)
        run = _begin(reader, spec, settings, grams)
        writer = _writer(run.plan, Path(target), settings)
        writer.check()
        weight_files(run.plan, __version__)  # what cannot be stored is said before data is read
        run = _without_nonfinite(run, spec, settings, grams)
        run.settle()
        writer.config = run.plan.config
        return _carry_out(run, writer, Path(target), before_commit)


def plan(
    source: Path | str,
    spec: Spec,
    settings: Settings | None = None,
    *,
    target: Path | str | None = None,
    exact: bool = False,
    measure: bool = False,
) -> Report:
    """What :func:`compress` would do: sizes from headers alone, upper bounds where those do not
    tell.

    With ``on_nonfinite="keep"`` all data are looked through: they decide what is left alone.

    :param exact: carry out the surveys, so that every size is exact.
    :param measure: besides, make all that would be written, in memory, and measure it: errors and
        zeros are those of the report of :func:`compress`.
    """
    settings = settings or Settings()
    with _source(source, settings) as reader, _grams(spec, reader) as grams:
        run = _begin(reader, spec, settings, grams)
        if exact or measure:
            weight_files(run.plan, __version__)  # as in `compress`
        run = _without_nonfinite(run, spec, settings, grams)
        if exact or measure:
            run.settle()
        return _outlook(run, target, settings, run.measure() if measure else {})


def _source(path: Path | str, settings: Settings) -> Reader:
    """The tensors of an input: as they are stored, or what they stand for."""
    if settings.requantize:
        return open_logical(path, settings.key)
    return open_weights(path, settings.key)


def restore(source: Path | str, target: Path | str, settings: Settings | None = None) -> Report:
    """Decode a compressed file or folder to dense tensors of their original dtype.

    :raises UnsupportedError: it holds codes of a scheme that cannot be decoded here.
    """
    settings = settings or Settings()
    with open_logical(source, settings.key) as reader:
        run = Run(_decide_restore(reader, settings), settings)
        writer = _writer(run.plan, Path(target), settings)
        writer.check()
        return _carry_out(run, writer, Path(target))


def plan_restore(
    source: Path | str, settings: Settings | None = None, *, target: Path | str | None = None
) -> Report:
    """What :func:`restore` would do, from headers alone."""
    settings = settings or Settings()
    with open_logical(source, settings.key) as reader:
        return _outlook(Run(_decide_restore(reader, settings), settings), target, settings, {})


def _decide_restore(reader: Reader, settings: Settings) -> Plan:
    _refuse_codes(reader)
    found = _decide(reader, Spec(output=Output(layout="dense")), settings)
    if not reader.forms and not reader.aliases:
        found.notes.append("nothing is compressed: the output is a copy")
    return found


def _outlook(
    run: Run, target: Path | str | None, settings: Settings, stats: Mapping[str, ErrorStats]
) -> Report:
    files = weight_files(run.plan, __version__)
    source = run.plan.source
    shown = None if target is None else Path(target)
    # a plan without a target still needs a name to measure the file under
    writer = _writer(run.plan, shown or Path(source.path.name), settings)
    sizes = {name: size + slack(run.plan) for name, size in writer.measure(files).items()}
    return _report(run, sizes, stats, kind="plan", target=shown)


def _refuse_codes(reader: Reader) -> None:
    strings = {key: value for own in reader.metadata.values() for key, value in own.items()}
    scheme = model.quantized_as(reader.infos, strings, reader.config)
    if scheme is not None:
        said = scheme if reader.undecoded is None else f"{scheme}, {reader.undecoded}"
        raise UnsupportedError(
            f"quantized by another tool, and not decoded here: {said}",
            where=str(reader.path),
            hint="see which codes are: modelopt list layouts, modelopt list conventions",
        )


def _decide(
    reader: Reader,
    spec: Spec,
    settings: Settings,
    keep: Mapping[str, str] | None = None,
    grams: Grams | None = None,
) -> Plan:
    return make_plan(
        reader,
        spec,
        on_unmatched=settings.on_unmatched,
        keep=keep,
        with_gram=grams.known if grams else None,
        with_mean=grams.with_mean if grams else (),
    )


@contextmanager
def _grams(spec: Spec, reader: Reader) -> Iterator[Grams | None]:
    """The Gram file of a spec, open."""
    if spec.gram is None:
        yield None
        return
    with open_grams(spec.gram, reader.infos.values()) as grams:
        yield grams


def _refuse_target(target: Path, spec: Spec) -> None:
    """An input is never replaced."""
    if spec.gram is not None and target.resolve() == Path(spec.gram).resolve():
        raise OutputExistsError("the output is the Gram file", where=str(target))


def _begin(
    reader: Reader,
    spec: Spec,
    settings: Settings,
    grams: Grams | None,
    keep: Mapping[str, str] | None = None,
) -> Run:
    plan = _decide(reader, spec, settings, keep, grams)
    plan.notes.extend([*(grams.notes if grams else ()), *without_gram(plan)])
    return Run(plan, settings, grams)


def _without_nonfinite(run: Run, spec: Spec, settings: Settings, grams: Grams | None) -> Run:
    """The run again, without the tensors that must not be touched, if that is asked for."""
    if settings.on_nonfinite != "keep":
        return run
    keep = dict.fromkeys(run.find_nonfinite(), _NON_FINITE)
    return _begin(run.plan.source, spec, settings, grams, keep) if keep else run


def _writer(plan: Plan, target: Path, settings: Settings) -> Writer:
    source, output = plan.source, plan.spec.output
    format_id = "folder" if source.path.is_dir() else "safetensors"
    may_replace = settings.replace or output.on_exists == "replace"
    writer: Writer = registry.get("formats", format_id).writer(target, source, replace=may_replace)
    writer.copy_side_files = output.copy_side_files
    writer.config = plan.config
    return writer


def refuse_resuming(output: Output, settings: Settings) -> None:
    """An output does not tell which input it was made of: only the journal of a batch does.

    :raises UsageError: a spec wants to resume, and nothing may be replaced.
    """
    if output.on_exists == "resume" and not settings.replace:
        raise UsageError(
            "a single run cannot resume: only a batch keeps a journal of what it wrote",
            where="output.on_exists",
            hint="modelopt batch PATH --spec FILE -O DIR, or --force to replace what is there",
        )


def _carry_out(
    run: Run,
    writer: Writer,
    target: Path,
    before_commit: Callable[[Report], None] | None = None,
) -> Report:
    files = weight_files(run.plan, __version__)
    try:
        writer.begin(files)
        stats = _as_recorded(run.plan, run.write(writer))
        run.plan.notes.extend(_left_out(writer))
        report = _report(run, writer.measure(files), stats, kind="run", target=target)
        if before_commit is not None:
            before_commit(report)
        writer.commit(_measured(run.plan, files, stats))
    except BaseException:
        writer.abort()
        raise
    return report


def _as_recorded(plan: Plan, stats: Mapping[str, ErrorStats]) -> dict[str, ErrorStats]:
    """The same, with the recorded errors of codes that are kept: storing them anew adds none."""
    known = plan.source.errors
    kept = {one.info.name for one in plan.tensors.values() if keeps_codes(one)}
    return {
        name: one.recorded(known[name]) if name in kept and name in known else one
        for name, one in stats.items()
    }


def _measured(
    plan: Plan, files: Sequence[FilePlan], stats: Mapping[str, ErrorStats]
) -> dict[str | None, dict[str, str]]:
    """File name → what its metadata says of errors, now that they are known."""
    holder = {part: file.name for file in files for part in file.parts}
    inside: dict[str | None, list[ErrorStats]] = {}
    for one in plan.touched():
        if one.info.name in plan.aliases:
            continue
        inside.setdefault(holder[next(iter(plan.parts(one)))], []).append(stats[one.info.name])
    return {name: plan.layout.measured(found) for name, found in inside.items()}


def _left_out(writer: Writer) -> list[str]:
    return [f"not copied: {', '.join(writer.left_out)}"] if writer.left_out else []


def _report(
    run: Run,
    files: dict[str, int],
    stats: Mapping[str, ErrorStats],
    *,
    kind: Literal["run", "plan"],
    target: Path | None,
) -> Report:
    plan = run.plan
    tensors = tuple(_tensor(plan, one, stats.get(one.info.name)) for one in plan.tensors.values())
    return Report(
        kind=kind,
        source=str(plan.source.path),
        target=None if target is None else str(target),
        layout=plan.layout.id,
        read_by=plan.layout.readers(plan.checkpoint),
        tensors=tensors,
        totals=_totals(plan, tensors, files, stats),
        spec=plan.spec.config(),
        version=__version__,
        files=files,
        notes=(*plan.source.notes, *plan.notes, *plan.remarks()),
        peak_bytes=run.peak_bytes if kind == "plan" else None,
    )


def _tensor(plan: Plan, one: TensorPlan, stats: ErrorStats | None) -> TensorReport:
    name = one.info.name
    tied_to = plan.aliases.get(name)
    restored = name in plan.source.forms
    measured = plan.source.errors.get(name) if restored else None
    if one.form.touched and stats is not None:
        measured = stats.result()
    return TensorReport(
        name=name,
        shape=one.info.shape,
        dtype=one.info.dtype.code,
        to=_to(one, tied_to, restored=restored),
        bytes_in=plan.source.stored_bytes(name),
        bytes_out=sum(part.nbytes for part in plan.parts(one).values()),
        exactness=exactness(one.form),
        measured=measured,
        zeros=None if stats is None else stats.zeros,
        kept_because=None if restored else one.kept_because,
        role=one.role,
        tied_to=tied_to,
        reference_square=None if stats is None else stats.reference_square,
        quantized=one.form.scheme is not None,
        outputs=None if stats is None else stats.outputs,
        clipped=None if stats is None else stats.clipped,
    )


def _to(one: TensorPlan, tied_to: str | None, *, restored: bool) -> str:
    """What a tensor became, in a word or two."""
    if tied_to is not None:
        return "tied"
    if one.left is not None:
        return "kept"
    return one.info.dtype.code.lower() if restored and not one.form.touched else str(one.form)


def _totals(
    plan: Plan,
    tensors: tuple[TensorReport, ...],
    files: Mapping[str, int],
    stats: Mapping[str, ErrorStats],
) -> Totals:
    own = [tensor for tensor in tensors if tensor.tied_to is None]
    whole = total(stats[tensor.name] for tensor in own if tensor.name in stats)
    return Totals(
        bytes_in=plan.source.size(),
        bytes_out=sum(files.values()),
        tensor_bytes_in=sum(tensor.bytes_in for tensor in tensors),
        tensor_bytes_out=sum(tensor.bytes_out for tensor in tensors),
        elements=sum(tensor.elements for tensor in own),
        float_elements=whole.elements,
        exactness="exact" if plan.exact else "at most",
        measured=_total_error(plan, whole) if stats else None,
        zeros=whole.zeros if stats else None,
        outputs=mean_outputs(one.outputs for one in own if one.outputs is not None),
    )


def _total_error(plan: Plan, whole: ErrorStats) -> ErrorResult | None:
    changed = bool(plan.touched())
    return whole.result() if changed and math.isfinite(whole.error_square) else None
