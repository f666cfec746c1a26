"""From the parts of a packed tensor back to its values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.container import Reader
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError
from compress_core.kernels import bits, floats
from compress_core.layouts.packed.arrangement import Arrangement, is_whole
from compress_core.layouts.packed.places import Places
from compress_core.schemes.base import Parameter, Parameters, Scheme
from compress_core.tensors import Form, TensorInfo


class Decoder:
    """Reads rows of one packed tensor. Safe from any thread."""

    def __init__(
        self, stored: Reader, info: TensorInfo, form: Form, arrangement: Arrangement
    ) -> None:
        self._stored = stored
        self._info = info
        self._form = form
        self._arrangement = arrangement
        self._places = Places(stored, info, arrangement)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows of the matrix view, decoded and rounded to the original dtype.

        :raises FormatError: the parts do not belong together.
        """
        kept = self._places.kept(start, stop)
        if self._form.scheme is None:
            return self._plain(start, stop, kept)
        try:
            values = self._decoded(self._form.scheme, start, stop, kept)
        except FormatError as error:
            raise FormatError(error.message, where=self._info.name) from error
        return floats.narrow(values, self._info.dtype.code)

    def _plain(self, start: int, stop: int, kept: NDArray[np.bool_] | None) -> NDArray[Any]:
        if kept is None:
            return self._stored.read(self._info.name, start, stop)
        storage = np.dtype(DTYPES[self._info.dtype.code].storage)
        values = np.zeros(kept.shape, storage)
        data = self._kept_bytes("values", start, stop, self._info.dtype.bits)
        values[kept] = data.view(storage)
        return values

    def _decoded(
        self, scheme: Scheme, start: int, stop: int, kept: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """Values in float32, zero where they are not kept."""
        parameters = self._parameters(scheme, start, stop, kept)
        columns = self._info.matrix[1]
        if kept is None:
            codes = bits.unpack(self._rows("codes", start, stop), scheme.bits, columns)
            return scheme.decode(codes, parameters)
        stored = self._codes(scheme.bits, start, stop, int(np.count_nonzero(kept)))
        if self._arrangement.selects_rows:
            # rows that are left out have no parameters either
            values = np.zeros(kept.shape, np.float32)
            values[kept[:, 0]] = scheme.decode(stored.reshape(-1, columns), parameters)
            return values
        codes = np.zeros(kept.shape, np.uint8)
        codes[kept] = stored
        values = scheme.decode(codes, parameters)
        values[~kept] = 0
        return values

    def _codes(self, width: int, start: int, stop: int, count: int) -> NDArray[np.uint8]:
        """The codes of the kept elements of some rows, one after the other."""
        grid = self._arrangement.grid
        if grid is None:
            stream = self._kept_bytes("codes", start, stop, width)[None, :]
            codes: NDArray[np.uint8] = bits.unpack(stream, width, count)
        else:
            stream = self._rows("codes", *self._places.stored_rows(start, stop))
            codes = bits.unpack(stream, width, grid[1])
        return codes.reshape(-1)

    def _kept_bytes(self, local: str, start: int, stop: int, width: int) -> NDArray[np.uint8]:
        """Bytes that hold the kept elements of some rows, from bit 0 on."""
        if self._arrangement.grid is not None:
            rows = self._rows(local, *self._places.stored_rows(start, stop))
            return rows.reshape(-1).view(np.uint8)
        first, last = (self._places.before(row) * width for row in (start, stop))
        part = self._stored.infos[f"{self._info.name}.{local}"]
        if last > part.nbytes * 8:
            raise FormatError("its mask keeps more than is stored", where=self._info.name)
        raw = self._stored.read_bytes(part.name, first // 8, (last + 7) // 8)
        return bits.slice_bits(np.frombuffer(raw, np.uint8), first % 8, last - first)

    def _parameters(
        self, scheme: Scheme, start: int, stop: int, kept: NDArray[np.bool_] | None
    ) -> Parameters:
        """Parameters of the rows that are stored."""
        found = {}
        for name, kind in scheme.parameters().items():
            if kind.span == 1:
                found[name] = self._parameter(name, kind, scheme, start, stop)
                continue
            found[name] = self._spanning(name, kind, scheme, start, stop)
            if kept is not None and self._arrangement.selects_rows:
                found[name] = found[name][kept[:, 0]]
        return found

    def _parameter(
        self, name: str, kind: Parameter, scheme: Scheme, start: int, stop: int
    ) -> NDArray[Any]:
        whole = is_whole(kind, scheme)
        first, last = (0, 1) if whole else self._places.stored_rows(start, stop)
        stored = self._rows(name, first, last)
        if kind.bits:
            return bits.unpack(stored, kind.bits, 1 if whole else scheme.groups(self._columns))
        return self._floats(name, kind, stored)

    def _spanning(
        self, name: str, kind: Parameter, scheme: Scheme, start: int, stop: int
    ) -> NDArray[Any]:
        """What groups share that follow each other through the tensor, for each group of all rows
        ``start:stop``.
        """
        groups = scheme.groups(self._columns)
        first, last = start * groups, stop * groups
        stored = self._rows(name, first // kind.span, -(-last // kind.span))
        of_groups = np.repeat(self._floats(name, kind, stored)[:, 0], kind.span)
        return of_groups[first % kind.span :][: last - first].reshape(stop - start, groups)

    def _floats(self, name: str, kind: Parameter, stored: NDArray[Any]) -> NDArray[np.float32]:
        if floats.has_nonfinite(stored, kind.dtype):
            raise FormatError(f"its {name} holds NaN or infinity", where=self._info.name)
        return floats.widen(stored, kind.dtype)

    @property
    def _columns(self) -> int:
        return self._info.matrix[1]

    def _rows(self, local: str, start: int, stop: int) -> NDArray[Any]:
        return self._stored.read(f"{self._info.name}.{local}", start, stop)
