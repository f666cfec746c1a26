"""What a layout is: a tensor in, named parts out, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import PartSpec, Piece, Reader
from compress_core.limits import Limits
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.metrics import ErrorStats
    from compress_core.tiles import Tile


class Layout(ABC):
    """One way to store compressed tensors in a safetensors container.

    :cvar id: its name for ``--layout``.
    :cvar summary: one line for ``list layouts``.
    :cvar read_by: who reads it: only readers that were run.
    :cvar stem: file name of the weights in a checkpoint folder, without suffix.
    :cvar ties: whether it can store one tensor under several names.
    :cvar keeps_values: whether it stores plain values of the original dtype, so that nothing gets
        smaller.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    read_by: ClassVar[str]
    stem: ClassVar[str] = "model"
    ties: ClassVar[bool] = False
    keeps_values: ClassVar[bool] = False

    def limits(self, info: TensorInfo) -> Limits:
        """What it can hold of this tensor."""
        return Limits()

    def accepts(self, forms: Mapping[str, Form]) -> list[Refusal]:
        """What it cannot store, judged over the whole file before any data is read."""
        return []

    @abstractmethod
    def parts(self, info: TensorInfo, form: Form) -> dict[str, PartSpec]:
        """Part name → spec for a touched tensor, in the order of the header.

        With ``form.kept`` unknown the sizes are upper bounds.
        """

    def row_multiple(self, info: TensorInfo, form: Form) -> int:
        """Rows that tiles must not part."""
        return 1

    @abstractmethod
    def encode(self, tile: Tile, form: Form) -> dict[str, Piece]:
        """The data of one tile for each part that it has some for."""

    @abstractmethod
    def metadata(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        version: str,
    ) -> dict[str, str]:
        """Metadata for a file that holds ``touched``; what is measured has a fixed width.

        :param aliases: other names → the names of tensors in the file that they stand for; empty
            without ``ties``.
        """

    def measured(self, stats: Sequence[ErrorStats]) -> dict[str, str]:
        """The values of :meth:`metadata` that are known only at the end, each as long as it was."""
        return {}

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        """A reader of the logical tensors, if ``reader``'s file was written in this layout.

        :raises FormatError: it was, and it is damaged.
        """
        return None
