"""What a layout is: a tensor in, named parts out, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import PartSpec, Piece, Reader
from compress_core.limits import Limits
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.metrics import ErrorStats
    from compress_core.tiles import Tile

NOTHING: Mapping[str, str] = MappingProxyType({})
"""Metadata of a file that has none."""


@dataclass(frozen=True)
class Checkpoint:
    """All tensors of an output, before there is any data.

    :ivar infos: tensor → what it is in the input.
    :ivar forms: tensor → its form in the output; plain where no pass takes it.
    :ivar config: ``config.json`` of the input, ``None`` where there is none.
    :ivar aliases: tensor → the one that it shares its data with.
    :ivar is_folder: whether the output is a checkpoint folder.
    """

    infos: Mapping[str, TensorInfo]
    forms: Mapping[str, Form]
    config: Mapping[str, Any] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    is_folder: bool = False

    def with_infos(self) -> list[tuple[TensorInfo, Form]]:
        """All tensors and their forms."""
        return [(info, self.forms[name]) for name, info in self.infos.items()]

    @property
    def coded(self) -> dict[str, Form]:
        """The tensors that become codes."""
        return {name: form for name, form in self.forms.items() if form.scheme is not None}


class Layout(ABC):
    """One way to store compressed tensors in a safetensors container.

    :cvar id: its name for ``--layout``.
    :cvar summary: one line for ``list layouts``.
    :cvar read_by: who reads it: only readers that were run.
    :cvar stem: file name of the weights in a checkpoint folder, without suffix.
    :cvar ties: whether it can store one tensor under several names.
    :cvar needs_config: whether readers learn from ``config.json`` what its codes are, so that its
        output is a checkpoint folder.
    :cvar records_inputs: whether it tells servers what to do with the inputs of layers.
    :cvar keeps_values: whether it stores plain values of whatever the passes make, so that codes
        and zeros save nothing.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    read_by: ClassVar[str]
    stem: ClassVar[str] = "model"
    ties: ClassVar[bool] = False
    keeps_values: ClassVar[bool] = False
    needs_config: ClassVar[bool] = False
    records_inputs: ClassVar[bool] = False

    def __init__(self, *, allow_unread: bool = False) -> None:
        """A layout.

        :param allow_unread: write also what a reader that the layout is for is known to refuse.
        """
        self.allow_unread = allow_unread

    def limits(self, info: TensorInfo) -> Limits:
        """What it can hold of this tensor."""
        return Limits()

    def serves(self, form: Form) -> bool:
        """Whether it is what a checkpoint folder gets for a preset that gives this form."""
        return False

    def fits(self, info: TensorInfo, form: Form) -> Refusal | None:
        """Why it holds no tensors of such a form; ``None``: it does."""
        return None

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        """What it cannot store, judged over all tensors before any data is read."""
        return []

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        """What is to be said of an output that it can store."""
        return []

    def readers(self, checkpoint: Checkpoint) -> str:
        """Who reads this output."""
        return self.read_by

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        """Of the checkpoint's aliases, those that need no data of their own."""
        return checkpoint.aliases if self.ties else {}

    def config(self, checkpoint: Checkpoint) -> Mapping[str, Any] | None:
        """What ``config.json`` of an output folder says: what it says in the input."""
        return checkpoint.config

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
        config: Mapping[str, Any] | None = None,
        strings: Mapping[str, str] = NOTHING,
    ) -> dict[str, str]:
        """Metadata for a file that holds ``touched``; what is measured has a fixed width.

        :param aliases: other names → the names of tensors in the file that they stand for; empty
            without ``ties``.
        :param config: ``config.json`` of the input.
        :param strings: what the file has of the metadata of the input.
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
