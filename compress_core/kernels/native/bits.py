"""Twins of :mod:`compress_core.kernels.bits`. Codes of 8 bits and more go to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.bits import row_bytes
from compress_core.kernels.native.calls import ARRAY, COUNT, INT, address, function
from compress_core.kernels.twins import SPECIFICATIONS

_pack = function("modelopt_pack", ARRAY, COUNT, COUNT, INT, ARRAY)
_unpack = function("modelopt_unpack", ARRAY, COUNT, COUNT, COUNT, INT, ARRAY)


def pack(codes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """See :func:`compress_core.kernels.bits.pack`."""
    if bits >= 8:
        other: NDArray[np.uint8] = SPECIFICATIONS["bits.pack"](codes, bits)
        return other
    rows, columns = codes.shape
    codes = np.ascontiguousarray(codes, np.uint8)
    stream = np.empty((rows, row_bytes(columns, bits)), np.uint8)
    _pack(address(codes), rows, columns, bits, address(stream))
    return stream


def unpack(stream: NDArray[np.uint8], bits: int, columns: int) -> NDArray[Any]:
    """See :func:`compress_core.kernels.bits.unpack`."""
    if bits >= 8 or stream.shape[1] < row_bytes(columns, bits):
        return np.asarray(SPECIFICATIONS["bits.unpack"](stream, bits, columns))
    stream = np.ascontiguousarray(stream)
    codes = np.empty((len(stream), columns), np.uint8)
    _unpack(address(stream), stream.shape[1], *codes.shape, bits, address(codes))
    return codes
