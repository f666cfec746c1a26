"""Codes of the numbers that are nearest to the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_core.fitting import Fitting
from compress_core.passes.base import Settled

if TYPE_CHECKING:
    from compress_core.schemes.base import Parameters, Scheme
    from compress_core.tiles import Tile


class Encode(Settled):
    """Give every tile its codes.

    :param schemes: tensor → its scheme and how the parameters of a group are chosen.
    :param surveyed: what was found over the whole tensor; ``None``: nothing was looked for.
    """

    def __init__(
        self, schemes: dict[str, tuple[Scheme | None, Fitting]], surveyed: Parameters | None
    ) -> None:
        self._schemes = schemes
        self._surveyed = surveyed

    def apply(self, tile: Tile) -> None:
        from compress_core.tiles import Quantized

        scheme, fitting = self._schemes[tile.info.name]
        if scheme is None:
            return
        plain = tile.plain
        if self._surveyed is None and tile.mask is None and plain is not None:
            found, codes = scheme.round(plain, tile.dtype.code, fitting)
        else:
            found = self._parameters(tile, scheme, fitting)
            codes = scheme.encode(tile.values, found, fitting)
        tile.quantize(Quantized(scheme, codes, found))

    def _parameters(self, tile: Tile, scheme: Scheme, fitting: Fitting) -> Parameters:
        found = self._surveyed
        if found is not None and scheme.group_size == "tensor":
            return found
        return scheme.fit(tile.values, tile.mask, fitting, found)
