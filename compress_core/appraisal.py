"""Measure one weight file: as it is, by what it records, or against its original.

What is not asked for is not read: sizes come from headers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from compress_core.comparison import diff
from compress_core.container import Reader
from compress_core.difference import TensorDifference
from compress_core.errors import UsageError
from compress_core.gates import Measurement, TensorMeasure
from compress_core.gates.measurement import with_aliases
from compress_core.metrics import ErrorStats, Moments, observe_kept
from compress_core.opening import keys_for, open_logical
from compress_core.operations import plan_restore
from compress_core.report import ErrorResult
from compress_core.scanning import Span, Subject, elements, scan
from compress_core.settings import Settings

_SPOILT = ErrorResult(math.inf, 0.0, math.inf)
"""The error of floats without a distance: NaN against a number, or squares beyond float64."""


def appraise(
    path: Path, needed: frozenset[str], against: Path | str | None, settings: Settings
) -> Measurement:
    """What is known of the weight file or folder at ``path``.

    :param needed: ``errors``, ``zeros``, ``plain``: see :class:`compress_core.gates.metric.Metric`.
    :param against: its original, if that is to tell errors and the size without compression.
    :raises InputError: one of them is unreadable or corrupt.
    :raises UsageError: ``against`` is not of the same model.
    """
    if against is not None:
        return _against(path, Path(against), needed, settings)
    with open_logical(path, settings.key) as reader:
        # what plain values were made from, only their original tells
        recorded = bool(reader.forms or reader.aliases)
        scanned = _scanned(reader, needed, settings)
        errors = _recorded(reader, scanned) if recorded and "errors" in needed else {}
        plain = _plain_bytes(reader) if recorded and "plain" in needed else None
        found = _measurement(reader, errors, scanned, plain)
        return found if recorded else replace(found, original=str(path))


def _plain_bytes(reader: Reader) -> int:
    """What the weights would take without compression, with each tie stored once."""
    twice = sum(reader.infos[name].nbytes for name in reader.aliases)
    return plan_restore(reader.path).totals.bytes_out - twice


def _against(path: Path, original: Path, needed: frozenset[str], settings: Settings) -> Measurement:
    errors: dict[str, ErrorResult] = {}
    if "errors" in needed:
        found = diff(original, path, settings)
        errors = {one.name: _error(one, original) for one in found.tensors}
    keys = keys_for((original, path), settings.key)
    with open_logical(original, keys[0]) as first, open_logical(path, keys[1]) as reader:
        scanned = _scanned(reader, needed - {"errors"}, settings)
        known = _measurement(reader, errors, scanned, first.size(), first)
        return replace(known, original=str(original))


def _error(tensor: TensorDifference, original: Path) -> ErrorResult:
    """The error of one tensor against its original.

    :raises UsageError: the two cannot be of the same model.
    """
    if tensor.a is None or tensor.b is None or tensor.differing is None:
        said = {"added": "is not in it", "removed": "is missing in the file"}
        raise UsageError(
            f"not the original: tensor {tensor.name} {said.get(tensor.status, 'is another')}",
            where=str(original),
            hint="see what differs: modelopt diff ORIGINAL PATH",
        )
    return tensor.measured or _SPOILT


def _measurement(
    reader: Reader,
    errors: Mapping[str, ErrorResult],
    scanned: Mapping[str, ErrorStats],
    plain_bytes: int | None,
    original: Reader | None = None,
) -> Measurement:
    first = reader if original is None else original
    tensors = [
        TensorMeasure(
            name=name,
            elements=info.elements,
            stored=reader.stored_bytes(name),
            plain=first.infos.get(name, info).nbytes,
            # a cast to a narrow float must not take a tensor out of the error
            is_weight=info.dtype.is_weight or first.infos.get(name, info).dtype.is_weight,
            measured=errors.get(name),
            zeros=scanned[name].zeros if name in scanned else None,
        )
        for name, info in reader.infos.items()
        if name not in reader.aliases
    ]
    measures = with_aliases(tensors, reader.aliases)
    return Measurement(str(reader.path), reader.size(), measures, plain_bytes)


def _recorded(reader: Reader, scanned: Mapping[str, ErrorStats]) -> dict[str, ErrorResult]:
    """What a packed file records of its compressed tensors, and the weight of all others."""
    kept = {
        name: ErrorResult(0.0, weight if math.isfinite(weight) else 0.0, 0.0)
        for name, weight in ((name, stats.reference_square) for name, stats in scanned.items())
        if name not in reader.forms
    }
    return {**kept, **reader.errors}


def _scanned(reader: Reader, needed: frozenset[str], settings: Settings) -> dict[str, ErrorStats]:
    """Weight and zeros of the tensors whose data must be read for what is needed."""
    subjects = [
        Subject(info, by_rows=name in reader.forms)
        for name, info in reader.infos.items()
        if info.dtype.is_float and info.dtype.storage and _must_be_read(reader, name, needed)
    ]

    def look(span: Span[Subject]) -> tuple[Moments, int]:
        info = span.subject.info
        raw = elements(reader, info.name, span.start, span.stop)
        return observe_kept(raw, info.dtype.code), raw.size

    found = {subject.info.name: ErrorStats() for subject in subjects}
    for subject, parts in groupby(scan("measure", subjects, look, settings), key=itemgetter(0)):
        for _, (moments, count) in parts:
            found[subject.info.name].update(moments, count)
        found[subject.info.name].close()
    return found


def _must_be_read(reader: Reader, name: str, needed: frozenset[str]) -> bool:
    if "zeros" in needed:
        return True
    return "errors" in needed and bool(reader.forms) and name not in reader.forms
