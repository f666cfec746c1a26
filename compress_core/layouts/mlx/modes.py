"""The modes of MLX: how the codes and parameters of a layer are stored.

Source: MLX 0.32, ``quantize``; the names of modes and parts are its own. In all of them ``weight``
holds the codes of a row as one bit stream in 32-bit words, least significant bit first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from compress_core.container import PartSpec, Piece, Rows
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, is_float
from compress_core.layouts._served.words import words
from compress_core.schemes.affine import Affine
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.mxfp8 import Mxfp8
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

WIDTHS = (2, 3, 4, 5, 6, 8)
"""Bits of codes that are written."""

GROUPS = (32, 64, 128)
"""Columns of a group of affine codes."""

OWN = ("affine", "mxfp8")
"""Number formats that no other layout for servers holds."""


class Mode(ABC):
    """One mode."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What ``config.json`` calls it."""

    @abstractmethod
    def holds(self, form: Form) -> bool:
        """Whether codes of this form are stored so."""

    @abstractmethod
    def scheme(self, bits: int, group: int, module: Module, *, symmetric: bool) -> Scheme | None:
        """The scheme of stored codes; ``None``: none that is decoded here.

        :param symmetric: whether affine codes are symmetric integers.
        """

    @abstractmethod
    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        """Local name → part, of a weight of ``shape``."""

    @abstractmethod
    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        """The data of the tile that begins at row ``start`` of a weight of ``shape``."""

    @abstractmethod
    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        """The parameters of some rows."""

    def row_multiple(self, scheme: Scheme) -> int:
        """Rows that tiles must not part."""
        return 1

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        """The codes of some rows."""
        from compress_core.kernels.bits import unpack_words

        return unpack_words(module.rows("weight", start, stop), scheme.bits, columns)


class AffineMode(Mode):
    """``value = scales · code + biases``, in the dtype of the weights.

    Symmetric integers are stored so too: their bias is the scale times a power of two, which its
    dtype holds exactly.
    """

    @property
    def name(self) -> str:
        return "affine"

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        symmetric = isinstance(scheme, Integer) and scheme.symmetric and scheme.center == "none"
        if not (isinstance(scheme, Affine) or symmetric) or form.inputs is not None:
            return False
        return scheme is not None and scheme.bits in WIDTHS and scheme.group_size in GROUPS

    def scheme(self, bits: int, group: int, module: Module, *, symmetric: bool) -> Scheme | None:
        dtype = module.info("scales").dtype.code
        if bits > 8 or not is_float(dtype):
            return None
        if symmetric and bits > 1:
            return Integer(bits, group, scale_dtype=dtype)
        return Affine(bits, group, dtype)

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, columns = shape
        line = PartSpec(_dtype(scheme), (rows, scheme.groups(columns)), "rows")
        return {"weight": _words(shape, scheme), "scales": line, "biases": line}

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        from compress_core.kernels.floats import narrow

        dtype = _dtype(quantized.scheme)
        scale, bias = quantized.parameters["scale"], _biases(quantized)
        return {
            "weight": _packed(start, quantized),
            "scales": Rows(start, narrow(scale, dtype)),
            "biases": Rows(start, narrow(bias, dtype)),
        }

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        scale = module.floats("scales", start, stop)
        bias = module.floats("biases", start, stop)
        if isinstance(scheme, Affine):
            return {"scale": scale, "bias": bias}
        if (bias != _lowest(scale, scheme)).any():
            raise FormatError("recorded as symmetric, and its biases are not", where=module.name)
        return {"scale": scale}


class FloatMode(Mode):
    """Narrow floats and 8-bit scales, whose bit patterns are bytes."""

    def __init__(self, scheme: Scheme) -> None:
        """A mode.

        :param scheme: the only one that it holds; the mode has its name.
        """
        self._scheme = scheme
        self._dtype = scheme.parameters()["scale"].dtype

    @property
    def name(self) -> str:
        return self._scheme.id

    def holds(self, form: Form) -> bool:
        return form.scheme == self._scheme and form.inputs is None

    def scheme(self, bits: int, group: int, module: Module, *, symmetric: bool) -> Scheme | None:
        known = (bits, group) == (self._scheme.bits, self._scheme.group_size)
        return self._scheme if known else None

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, columns = shape
        scales = PartSpec("U8", (rows, scheme.groups(columns)), "rows")
        return {"weight": _words(shape, scheme), "scales": scales}

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        from compress_core.kernels.floats import narrow

        scales = narrow(quantized.parameters["scale"], self._dtype)
        return {"weight": _packed(start, quantized), "scales": Rows(start, scales)}

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        return {"scale": module.floats("scales", start, stop, self._dtype)}


MODES: tuple[Mode, ...] = (
    AffineMode(),
    FloatMode(Mxfp4(4, 32)),
    FloatMode(Mxfp8(8, 32)),
    FloatMode(Nvfp4(4, 16, global_scale=False)),
)


def mode_for(form: Form) -> Mode | None:
    """How codes of a form are stored; ``None``: not at all."""
    return next((mode for mode in MODES if mode.holds(form)), None)


def mode_named(name: str) -> Mode | None:
    """The mode that ``config.json`` calls so; ``None``: none that is read here."""
    return next((mode for mode in MODES if mode.name == name), None)


def _dtype(scheme: Scheme) -> str:
    return scheme.parameters()["scale"].dtype


def _words(shape: tuple[int, int], scheme: Scheme) -> PartSpec:
    return PartSpec("U32", (shape[0], words(shape[1], scheme.bits)), "rows")


def _packed(start: int, quantized: Quantized) -> Rows:
    from compress_core.kernels.bits import pack_words

    return Rows(start, pack_words(quantized.codes, quantized.scheme.bits).view("<u4"))


def _biases(quantized: Quantized) -> NDArray[np.float32]:
    """The biases of groups: the value of code 0.

    :raises UnsupportedError: one does not fit the dtype.
    """
    from compress_core.kernels.scales import stored_bias

    scheme, parameters = quantized.scheme, quantized.parameters
    if isinstance(scheme, Affine):
        bias: NDArray[np.float32] = parameters["bias"]
        return bias
    return stored_bias(_lowest(parameters["scale"], scheme), _dtype(scheme))


def _lowest(scale: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    """The values of code 0 of symmetric integers; infinite beyond float32."""
    import numpy as np

    with np.errstate(over="ignore"):
        return scale * np.float32(-(1 << (scheme.bits - 1)))
