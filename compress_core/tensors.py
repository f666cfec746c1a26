"""The values that flow through the house: what a tensor is, what it becomes, and a tile of its
rows.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from compress_core.dtypes import DType
from compress_core.errors import UsageError

if TYPE_CHECKING:
    from compress_core.schemes.base import Scheme


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as its header describes it.

    :ivar shape: as stored; ``()`` is a scalar.
    :ivar nbytes: bytes of its data.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    nbytes: int

    @cached_property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def holds_experts(self) -> bool:
        """Whether it is several experts, ``(E, out, in)``: by the word ``experts`` in its name."""
        return len(self.shape) == 3 and "experts" in self.name.split(".")

    @cached_property
    def matrix(self) -> tuple[int, int]:
        """The (rows, columns) that passes work on; row-major order is the file's.

        A convolution ``(out, in, kh, kw)`` is ``(out, in·kh·kw)``; a vector is one row. Fused
        experts ``(E, out, in)`` are ``(E·out, in)``.
        """
        if len(self.shape) < 2:
            return 1, self.elements
        if self.holds_experts:
            return self.shape[0] * self.shape[1], self.shape[2]
        return self.shape[0], math.prod(self.shape[1:])


@dataclass(frozen=True)
class Structure:
    """The shape of what pruning removes, in the matrix view.

    ``element``, ``row``, ``column``; ``block`` of ``height`` × ``width``; ``nofm``: at most
    ``height`` kept of each ``width`` consecutive columns, a ragged last group of r columns keeps
    min(height, r).
    """

    kind: str
    height: int = 1
    width: int = 1

    @classmethod
    def parse(cls, text: str) -> Structure:
        """``element``, ``row``, ``column``, ``16x4`` (a block) or ``2of4``.

        :raises UsageError: anything else, a zero size, or N greater than M.
        """
        if text in ("element", "row", "column"):
            return cls(text)
        found = re.fullmatch(r"(\d{1,9})(x|of)(\d{1,9})", text)
        if found is None:
            raise UsageError(
                f"unknown structure: {text}", hint="element, row, column, a block 16x4, or 2of4"
            )
        height, width = int(found[1]), int(found[3])
        if width < 1 or (found[2] == "x" and height < 1):
            raise UsageError(f"structure {text} has a side of 0", hint="such as 16x4, or 2of4")
        if found[2] == "of" and height > width:
            raise UsageError(
                f"structure {text} keeps more than there is", hint=f"{width}of{height}?"
            )
        return cls("block" if found[2] == "x" else "nofm", height, width)

    def __str__(self) -> str:
        if self.kind == "block":
            return f"{self.height}x{self.width}"
        return f"{self.height}of{self.width}" if self.kind == "nofm" else self.kind

    @property
    def said(self) -> str:
        """What a tensor with such zeros is called in tables."""
        return {"element": "sparse", "nofm": str(self)}.get(self.kind, f"{self} sparse")

    def joined(self, other: Structure | None) -> Structure:
        """The finest structure that still describes the union of two masks."""
        if other is None or (other == self and self.kind != "nofm"):
            return self
        return ELEMENT


ELEMENT = Structure("element")


@dataclass(frozen=True)
class Form:
    """What a tensor is, or will be, without its data.

    :ivar dtype: the dtype a reader gets back.
    :ivar scheme: the number format of its codes; ``None`` = plain values.
    :ivar sparsity: the structure of its zeros; ``None`` = not pruned.
    :ivar kept: elements that are not pruned; ``None`` with a sparsity = known after the survey.
    :ivar moved: a pass gave plain values that are not the file's; codes and zeros say so by
        themselves.
    :ivar cast: whether ``dtype`` is another than the file's.
    :ivar maybe: the dtype that it gets instead if nothing is lost by that, as is known after the
        survey; ``None``: nothing is open.
    :ivar inputs: number format that servers give to what the layer gets, such as ``int8``; ``None``
        leaves it as it is. Nothing of the tensor depends on it.
    """

    dtype: DType
    scheme: Scheme | None = None
    sparsity: Structure | None = None
    kept: int | None = None
    moved: bool = False
    inputs: str | None = None
    cast: bool = False
    maybe: DType | None = None

    @property
    def touched(self) -> bool:
        """Whether any pass changes the tensor, or may do so."""
        cast = self.cast or self.maybe is not None
        return cast or self.moved or self.scheme is not None or self.sparsity is not None

    @property
    def outcomes(self) -> tuple[Form, ...]:
        """What it may be found to be: itself, unless its dtype is open."""
        if self.maybe is None:
            return (self,)
        return replace(self, maybe=None), replace(self, dtype=self.maybe, cast=True, maybe=None)

    def __str__(self) -> str:
        said = [f"{self.maybe.code.lower()} if lossless"] if self.maybe is not None else []
        said += [self.dtype.code.lower()] if self.cast and self.maybe is None else []
        said += [str(self.scheme)] if self.scheme is not None else []
        said += [self.sparsity.said] if self.sparsity is not None else []
        said += [f"a{self.inputs[-1]}"] if self.inputs is not None else []
        return " ".join(said) or ("changed" if self.moved else "kept")


@dataclass(frozen=True)
class Refusal:
    """Why something that was asked for cannot be done to one tensor."""

    name: str
    reason: str
    hint: str | None = field(default=None, compare=False)
