"""What is known of one weight file or folder, and each metric as a figure of some tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from compress_core.errors import UsageError
from compress_core.report import ErrorResult, OutputErrors, Report, mean_outputs, pooled

_NOT_KNOWN = {
    "ratio": "its size without compression",
    "error": "the error",
    "zeros": "the number of zeros",
}
_AGAINST = "name the original: --against ORIGINAL"


@dataclass(frozen=True)
class TensorMeasure:
    """One tensor.

    :ivar same_as: the tensor that it is another name of; its figures are those of that one.
    :ivar stored: bytes that it takes.
    :ivar plain: bytes that its values take in their original dtype, uncompressed.
    :ivar is_weight: whether it is a float that can have an error.
    :ivar measured: its error; of a weight ``None`` means that it is not known.
    :ivar zeros: elements that are zero; ``None``: not counted, or no float.
    :ivar outputs: the error of what the layer gives; ``None``: no Gram matrix tells it.
    """

    name: str
    elements: int
    stored: int
    plain: int
    is_weight: bool
    measured: ErrorResult | None = None
    zeros: int | None = None
    same_as: str | None = None
    outputs: OutputErrors | None = None


def with_aliases(
    owners: Iterable[TensorMeasure], aliases: Mapping[str, str]
) -> tuple[TensorMeasure, ...]:
    """``owners``, and their other names."""
    known = {tensor.name: tensor for tensor in owners}
    others = (
        replace(known[owner], name=name, same_as=owner)
        for name, owner in aliases.items()
        if owner in known
    )
    return (*known.values(), *others)


@dataclass(frozen=True)
class Measurement:
    """One weight file or checkpoint folder.

    :ivar nbytes: of all weight files, headers and index included.
    :ivar plain_bytes: what these would be without compression; ``None``: not known.
    :ivar original: the weights that it was made from, itself if nothing is compressed; ``None``:
        not known.
    """

    path: str
    nbytes: int
    tensors: tuple[TensorMeasure, ...]
    plain_bytes: int | None = None
    original: str | None = None

    @classmethod
    def of_report(cls, report: Report) -> Measurement:
        """What a run has written, or is about to."""
        aliases = {one.name: one.tied_to for one in report.tensors if one.tied_to is not None}
        return cls(
            path=report.target or report.source,
            nbytes=report.totals.bytes_out,
            tensors=with_aliases(
                (
                    TensorMeasure(
                        name=tensor.name,
                        elements=tensor.elements,
                        stored=tensor.bytes_out,
                        plain=tensor.bytes_in,
                        is_weight=tensor.reference_square is not None,
                        measured=tensor.measured or _unchanged(tensor.reference_square),
                        zeros=tensor.zeros,
                        outputs=tensor.outputs,
                    )
                    for tensor in report.tensors
                    if tensor.tied_to is None
                ),
                aliases,
            ),
            plain_bytes=report.totals.bytes_in,
            original=report.source,
        )

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.stored for tensor in distinct(self.tensors))

    def to_json(self) -> dict[str, Any]:
        """The JSON form: sizes."""
        return {
            "path": self.path,
            "bytes": self.nbytes,
            "tensor_bytes": self.tensor_bytes,
            "tensors": len(self.tensors),
        }


def _unchanged(reference_square: float | None) -> ErrorResult | None:
    """The error of a tensor that was kept: none, but its elements weigh in a total."""
    if reference_square is None:
        return None
    # what holds NaN or infinity has no weight that could be added
    return ErrorResult(0.0, reference_square if math.isfinite(reference_square) else 0.0, 0.0)


Tensors = Sequence[TensorMeasure]


def distinct(tensors: Iterable[TensorMeasure]) -> Tensors:
    """``tensors``, whose data count once under however many names."""
    return list({tensor.same_as or tensor.name: tensor for tensor in tensors}.values())


def figure(metric: str, of: Measurement, tensors: Tensors | None = None) -> float | None:
    """The metric of some tensors, or (``None``) of the whole file.

    :returns: ``None`` when it does not apply: these tensors have no such thing.
    :raises UsageError: it applies, and nobody knows it.
    """
    if tensors is None and metric in _OF_FILES:
        return _OF_FILES[metric](of)
    return _OF_TENSORS[metric](of, distinct(of.tensors if tensors is None else tensors))


def _size(of: Measurement) -> float:
    return of.nbytes


def _ratio(of: Measurement) -> float | None:
    if of.plain_bytes is None:
        raise _unknown("ratio", of)
    return of.plain_bytes / of.nbytes if of.nbytes else None


def _tensor_bytes(of: Measurement, tensors: Tensors) -> float:
    return sum(tensor.stored for tensor in tensors)


def _tensor_ratio(of: Measurement, tensors: Tensors) -> float | None:
    if of.plain_bytes is None:
        raise _unknown("ratio", of)
    stored = sum(tensor.stored for tensor in tensors)
    return sum(tensor.plain for tensor in tensors) / stored if stored else None


def _bits(of: Measurement, tensors: Tensors) -> float | None:
    elements = sum(tensor.elements for tensor in tensors)
    return 8 * sum(tensor.stored for tensor in tensors) / elements if elements else None


def _zeros(of: Measurement, tensors: Tensors) -> float | None:
    weights = [tensor for tensor in tensors if tensor.is_weight]
    if any(tensor.zeros is None for tensor in weights):
        raise _unknown("zeros", of)
    elements = sum(tensor.elements for tensor in weights)
    return sum(tensor.zeros or 0 for tensor in weights) / elements if elements else None


def _pooled(of: Measurement, tensors: Tensors) -> ErrorResult | None:
    weights = [tensor for tensor in tensors if tensor.is_weight and tensor.elements]
    known = [tensor.measured for tensor in weights if tensor.measured is not None]
    if len(known) < len(weights):
        raise _unknown("error", of)
    return pooled(known) if known else None


def _error(of: Measurement, tensors: Tensors) -> float | None:
    found = _pooled(of, tensors)
    return None if found is None else found.error


def _sqnr(of: Measurement, tensors: Tensors) -> float | None:
    found = _pooled(of, tensors)
    if found is None or found.sqnr_db is not None:
        return None if found is None else found.sqnr_db
    return -math.inf if found.error else math.inf


def _max_abs(of: Measurement, tensors: Tensors) -> float | None:
    found = _pooled(of, tensors)
    return None if found is None else found.max_abs


def _output_error(of: Measurement, tensors: Tensors) -> float | None:
    if all(tensor.outputs is None for tensor in of.tensors):
        raise UsageError(
            "no Gram matrix tells the error of what layers give",
            where=of.path,
            hint="measure it in the run that compresses: --gram FILE",
        )
    found = mean_outputs(tensor.outputs for tensor in tensors if tensor.outputs is not None)
    return None if found is None else found.judged_by.error


_OF_FILES: dict[str, Callable[[Measurement], float | None]] = {"size": _size, "ratio": _ratio}
_OF_TENSORS: dict[str, Callable[[Measurement, Tensors], float | None]] = {
    "tensor_bytes": _tensor_bytes,
    "ratio": _tensor_ratio,
    "bits_per_weight": _bits,
    "error": _error,
    "sqnr_db": _sqnr,
    "max_abs": _max_abs,
    "output_error": _output_error,
    "zeros": _zeros,
}


def _unknown(what: str, of: Measurement) -> UsageError:
    return UsageError(
        f"nothing in this file tells {_NOT_KNOWN[what]}", where=of.path, hint=_AGAINST
    )
