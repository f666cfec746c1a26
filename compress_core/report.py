"""What a run did, as values with a JSON form. Rendering is somebody else's work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from compress_core.kernels.exact import exact_sum

SCHEMA = "modelopt.report/1"

DB_PER_BIT = 20 * math.log10(2)
"""What a bit buys on the Gaussian rate-distortion line D(R) = σ²·2^(−2R): 6.02 dB.

Source: C. E. Shannon, "Coding theorems for a discrete source with a fidelity criterion" (1959).
"""

Exactness = Literal["exact", "at most"]


@dataclass(frozen=True)
class Squares:
    """An error and what it is a part of, as sums of squares."""

    error_square: float
    reference_square: float

    @property
    def error(self) -> float:
        """The root of their quotient: ‖W−Ŵ‖/‖W‖ (Frobenius) where they are sums over weights.

        0 when nothing differs, infinite when all of W is zero.
        """
        if self.error_square == 0:
            return 0.0
        if self.reference_square == 0:
            return math.inf
        return math.sqrt(self.error_square / self.reference_square)

    @property
    def sqnr_db(self) -> float | None:
        """10·log10(‖W‖²/‖W−Ŵ‖²); ``None`` when there is no error, or nothing but error."""
        error = self.error
        return None if error in (0.0, math.inf) else -20 * math.log10(error)


@dataclass(frozen=True)
class ErrorResult(Squares):
    """How far the values a reader gets are from the original ones.

    :ivar error_square: Σ(W−Ŵ)²; ``reference_square``: ΣW².
    :ivar max_abs: the largest |W−Ŵ|.
    """

    max_abs: float


@dataclass(frozen=True)
class OutputErrors:
    """How far what layers give is from what they gave: tr((W−Ŵ) H (W−Ŵ)ᵀ) / tr(W H Wᵀ).

    :ivar in_sample: for the inputs that a pass may have been fitted to.
    :ivar held_out: for others; ``None``: there are none.
    """

    in_sample: Squares
    held_out: Squares | None = None

    @property
    def judged_by(self) -> Squares:
        """The held-out error where there is one."""
        return self.in_sample if self.held_out is None else self.held_out


def mean_outputs(layers: Iterable[OutputErrors]) -> OutputErrors | None:
    """Of several layers: the root of the mean square of their relative errors; ``None`` of none.

    What layers give has no common scale, so each counts alike. A held-out error is one of all or of
    none.
    """
    known = list(layers)
    held_out = [one.held_out for one in known if one.held_out is not None]
    if not known:
        return None
    complete = len(held_out) == len(known)
    return OutputErrors(
        _mean([one.in_sample for one in known]), _mean(held_out) if complete else None
    )


def _mean(errors: Sequence[Squares]) -> Squares:
    return Squares(exact_sum(one.error**2 for one in errors), float(len(errors)))


def pooled(results: Iterable[ErrorResult]) -> ErrorResult:
    """The error over all elements of several tensors."""
    known = list(results)
    return ErrorResult(
        error_square=exact_sum(result.error_square for result in known),
        reference_square=exact_sum(result.reference_square for result in known),
        max_abs=max((result.max_abs for result in known), default=0.0),
    )


def finite(figure: float) -> float | None:
    """``figure``, or ``None``: JSON has no infinity and no NaN."""
    return figure if math.isfinite(figure) else None


def _figures(measured: ErrorResult | None) -> dict[str, float | None]:
    """The JSON form of an error: ``null`` where there is none, or none that is finite."""
    return {
        "error": None if measured is None else finite(measured.error),
        "sqnr_db": None if measured is None else measured.sqnr_db,
        "max_abs": None if measured is None else finite(measured.max_abs),
    }


def _outputs_json(found: OutputErrors | None) -> dict[str, Any]:
    held_out = None if found is None else found.held_out
    return {
        "output_error": None if found is None else finite(found.in_sample.error),
        "output_error_held_out": None if held_out is None else finite(held_out.error),
    }


@dataclass(frozen=True)
class TensorReport:
    """One tensor before and after.

    :ivar to: what it became, such as ``int4 g128`` or ``2of4``; ``kept`` when untouched.
    :ivar bytes_out: bytes of all its parts; an upper bound where ``exactness`` is ``at most``.
    :ivar measured: its error; ``None`` for a tensor that was kept, and in a plan from headers.
    :ivar outputs: the error of what the layer gives; ``None`` where no Gram matrix tells it.
    :ivar zeros: elements that are exactly zero afterwards; ``None`` in a plan from headers and for
        what is no float.
    :ivar kept_because: the reason why it was kept; ``None`` when it was not.
    :ivar tied_to: the tensor that it is stored as another name of; its data count once in totals.
    :ivar reference_square: ΣW² of the original, its weight in a total; infinite where that holds
        NaN or infinity, ``None`` where ``zeros`` is.
    :ivar quantized: whether it has codes of a number format: one that was only pruned has not.
    :ivar clipped: values that became codes and lie more than half a step beyond the numbers of
        their group; ``None`` where nothing became codes of three numbers or more, and in a plan
        from headers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    to: str
    bytes_in: int
    bytes_out: int
    exactness: Exactness = "exact"
    measured: ErrorResult | None = None
    zeros: int | None = None
    kept_because: str | None = None
    role: str = "other"
    tied_to: str | None = None
    reference_square: float | None = None
    quantized: bool = False
    outputs: OutputErrors | None = None
    clipped: int | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def to_json(self) -> dict[str, Any]:
        """The JSON form; numbers are exact, ``null`` means "no error" or "not known"."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "role": self.role,
            "to": self.to,
            "quantized": self.quantized,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "bytes_out_is": self.exactness,
            **_figures(self.measured),
            **_outputs_json(self.outputs),
            "zeros": self.zeros,
            "clipped": self.clipped,
            "kept_because": self.kept_because,
            "tied_to": self.tied_to,
        }


@dataclass(frozen=True)
class Totals:
    """The whole run.

    :ivar bytes_in: bytes of the whole weight files, headers and index included; likewise
        ``bytes_out``.
    :ivar measured: the error over all elements of all float tensors, the kept ones included;
        ``None`` when nothing was changed, and in a plan from headers.
    :ivar outputs: the errors of what layers give, together: the root of their mean square.
    :ivar zeros: zeros among all elements of float tensors; ``None`` in a plan from headers.
    :ivar float_elements: number of those elements.
    """

    bytes_in: int
    bytes_out: int
    tensor_bytes_in: int
    tensor_bytes_out: int
    elements: int
    float_elements: int
    exactness: Exactness = "exact"
    measured: ErrorResult | None = None
    zeros: int | None = None
    outputs: OutputErrors | None = None

    @property
    def ratio(self) -> float | None:
        """``bytes_in / bytes_out``."""
        return self.bytes_in / self.bytes_out if self.bytes_out else None

    @property
    def bits_per_weight(self) -> float | None:
        """Stored bits an element, over all tensors, side information counted."""
        return 8 * self.tensor_bytes_out / self.elements if self.elements else None

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "bytes_out_is": self.exactness,
            "tensor_bytes_in": self.tensor_bytes_in,
            "tensor_bytes_out": self.tensor_bytes_out,
            "ratio": self.ratio,
            "bits_per_weight": self.bits_per_weight,
            **_figures(self.measured),
            **_outputs_json(self.outputs),
            "zeros": self.zeros,
            "elements": self.elements,
        }


@dataclass(frozen=True)
class QuantizedTotals:
    """The quantized tensors alone: kept and only pruned ones say nothing of a number format.

    :ivar tensors: how many, each once under however many names.
    :ivar bytes_out: bytes of all their stored parts: codes, scales, zero points, places of zeros.
    :ivar measured: the error over all their elements; ``None`` in a plan from headers.
    :ivar clipped: those of their elements that were cut off, where that is known.
    """

    tensors: int
    elements: int
    bytes_out: int
    exactness: Exactness = "exact"
    measured: ErrorResult | None = None
    clipped: int | None = None

    @classmethod
    def among(cls, tensors: Iterable[TensorReport]) -> QuantizedTotals:
        """The sums over those of ``tensors`` that are quantized."""
        own = [one for one in tensors if one.quantized and one.tied_to is None]
        errors = [one.measured for one in own if one.measured is not None]
        clipped = [one.clipped for one in own if one.clipped is not None]
        exact = all(one.exactness == "exact" for one in own)
        return cls(
            tensors=len(own),
            elements=sum(one.elements for one in own),
            bytes_out=sum(one.bytes_out for one in own),
            exactness="exact" if exact else "at most",
            measured=pooled(errors) if errors else None,
            clipped=sum(clipped) if clipped else None,
        )

    @property
    def bits_per_weight(self) -> float | None:
        """Stored bits an element."""
        return 8 * self.bytes_out / self.elements if self.elements else None

    @property
    def gap_db(self) -> float | None:
        """dB below the Gaussian rate-distortion line: ``DB_PER_BIT`` · bits a weight − SQNR.

        No code brings independent Gaussian weights above that line; a negative gap is of weights
        that are easier than these. ``None`` where there is no SQNR.
        """
        bits = self.bits_per_weight
        sqnr = None if self.measured is None else self.measured.sqnr_db
        return None if bits is None or sqnr is None else DB_PER_BIT * bits - sqnr

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "tensors": self.tensors,
            "elements": self.elements,
            "bytes_out": self.bytes_out,
            "bytes_out_is": self.exactness,
            "bits_per_weight": self.bits_per_weight,
            **_figures(self.measured),
            "clipped": self.clipped,
            "gap_db": self.gap_db,
        }


@dataclass(frozen=True)
class Report:
    """What a run did, or (``kind="plan"``) would do.

    :ivar files: every weight file of the output and its bytes.
    :ivar notes: things that must be said: skipped tensors, left-out files, patterns without a
        match.
    :ivar peak_bytes: the memory that the run is expected to need (plans only).
    """

    kind: Literal["run", "plan"]
    source: str
    target: str | None
    layout: str
    read_by: str
    tensors: tuple[TensorReport, ...]
    totals: Totals
    spec: Mapping[str, Any]
    version: str
    files: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    peak_bytes: int | None = None

    @property
    def has_errors(self) -> bool:
        """Whether data were read, so that errors and zeros are known."""
        return self.kind == "run" or self.totals.zeros is not None

    @property
    def quantized(self) -> QuantizedTotals:
        """What was quantized, all of it together."""
        return QuantizedTotals.among(self.tensors)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, schema ``modelopt.report/1``."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "source": self.source,
            "target": self.target,
            "layout": self.layout,
            "version": self.version,
            "spec": dict(self.spec),
            "totals": self.totals.to_json(),
            "quantized": self.quantized.to_json(),
            "files": dict(self.files),
            "peak_bytes": self.peak_bytes,
            "notes": list(self.notes),
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }
