"""Compare any two files or folders, compressed or not, tensor by tensor.

Two sweeps. The first looks at bits alone and leaves a tensor at its first difference. The second
measures how far apart is what differs; the floats that are identical are read once more for their
weight in the total. Where nothing differs there is nothing to measure and no second sweep.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core import __version__, model
from compress_core.container import Reader
from compress_core.difference import Difference, KeyDifference, Side, TensorDifference
from compress_core.dtypes import DType
from compress_core.kernels.exact import exact_sum
from compress_core.opening import keys_for, open_logical
from compress_core.report import ErrorResult
from compress_core.scanning import Span, Subject, elements, scan, stored_bytes
from compress_core.select import Selector, told_unmatched
from compress_core.settings import Settings
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress_core.kernels.differences import Distance


@dataclass(frozen=True)
class Pair(Subject):
    """A tensor of A (``info``) and its namesake in B (``other``), of the same shape."""

    other: TensorInfo

    @property
    def name(self) -> str:
        """The name that they share."""
        return self.info.name

    @property
    def alike(self) -> bool:
        """Whether they have the same dtype, so that bits can be compared."""
        return self.info.dtype == self.other.dtype

    @property
    def measurable(self) -> bool:
        """Whether they have an error: both are floats that can be calculated with."""
        return all(_calculable(info.dtype) for info in (self.info, self.other))


def diff(
    a: Path | str,
    b: Path | str,
    settings: Settings | None = None,
    *,
    select: Selector | None = None,
    keys: tuple[str | None, str | None] = (None, None),
) -> Difference:
    """What leads from ``a`` to ``b``, weight files or folders: compared as a reader gets them.

    :param select: the tensors to compare, by what is known of them in either file; metadata and
        config are left out then.
    :param keys: which set of weights of ``a`` and of ``b``; where none is named, that of
        ``settings``.
    :raises InputError: one of them cannot be used.
    :raises UnmatchedError: a pattern matches no tensor of either.
    """
    settings = settings or Settings()
    chosen = select or Selector()
    for_both = keys_for((a, b), settings.key)
    key_a, key_b = (own or other for own, other in zip(keys, for_both, strict=True))
    with open_logical(a, key_a) as first, open_logical(b, key_b) as second:
        names = list(dict.fromkeys([*first.infos, *second.infos]))
        notes = told_unmatched(chosen.written, names, settings.on_unmatched)
        tensors = _compared(first, second, chosen, settings)
        return Difference(
            a=Side(str(first.path), first.size()),
            b=Side(str(second.path), second.size()),
            tensors=tuple(tensors),
            version=__version__,
            metadata=_metadata(first, second) if chosen == Selector() else None,
            config=_config(first, second) if chosen == Selector() else None,
            notes=(*_notes(first), *_notes(second), *notes),
        )


def _compared(
    first: Reader, second: Reader, chosen: Selector, settings: Settings
) -> Iterator[TensorDifference]:
    # what is selected in one of them is compared, whatever the other makes of it
    names = list(dict.fromkeys([*_selected(first, chosen), *_selected(second, chosen)]))
    found = _Comparison(first, second, settings).of(_pairs(first, second, names))
    for name in names:
        yield found.get(name) or TensorDifference(
            name, first.infos.get(name), second.infos.get(name)
        )


def _selected(reader: Reader, chosen: Selector) -> Iterator[str]:
    for name, info in reader.infos.items():
        if chosen.refuses(info, model.role(info, reader.config)) is None:
            yield name


def _pairs(first: Reader, second: Reader, names: Iterable[str]) -> list[Pair]:
    """The tensors whose elements can be compared."""
    pairs = (
        Pair(
            first.infos[name],
            by_rows=name in first.forms or name in second.forms,
            other=second.infos[name],
        )
        for name in names
        if name in first.infos and name in second.infos
    )
    return [pair for pair in pairs if _comparable(pair.info, pair.other)]


def _comparable(one: TensorInfo, other: TensorInfo) -> bool:
    if one.shape != other.shape:
        return False
    kind = _kind(one.dtype)
    return one.dtype == other.dtype or (kind is not None and kind == _kind(other.dtype))


def _kind(dtype: DType) -> str | None:
    """What its elements can be compared with besides their own dtype; ``None``: nothing."""
    if dtype.kind in ("int", "uint", "bool"):
        return "integer"
    return "float" if _calculable(dtype) else None


def _calculable(dtype: DType) -> bool:
    return dtype.is_float and dtype.bits >= 8


class _Comparison:
    """The two sweeps over pairs of tensors."""

    def __init__(self, first: Reader, second: Reader, settings: Settings) -> None:
        self._first = first
        self._second = second
        self._settings = settings

    def of(self, pairs: Sequence[Pair]) -> dict[str, TensorDifference]:
        """What became of each pair, by name."""
        unlike = self._unlike(pairs)
        found = {pair.name: _identical(pair, None) for pair in pairs if pair.name not in unlike}
        if unlike:
            found |= self._measured(pairs, unlike)
        return found

    def _unlike(self, pairs: Sequence[Pair]) -> set[str]:
        """The names of those that are not the same to the bit."""
        unlike = {pair.name for pair in pairs if not pair.alike}
        alike = [pair for pair in pairs if pair.alike]
        for pair, same in scan(
            "compare", alike, self._same_bits, self._settings, enough=lambda one: one.name in unlike
        ):
            if not same:
                unlike.add(pair.name)
        return unlike

    def _same_bits(self, span: Span[Pair]) -> bool:
        if span.subject.by_rows:
            ours, theirs = self._elements(span)
            return ours.tobytes() == theirs.tobytes()
        where = span.subject.name, span.start, span.stop
        return stored_bytes(self._first, *where) == stored_bytes(self._second, *where)

    def _measured(
        self, pairs: Sequence[Pair], unlike: Collection[str]
    ) -> dict[str, TensorDifference]:
        """Everything about the pairs that are unlike, and the weight of the others."""
        from compress_core.kernels.differences import Distance

        def measure(span: Span[Pair]) -> Distance:
            return self._distance(span) if span.subject.name in unlike else self._weight(span)

        # what has no elements is not scanned
        found = {pair.name: _changed(pair, Distance()) for pair in pairs if pair.name in unlike}
        weighed = [pair for pair in pairs if pair.name in unlike or pair.measurable]
        for pair, parts in groupby(
            scan("measure", weighed, measure, self._settings), key=itemgetter(0)
        ):
            distance = Distance.joined(part for _, part in parts)
            conclude = _changed if pair.name in unlike else _identical
            found[pair.name] = conclude(pair, distance)
        return found

    def _distance(self, span: Span[Pair]) -> Distance:
        from compress_core.kernels.differences import Distance, between_floats, between_others

        ours, theirs = self._elements(span)
        dtype = span.subject.info.dtype
        if not span.subject.measurable:
            return between_others(
                ours, theirs, None if dtype.storage else (1 << dtype.bits - 1) - 1
            )
        codes = dtype.code, span.subject.other.dtype.code
        return Distance.joined(
            between_floats(ours[grain], theirs[grain], codes) for grain in span.grains()
        )

    def _weight(self, span: Span[Pair]) -> Distance:
        from compress_core.kernels.differences import Distance, between_same

        info = span.subject.info
        values = elements(self._first, info.name, span.start, span.stop)
        return Distance.joined(
            between_same(values[grain], info.dtype.code) for grain in span.grains()
        )

    def _elements(self, span: Span[Pair]) -> tuple[NDArray[Any], NDArray[Any]]:
        where = span.subject.name, span.start, span.stop
        return elements(self._first, *where), elements(self._second, *where)


def _changed(pair: Pair, distance: Distance) -> TensorDifference:
    return TensorDifference(
        name=pair.name,
        a=pair.info,
        b=pair.other,
        differing=distance.differing,
        nonfinite=distance.nonfinite,
        measured=_error(pair, distance),
        zeros=(distance.zeros_a, distance.zeros_b),
    )


def _identical(pair: Pair, weight: Distance | None) -> TensorDifference:
    measured = ErrorResult(0.0, 0.0, 0.0) if pair.measurable else None
    if weight is not None:
        measured = _error(pair, weight)
    return TensorDifference(
        pair.name, pair.info, pair.other, identical=True, differing=0, measured=measured
    )


def _error(pair: Pair, distance: Distance) -> ErrorResult | None:
    """The error, if there is one: between numbers, and with squares that float64 can hold."""
    squares = exact_sum(distance.error_squares), exact_sum(distance.reference_squares)
    if not pair.measurable or distance.nonfinite or not all(map(math.isfinite, squares)):
        return None
    return ErrorResult(*squares, distance.max_abs)


def _metadata(first: Reader, second: Reader) -> KeyDifference:
    return KeyDifference.between(_strings(first), _strings(second))


def _strings(reader: Reader) -> dict[str, str]:
    """The metadata of all weight files; among equal keys the first file's."""
    strings: dict[str, str] = {}
    for own in reader.metadata.values():
        strings = {**own, **strings}
    return strings


def _config(first: Reader, second: Reader) -> KeyDifference | None:
    if first.config is None or second.config is None:
        return None
    return KeyDifference.between(first.config, second.config)


def _notes(reader: Reader) -> list[str]:
    return [f"{reader.path}: {note}" for note in reader.notes]
