"""The stored parts of one layer, to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.container import PartSpec, Reader
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Module:
    """The stored parts of one layer.

    :ivar name: name of the layer; its parts are called ``name.weight_scale`` and so on.
    :ivar locals: local name → what is stored.
    :ivar rows_of_block: rows that share scales.
    """

    name: str
    reader: Reader
    locals: Mapping[str, TensorInfo]
    rows_of_block: int = 1

    def info(self, local: str) -> TensorInfo:
        """What is stored under a local name.

        :raises FormatError: nothing is.
        """
        found = self.locals.get(local)
        if found is None:
            raise FormatError(f"part {self.name}.{local} is missing", where=self.name)
        return found

    def rows(self, local: str, start: int, stop: int) -> NDArray[Any]:
        """Rows of a part as they are stored."""
        return self.reader.read(f"{self.name}.{local}", start, stop)

    def floats(
        self, local: str, start: int, stop: int, code: str | None = None
    ) -> NDArray[np.float32]:
        """Rows of a part of floats.

        :param code: the dtype of its numbers; ``None``: that of the part.
        :raises FormatError: one of them is none.
        """
        from compress_core.kernels.floats import has_nonfinite, widen

        values = widen(self.rows(local, start, stop), code or self.info(local).dtype.code)
        if has_nonfinite(values, "F32"):
            raise FormatError(f"its {local} holds NaN or infinity", where=self.name)
        return values

    def span(self, local: str, first: int, last: int, dtype: str) -> NDArray[Any]:
        """Numbers ``first:last`` of a part, in the order in which they stand, whatever its shape.

        :param dtype: NumPy's name of what its bytes are.
        """
        import numpy as np

        item = np.dtype(dtype).itemsize
        data = self.reader.read_bytes(f"{self.name}.{local}", first * item, last * item)
        return np.frombuffer(data, dtype)

    def columns(self, local: str, first: int, last: int) -> NDArray[Any]:
        """Columns ``first:last`` of a part that is a matrix: (rows, last - first)."""
        import numpy as np

        from compress_core.views.axes import Axis
        from compress_core.views.gathering import gather_box

        info = self.info(local)
        rows, width = matrix_of(info)
        found = np.empty((rows, last - first), info.dtype.storage)
        source = _Part(self.reader, info.name)
        axes = (Axis(rows, width), Axis(last - first, 1))
        gather_box(source, first * found.itemsize, axes, 0, found.reshape(-1))
        return found

    def floats_of_blocks(
        self, local: str, start: int, stop: int, code: str | None = None
    ) -> NDArray[np.float32]:
        """Floats of some rows of the weight, from a part with one row for each row of blocks."""
        import numpy as np

        high = self.rows_of_block
        first, last = start // high, -(-stop // high)
        found = np.repeat(self.floats(local, first, last, code), high, axis=0)
        return found[start - first * high : stop - first * high]

    def check(self, expected: Mapping[str, PartSpec]) -> None:
        """Whether all parts are there, with these dtypes and shapes.

        :raises FormatError: one is not.
        """
        for local, spec in expected.items():
            found = self.info(local)
            if (found.dtype.code, found.shape) != (spec.dtype, spec.shape):
                raise FormatError(
                    f"part {self.name}.{local} is {found.dtype} {list(found.shape)},"
                    f" and should be {spec.dtype} {list(spec.shape)}",
                    where=self.name,
                )


@dataclass(frozen=True)
class _Part:
    """The bytes of a stored part, to be read by position."""

    reader: Reader
    name: str

    def read_into(self, buffer: memoryview, start: int) -> None:
        buffer[:] = self.reader.read_bytes(self.name, start, start + len(buffer))


def matrix_of(info: TensorInfo) -> tuple[int, int]:
    """The shape of a part that is a matrix.

    :raises FormatError: it is none, or an empty one.
    """
    if len(info.shape) != 2 or not info.elements:
        raise FormatError(f"part {info.name} has the shape {list(info.shape)}")
    return info.shape[0], info.shape[1]


def is_float(code: str) -> bool:
    """Whether a dtype is one that scales of integers have."""
    return DTYPES[code].is_weight and DTYPES[code].bits <= 32
