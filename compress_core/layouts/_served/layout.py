"""A layout whose parts stand beside their layers, and whose codes ``config.json`` describes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from compress_core.container import PartSpec, Piece, Rows
from compress_core.layouts._served.record import ERRORS_KEY, Recorder
from compress_core.layouts.base import NOTHING, Checkpoint, Layout
from compress_core.recorded import errors_text
from compress_core.schemes.base import Scheme
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.metrics import ErrorStats
    from compress_core.tiles import Quantized, Tile

_WEIGHT = ".weight"


class Storing(Protocol):
    """How the codes and parameters of a layer become parts."""

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        """Local name → part, of a weight of ``shape``."""

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        """The data of the tile that begins at row ``start`` of a weight of ``shape``."""

    def row_multiple(self, scheme: Scheme) -> int:
        """Rows that tiles must not part."""


class ServedLayout(Layout):
    """What all of these layouts do alike.

    :cvar format: ``format`` in the metadata of its files, which some loaders insist on.
    """

    needs_config: ClassVar[bool] = True
    format: ClassVar[str] = "pt"

    @abstractmethod
    def storing(self, form: Form) -> Storing | None:
        """How codes of a form are stored; ``None``: not at all."""

    @abstractmethod
    def described(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """``config.json`` with what the codes are."""

    def config_before(
        self, config: Mapping[str, Any], touched: Mapping[str, tuple[TensorInfo, Form]]
    ) -> dict[str, Any]:
        """Values of ``config.json`` that :meth:`described` makes others, but for what codes are;
        ``None``: of a key that is not there.
        """
        return {}

    def hides_symmetry(self, form: Form) -> bool:
        """Whether symmetric integers of this form look like other codes when they are stored."""
        return False

    def fits(self, info: TensorInfo, form: Form) -> Refusal | None:
        if form.scheme is None or self.storing(form) is not None:
            return None
        return Refusal(info.name, f"no format of it holds {form}", "--layout packed")

    def config(self, checkpoint: Checkpoint) -> Mapping[str, Any] | None:
        return self.described(checkpoint) if checkpoint.coded else checkpoint.config

    def parts(self, info: TensorInfo, form: Form) -> dict[str, PartSpec]:
        if form.scheme is None:
            return {info.name: PartSpec(form.dtype.code, info.shape, "rows")}
        local = self._storing(form).parts(info.matrix, form.scheme)
        return {_part(info, name): spec for name, spec in local.items()}

    def row_multiple(self, info: TensorInfo, form: Form) -> int:
        return 1 if form.scheme is None else self._storing(form).row_multiple(form.scheme)

    def encode(self, tile: Tile, form: Form) -> dict[str, Piece]:
        if tile.codes is None:
            return {tile.info.name: Rows(tile.start, tile.stored())}
        local = self._storing(form).pieces(tile.start, tile.info.matrix, tile.codes)
        return {_part(tile.info, name): piece for name, piece in local.items()}

    def metadata(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        version: str,
        config: Mapping[str, Any] | None = None,
        strings: Mapping[str, str] = NOTHING,
    ) -> dict[str, str]:
        recorder = Recorder(self.id)
        before = self.config_before(config or {}, touched)
        symmetric = [name for name, (_, form) in touched.items() if self.hides_symmetry(form)]
        recorded = recorder.describe(touched, aliases, spec, version, before, symmetric)
        kept = recorder.describe_format(strings, self.format)
        return {"format": self.format} | recorded | kept

    def measured(self, stats: Sequence[ErrorStats]) -> dict[str, str]:
        rows = ((s.error_square, s.reference_square, s.max_abs, s.zeros) for s in stats)
        return {ERRORS_KEY: errors_text(rows)}

    def _storing(self, form: Form) -> Storing:
        found = self.storing(form)
        if found is None:
            raise RuntimeError(f"no format for {form}")
        return found


def _part(info: TensorInfo, local: str) -> str:
    """``layer.weight`` and ``weight_scale`` → ``layer.weight_scale``."""
    return f"{info.name.removesuffix(_WEIGHT)}.{local}"
