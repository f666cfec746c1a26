"""One format of compressed-tensors: how the codes and parameters of a linear layer are stored.

Source: compressed-tensors 0.20, ``compressors/``; the names of formats and parts are its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import PartSpec, Piece
from compress_core.layouts._served.module import Module
from compress_core.schemes.base import Parameters, Scheme
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.layouts.compressed_tensors.arguments import Arguments
    from compress_core.tiles import Quantized


class Storage(ABC):
    """One format.

    :cvar format: its name in ``quantization_config``.
    :cvar others: other names that mean the same.
    """

    format: ClassVar[str]
    others: ClassVar[tuple[str, ...]] = ()

    @property
    def formats(self) -> tuple[str, ...]:
        """All names that are read."""
        return (self.format, *self.others)

    @abstractmethod
    def holds(self, form: Form) -> bool:
        """Whether codes of this form are stored so."""

    @abstractmethod
    def unread(self, form: Form) -> str | None:
        """Which reader is known to refuse codes of this form, and why."""

    @abstractmethod
    def weights(self, scheme: Scheme) -> dict[str, Any]:
        """The arguments ``weights`` of a group in ``quantization_config``."""

    @abstractmethod
    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        """Local name → part, of a weight of ``shape``."""

    @abstractmethod
    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        """The data of the tile that begins at row ``start`` of a weight of ``shape``."""

    def row_multiple(self, scheme: Scheme) -> int:
        """Rows that tiles must not part."""
        return 1

    @abstractmethod
    def has(self, arguments: Arguments, module: Module) -> bool:
        """Whether the codes of a module can be of this format, by its arguments and parts."""

    @abstractmethod
    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        """The scheme of stored codes; ``None``: none that is decoded here.

        :raises FormatError: the parts say something else.
        """

    @abstractmethod
    def shape(self, module: Module) -> tuple[int, int]:
        """(out, in) of the weight.

        :raises FormatError: the parts do not tell.
        """

    def stored(
        self, shape: tuple[int, int], scheme: Scheme, arguments: Arguments
    ) -> dict[str, PartSpec]:
        """The parts that other tools write, with arguments that are never written here."""
        return self.parts(shape, scheme)

    @abstractmethod
    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        """The codes of some rows."""

    @abstractmethod
    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        """The parameters of some rows."""


def scale_part(rows: int, groups: int, scheme: Scheme, dtype: str) -> PartSpec:
    """``weight_scale``: (out, groups), or one number."""
    if scheme.group_size == "tensor":
        return PartSpec(dtype, (1,), "once")
    return PartSpec(dtype, (rows, groups), "rows")
