"""From the calls of a pickle of PyTorch to records of tensors, all inside their bounds.

The arguments are those of ``torch/_utils.py`` (torch 0.3 to 2.13). Where torch takes what it gets,
wrong types and sizes are errors here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from compress_core.dtypes import DType
from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch.budget import ENTRY, MAPPING, RECORD, Budget
from compress_core.formats.torch.records import (
    Callee,
    DTypeName,
    Ordered,
    Storage,
    StorageClass,
    Tensor,
)
from compress_core.strict_json import shown

MAX_RANK = 64
"""Dimensions that NumPy can hold."""

_I64 = (1 << 63) - 1
_U64 = (1 << 64) - 1


class Rebuild:
    """Turns calls and persistent ids into records.

    :ivar storages: key → the whole piece of the file, of all that were mentioned.
    :param views: whether persistent ids say which part of a storage is meant, as those of files
        before torch 1.6 do.
    """

    def __init__(self, budget: Budget, where: str, *, views: bool) -> None:
        self.storages: dict[str, Storage] = {}
        self._budget = budget
        self._where = where
        self._views = views
        self._calls: dict[str, Callable[[tuple[object, ...]], object]] = {
            "OrderedDict": self._ordered,
            "rebuild_tensor": self._tensor,
            "rebuild_tensor_v2": self._tensor_v2,
            "rebuild_tensor_v3": self._tensor_v3,
            "rebuild_parameter": self._parameter,
            "Size": self._size,
            "device": self._device,
        }

    def call(self, callee: object, arguments: object) -> object:
        """What ``callee(*arguments)`` stands for.

        :raises FormatError: it cannot be called, or not with these; a tensor outside its storage.
        :raises UnsupportedError: a tensor that is no plain one.
        """
        if type(callee) is not Callee:
            raise self._broken("a call of something that is no function")
        if type(arguments) is not tuple:
            raise self._broken(f"{callee.name} is called with something that is no tuple")
        return self._calls[callee.call](arguments)

    def storage(self, identity: object) -> Storage:
        """The storage that a persistent id means.

        :raises FormatError: it is no such id, or does not agree with an earlier one.
        """
        fields = 6 if self._views else 5
        if type(identity) is not tuple or len(identity) != fields:
            raise self._broken(f"a persistent id that is no tuple of {fields}")
        kind, held, key, location, count = identity[:5]
        if type(kind) is not str or kind != "storage":
            raise self._broken("a persistent id of something that is no storage")
        if type(held) is not StorageClass or type(key) is not str or type(location) is not str:
            raise self._broken("a storage whose class, key or location is none")
        piece = self._whole(key, held, self._count(count, "a storage's number of elements"))
        return self._part(piece, identity[5]) if self._views else piece

    def _whole(self, key: str, held: StorageClass, count: int) -> Storage:
        known = self.storages.get(key)
        if known is None:
            self._budget.charge(RECORD + ENTRY)
            self.storages[key] = known = Storage(key, held, count, 0, count)
        elif (known.held, known.count) != (held, count):
            raise self._broken(f"storage {shown(key)} is said to be two things")
        return known

    def _part(self, piece: Storage, view: object) -> Storage:
        if view is None:
            return piece
        if type(view) is not tuple or len(view) != 3 or type(view[0]) is not str:
            raise self._broken("a part of a storage that is no (key, offset, size)")
        first = self._count(view[1], "the offset of a part of a storage")
        length = self._count(view[2], "the size of a part of a storage")
        if first + length > piece.count:
            raise self._broken(f"a part reaches past the end of storage {shown(piece.key)}")
        self._budget.charge(RECORD)
        return Storage(piece.key, piece.held, piece.count, first, length)

    def _ordered(self, arguments: tuple[object, ...]) -> Ordered:
        if not arguments:
            self._budget.charge(MAPPING)
            return Ordered()
        # Python 2 wrote the entries as a list of lists of two
        if len(arguments) != 1 or type(arguments[0]) is not list:
            raise self._broken("an OrderedDict of something that is no list")
        pairs = arguments[0]
        self._budget.charge(MAPPING)
        found = Ordered()
        for pair in pairs:
            if type(pair) not in (list, tuple) or len(pair) != 2:
                raise self._broken("an OrderedDict of something that is no pair")
            self.set_item(found, pair[0], pair[1])
        return found

    def set_item(self, into: dict[object, object], key: object, value: object) -> None:
        """Set an entry of a dictionary.

        :raises FormatError: a key that is not plain, or stands there already.
        """
        if not _is_plain(key):
            raise self._broken("a dictionary with a key that is no text and no number")
        self._budget.charge(ENTRY)
        before = len(into)
        into[key] = value
        # torch takes the last of two; no pickler writes them
        if len(into) == before:
            raise self._broken(f"a dictionary with the key {_spelled(key)} twice")

    def _tensor(self, arguments: tuple[object, ...]) -> Tensor:
        if len(arguments) != 4:
            raise self._wrong("_rebuild_tensor", arguments)
        storage, offset, size, strides = arguments
        return self._typed(storage, offset, size, strides)

    def _tensor_v2(self, arguments: tuple[object, ...]) -> Tensor:
        if len(arguments) not in (6, 7):
            raise self._wrong("_rebuild_tensor_v2", arguments)
        storage, offset, size, strides, gradient, hooks, *metadata = arguments
        self._check_rest("_rebuild_tensor_v2", gradient, hooks, metadata)
        return self._typed(storage, offset, size, strides)

    def _tensor_v3(self, arguments: tuple[object, ...]) -> Tensor:
        if len(arguments) not in (7, 8):
            raise self._wrong("_rebuild_tensor_v3", arguments)
        storage, offset, size, strides, gradient, hooks, dtype, *metadata = arguments
        self._check_rest("_rebuild_tensor_v3", gradient, hooks, metadata)
        if type(storage) is not Storage or not storage.held.untyped:
            raise self._broken("_rebuild_tensor_v3 without an untyped storage")
        if type(dtype) is not DTypeName:
            raise self._broken("_rebuild_tensor_v3 without a dtype")
        return self._bounded(storage, dtype.dtype, offset, size, strides)

    def _parameter(self, arguments: tuple[object, ...]) -> Tensor:
        if len(arguments) != 3 or type(arguments[0]) is not Tensor:
            raise self._wrong("_rebuild_parameter", arguments)
        return arguments[0]

    def _size(self, arguments: tuple[object, ...]) -> tuple[object, ...]:
        if len(arguments) != 1 or type(arguments[0]) is not tuple:
            raise self._wrong("torch.Size", arguments)
        return arguments[0]

    def _device(self, arguments: tuple[object, ...]) -> str:
        """Its name: where a tensor was is of no use here."""
        if not arguments or type(arguments[0]) is not str:
            raise self._wrong("torch.device", arguments)
        return arguments[0]

    def _check_rest(
        self, name: str, gradient: object, hooks: object, metadata: Sequence[object]
    ) -> None:
        """The arguments that say nothing about the elements, unless they do."""
        if type(gradient) is not bool or not (hooks is None or isinstance(hooks, dict)):
            raise self._broken(f"{name} with arguments of wrong types")
        if metadata and metadata[0] is not None:
            if not isinstance(metadata[0], dict):
                raise self._broken(f"{name} with arguments of wrong types")
            if metadata[0]:  # a bit that says: conjugate, or negate, when you read
                said = "it holds a tensor that is conjugated or negated when it is read"
                hint = "save it after .resolve_conj().resolve_neg()"
                raise UnsupportedError(said, where=self._where, hint=hint)

    def _typed(self, storage: object, offset: object, size: object, strides: object) -> Tensor:
        if type(storage) is not Storage:
            raise self._broken("a tensor of something that is no storage")
        if storage.held.untyped:
            raise self._broken("a tensor without a dtype: its storage has none")
        return self._bounded(storage, storage.held.dtype, offset, size, strides)

    def _bounded(
        self, storage: Storage, dtype: DType, offset: object, size: object, strides: object
    ) -> Tensor:
        shape, steps = self._counts(size, "size"), self._counts(strides, "strides")
        first = self._count(offset, "a tensor's offset")
        if len(shape) != len(steps):
            raise self._broken("a tensor whose size and strides differ in number")
        self._check_size(shape, dtype)
        ends = ((length - 1) * step for length, step in zip(shape, steps, strict=True))
        reach = 0 if 0 in shape else 1 + sum(ends)
        width, unit = dtype.bits // 8, storage.held.dtype.bits // 8
        if (first + reach) * width > storage.length * unit:
            raise self._broken(f"a tensor reaches past the end of storage {shown(storage.key)}")
        self._budget.charge(RECORD)
        return Tensor(storage, dtype, storage.first * unit + first * width, shape, steps)

    def _check_size(self, shape: tuple[int, ...], dtype: DType) -> None:
        if len(shape) > MAX_RANK:
            said = f"it holds a tensor of {len(shape)} dimensions, at most {MAX_RANK} are read"
            raise UnsupportedError(said, where=self._where)
        # as safetensors: [2**40, 2**40, 0] overflows on the way to 0
        if math.prod(shape) == 0:
            shape = tuple(n or 1 for n in shape)
        if math.prod(shape) * dtype.bits > _U64:
            raise self._broken("a tensor whose size overflows 64 bits")

    def _counts(self, value: object, what: str) -> tuple[int, ...]:
        if type(value) is not tuple:
            raise self._broken(f"a tensor whose {what} is no tuple")
        for one in value:
            self._count(one, f"a number in a tensor's {what}")
        return value

    def _count(self, value: object, what: str) -> int:
        # bool is an int to Python, and True is no size
        if type(value) is not int or not 0 <= value <= _I64:
            raise self._broken(f"{what} is no size")
        return value

    def _wrong(self, name: str, arguments: tuple[object, ...]) -> FormatError:
        return self._broken(f"{name} is called with {len(arguments)} arguments, or wrong ones")

    def _broken(self, what: str) -> FormatError:
        return FormatError(f"broken pickle: {what}", where=self._where)


def _is_plain(key: object) -> bool:
    """Whether a key is one that state dicts have, and whose hash costs nothing."""
    if isinstance(key, float):
        return math.isfinite(key)
    if isinstance(key, int):
        return -_I64 <= key <= _I64
    return key is None or isinstance(key, str)


def _spelled(key: object) -> str:
    return shown(key) if isinstance(key, str) else str(key)
