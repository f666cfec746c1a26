"""How two sets of tensors differ, as values with a JSON form. Rendering is somebody else's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from compress_core.report import ErrorResult, finite, pooled
from compress_core.tensors import TensorInfo

SCHEMA = "modelopt.diff/1"

Status = Literal["added", "removed", "changed", "equal"]
STATUSES: tuple[Status, ...] = ("changed", "added", "removed", "equal")


@dataclass(frozen=True)
class TensorDifference:
    """One tensor in A and in B.

    Values are compared: −0 equals 0, and NaN equals NaN whatever its payload.

    :ivar a: the tensor in A, ``None`` when only B has it; ``b`` likewise.
    :ivar identical: whether dtype, shape and every bit are the same.
    :ivar differing: elements of different value; ``None`` where elements cannot be compared: other
        shapes, or kinds of dtype that have nothing in common (integers and floats).
    :ivar nonfinite: those of them that are NaN or infinite on one side or both.
    :ivar measured: the error of B against A over the elements that are finite in both; ``None`` for
        what is no float of 8 bits or more, and where ``nonfinite`` elements have no distance.
    :ivar zeros: zeros in A and in B; ``None`` where they were not counted: in identical tensors.
    """

    name: str
    a: TensorInfo | None
    b: TensorInfo | None
    identical: bool = False
    differing: int | None = None
    nonfinite: int = 0
    measured: ErrorResult | None = None
    zeros: tuple[int, int] | None = None

    @property
    def status(self) -> Status:
        """What became of it from A to B; another dtype or shape is a change whatever the values."""
        if self.a is None:
            return "added"
        if self.b is None:
            return "removed"
        alike = (self.a.dtype, self.a.shape) == (self.b.dtype, self.b.shape)
        return "equal" if alike and self.differing == 0 else "changed"

    @property
    def compared(self) -> int:
        """Elements that were compared."""
        return self.a.elements if self.a is not None and self.differing is not None else 0

    @property
    def nbytes(self) -> int:
        """Bytes of its values, where it has more of them."""
        return max(info.nbytes for info in (self.a, self.b) if info is not None)

    def to_json(self) -> dict[str, Any]:
        """The JSON form; ``null`` means "none"."""
        zeros = self.zeros or (None, None)
        return {
            "name": self.name,
            "status": self.status,
            "dtype_a": None if self.a is None else self.a.dtype.code,
            "dtype_b": None if self.b is None else self.b.dtype.code,
            "shape_a": None if self.a is None else list(self.a.shape),
            "shape_b": None if self.b is None else list(self.b.shape),
            "identical": self.identical,
            "compared": self.compared,
            "differing": self.differing,
            "nonfinite": self.nonfinite,
            **_figures(self.measured),
            "zeros_a": zeros[0],
            "zeros_b": zeros[1],
        }


@dataclass(frozen=True)
class KeyDifference:
    """Keys that only one of two mappings has, and those with other values; each sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, a: Mapping[str, object], b: Mapping[str, object]) -> KeyDifference:
        """What leads from ``a`` to ``b``."""
        return cls(
            added=tuple(sorted(b.keys() - a.keys())),
            removed=tuple(sorted(a.keys() - b.keys())),
            changed=tuple(sorted(key for key in a.keys() & b.keys() if a[key] != b[key])),
        )

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, list[str]]:
        """The JSON form."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
        }


@dataclass(frozen=True)
class Side:
    """One of the two that are compared; ``nbytes`` of all its weight files."""

    path: str
    nbytes: int

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"path": self.path, "bytes": self.nbytes}


@dataclass(frozen=True)
class Difference:
    """What leads from A to B.

    :ivar tensors: in the order of A, then those that only B has.
    :ivar metadata: keys of the files' metadata, without those that our own layouts keep; ``None``
        when only some tensors were asked for.
    :ivar config: keys of ``config.json``; ``None`` unless both are folders that have one.
    :ivar notes: what was odd about A, about B, or about the patterns.
    """

    a: Side
    b: Side
    tensors: tuple[TensorDifference, ...]
    version: str
    metadata: KeyDifference | None = None
    config: KeyDifference | None = None
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything does: a tensor, a key of the metadata or of the config."""
        return (
            any(tensor.status != "equal" for tensor in self.tensors)
            or bool(self.metadata)
            or bool(self.config)
        )

    @cached_property
    def measured(self) -> ErrorResult | None:
        """The error over all elements of all tensors that have one."""
        known = [tensor.measured for tensor in self.tensors if tensor.measured is not None]
        return pooled(known) if known else None

    def count(self, status: Status) -> int:
        """How many tensors have a status."""
        return sum(tensor.status == status for tensor in self.tensors)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, schema ``modelopt.diff/1``."""
        return {
            "schema": SCHEMA,
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "version": self.version,
            "differs": self.differs,
            "totals": self._totals(),
            "metadata": None if self.metadata is None else self.metadata.to_json(),
            "config": None if self.config is None else self.config.to_json(),
            "notes": list(self.notes),
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }

    def _totals(self) -> dict[str, Any]:
        return {
            **{status: self.count(status) for status in STATUSES},
            "identical": sum(tensor.identical for tensor in self.tensors),
            "compared": sum(tensor.compared for tensor in self.tensors),
            "differing": sum(tensor.differing or 0 for tensor in self.tensors),
            "nonfinite": sum(tensor.nonfinite for tensor in self.tensors),
            **_figures(self.measured),
        }


def _figures(measured: ErrorResult | None) -> dict[str, float | None]:
    if measured is None:
        return {"error": None, "sqnr_db": None, "max_abs": None}
    return {
        "error": finite(measured.error),
        "sqnr_db": measured.sqnr_db,
        "max_abs": finite(measured.max_abs),
    }
