"""What a pickle of PyTorch stands for, as plain values.

Numbers, texts, lists, tuples and dictionaries are Python's own. The rest are the records below;
they can do nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from compress_core.dtypes import DType

Call = Literal[
    "OrderedDict", "rebuild_tensor", "rebuild_tensor_v2", "rebuild_tensor_v3", "rebuild_parameter",
    "Size", "device",
]  # fmt: skip


class Ordered(dict[object, object]):
    """What was a ``collections.OrderedDict``; a state that is attached to it is dropped."""

    __slots__ = ()


CONTAINERS = frozenset({dict, Ordered, list, tuple})
"""Exact types of the values that hold others."""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """``torch.FloatStorage`` and its like: how the elements of a storage are held.

    :ivar untyped: its elements are bytes; each tensor says its own dtype.
    """

    name: str
    dtype: DType
    untyped: bool = False


@dataclass(frozen=True, slots=True)
class DTypeName:
    """``torch.float32`` and its like."""

    name: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Callee:
    """A function of the allow-list."""

    name: str
    call: Call


Marker = StorageClass | DTypeName | Callee


@dataclass(frozen=True, slots=True)
class Storage:
    """A piece of the file, or a part of one.

    :ivar key: its name in the file.
    :ivar count: elements of the whole piece.
    :ivar first: the element that this part begins with.
    :ivar length: elements of this part.
    """

    key: str
    held: StorageClass
    count: int
    first: int
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole piece."""
        return self.count * self.held.dtype.bits // 8


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: some elements of a storage, inside its bounds.

    :ivar offset: bytes of the whole piece before its first element.
    :ivar strides: in elements.
    """

    storage: Storage
    dtype: DType
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its elements, one after the other."""
        return math.prod(self.shape) * self.dtype.bits // 8
