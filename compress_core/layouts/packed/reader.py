"""The way back: a reader of the logical tensors of a packed file or folder."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.container import Reader
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError
from compress_core.kernels import bits, floats
from compress_core.layouts.packed import record
from compress_core.layouts.packed.arrangement import (
    Arrangement,
    KeptColumns,
    KeptRows,
    Plain,
    Ranked,
    candidates,
    parts,
)
from compress_core.layouts.packed.ranks import unpacked_ranks
from compress_core.report import ErrorResult
from compress_core.schemes.base import Parameters
from compress_core.tensors import Form, Structure, TensorInfo

# Elements of a mask that are counted at once on the way to a row's place in a stream.
_COUNTED = 1 << 20


class PackedReader(Reader):
    """Logical tensors of a container whose metadata holds the record of this layout."""

    def __init__(self, stored: Reader) -> None:
        self._stored = stored
        self.path = stored.path
        self.config = stored.config
        self.notes = stored.notes
        self.metadata = {
            file: {k: v for k, v in strings.items() if k not in (record.KEY, record.ERRORS_KEY)}
            for file, strings in stored.metadata.items()
        }
        self._tensors: dict[str, PackedTensor] = {}
        self.errors: dict[str, ErrorResult] = {}
        for strings in stored.metadata.values():
            self._adopt(strings)
        self.infos, self.shards = self._logical()
        self.forms = {name: tensor.form for name, tensor in self._tensors.items()}

    def _adopt(self, strings: Mapping[str, str]) -> None:
        described = record.read_forms(strings) or {}
        sums = record.read_errors(strings)
        for name, (info, form) in described.items():
            if name in self._tensors:
                raise FormatError("described by two files", where=name)
            self._tensors[name] = PackedTensor(self._stored, info, form)
        if len(sums) == len(described):
            for name, row in zip(described, sums, strict=True):
                self.errors[name] = ErrorResult(*row[:3])

    def _logical(self) -> tuple[dict[str, TensorInfo], dict[str, str]]:
        """Tensors and their files: in the order of the parts, each part of a tensor standing for
        it.
        """
        owner = {part: name for name, one in self._tensors.items() for part in one.part_names}
        infos: dict[str, TensorInfo] = {}
        shards: dict[str, str] = {}
        for part, stored in self._stored.infos.items():
            name = owner.get(part, part)
            if part in owner:
                infos[name] = self._tensors[name].info
            elif name in infos or name in self._tensors:
                raise FormatError("stored twice", where=name)
            else:
                infos[name] = stored
            if shards.setdefault(name, self._stored.shards[part]) != self._stored.shards[part]:
                raise FormatError("its parts stand in different files", where=name)
        return infos, shards

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        tensor = self._tensors.get(name)
        return self._stored.read(name, start, stop) if tensor is None else tensor.read(start, stop)

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        return self._stored.read_bytes(name, start, stop)

    def size(self) -> int:
        return self._stored.size()

    def stored_bytes(self, name: str) -> int:
        tensor = self._tensors.get(name)
        names = (name,) if tensor is None else tensor.part_names
        return sum(self._stored.infos[part].nbytes for part in names)

    def close(self) -> None:
        self._stored.close()


class PackedTensor:
    """One compressed tensor and where its parts are.

    :raises FormatError: parts are missing, or their dtypes and shapes do not belong together.
    """

    def __init__(self, stored: Reader, info: TensorInfo, form: Form) -> None:
        self._stored = stored
        self.info = info
        self.form = form
        self.arrangement = self._recognised()
        self.part_names = self._checked()
        self._lock = threading.Lock()
        self._passed = [(0, 0)]  # (row, kept units before it), rising

    def _part(self, local: str) -> TensorInfo | None:
        return self._stored.infos.get(f"{self.info.name}.{local}" if local else self.info.name)

    def _recognised(self) -> Arrangement:
        """How the elements are arranged: in the first way whose parts are all there.

        The plainest comes first: a part that it does not have may be a tensor of its own, which
        only happens to be called like one. In a damaged file, the way of which most is there.
        """
        known = candidates(self.info, self.form)
        whole = (one for one in known if all(self._found(one)))
        return next(whole, None) or max(known, key=lambda one: sum(self._found(one)))

    def _found(self, chosen: Arrangement) -> list[bool]:
        """For each part of an arrangement: whether it is there, with its dtype and shape."""
        return [
            (found := self._stored.infos.get(name)) is not None
            and (found.dtype.code, found.shape) == (spec.dtype, spec.shape)
            for name, spec in parts(self.info, self.form, chosen).items()
        ]

    def _step(self, structure: Structure) -> int:
        high = structure.height if structure.kind == "block" else 1
        return high * max(1, _COUNTED // max(1, self.info.matrix[1] * high))

    def _checked(self) -> tuple[str, ...]:
        expected = parts(self.info, self.form, self.arrangement)
        for name, spec in expected.items():
            found = self._stored.infos.get(name)
            if found is None or (found.dtype.code, found.shape) != (spec.dtype, spec.shape):
                said = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise FormatError(
                    f"part {name} is {said}, and should be {spec.dtype} {list(spec.shape)}",
                    where=self.info.name,
                )
        return tuple(expected)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows of the matrix view, decoded and rounded to the original dtype."""
        kept = self._kept(start, stop)
        if self.form.scheme is None:
            return self._values(start, stop, kept)
        if self.arrangement.selects_rows and kept is not None:
            decoded = self._decoded(start, stop, kept[kept[:, 0]])
            values = np.zeros(kept.shape, np.float32)
            values[kept[:, 0]] = decoded
        else:
            values = self._decoded(start, stop, kept)
            if kept is not None:
                values[~kept] = 0
        return floats.narrow(values, self.info.dtype.code)

    def _values(self, start: int, stop: int, kept: NDArray[np.bool_] | None) -> NDArray[Any]:
        if kept is None:
            return self._stored.read(self.info.name, start, stop)
        storage = np.dtype(DTYPES[self.info.dtype.code].storage)
        values = np.zeros(kept.shape, storage)
        values[kept] = self._data("values", start, stop, kept, self.info.dtype.bits).view(storage)
        return values

    def _decoded(
        self, start: int, stop: int, kept: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        scheme = self.form.scheme
        if scheme is None:  # pragma: no cover - callers ask only for tensors that have codes
            raise FormatError("it has no codes", where=self.info.name)
        columns = self.info.matrix[1]
        if kept is None:
            stream = self._rows("codes", start, stop)
            codes = bits.unpack(stream, scheme.bits, columns)
        else:
            codes = np.zeros((len(kept), columns), np.uint8)
            codes[kept] = self._codes(start, stop, kept, scheme.bits)
        return scheme.decode(codes, self._parameters(start, stop))

    def _codes(
        self, start: int, stop: int, kept: NDArray[np.bool_], width: int
    ) -> NDArray[np.uint8]:
        grid = self.arrangement.grid
        if grid is None:
            count = int(np.count_nonzero(kept))
            data = self._data("codes", start, stop, kept, width)
            unpacked: NDArray[np.uint8] = bits.unpack(data[None, :], width, count)[0]
            return unpacked
        first, last = self._data_rows(start, stop)
        return bits.unpack(self._rows("codes", first, last), width, grid[1]).reshape(-1)

    def _data(
        self, local: str, start: int, stop: int, kept: NDArray[np.bool_], width: int
    ) -> NDArray[np.uint8]:
        """Bytes that hold the kept elements of some rows, from bit 0 on."""
        if self.arrangement.grid is not None:
            first, last = self._data_rows(start, stop)
            return self._rows(local, first, last).reshape(-1).view(np.uint8)
        count = int(np.count_nonzero(kept))
        first_bit = self._kept_before(start) * width
        end_byte = (first_bit + count * width + 7) // 8
        part = self._part(local)
        if part is None or end_byte > part.nbytes:
            raise FormatError("its mask keeps more than is stored", where=self.info.name)
        passed = self._kept_before(start) + count
        if stop == self.info.matrix[0] and passed != self.form.kept:
            raise FormatError("its mask keeps less than is stored", where=self.info.name)
        self._note_passed(stop, passed)
        raw = self._stored.read_bytes(part.name, first_bit // 8, end_byte)
        return bits.slice_bits(np.frombuffer(raw, np.uint8), first_bit % 8, count * width)

    def _data_rows(self, start: int, stop: int) -> tuple[int, int]:
        """Where rows ``start:stop`` stand among those that are stored."""
        if not self.arrangement.selects_rows:
            return start, stop
        kept = self._row_mask()
        return int(np.count_nonzero(kept[:start])), int(np.count_nonzero(kept[:stop]))

    def _rows(self, local: str, start: int, stop: int) -> NDArray[Any]:
        return self._stored.read(f"{self.info.name}.{local}", start, stop)

    def _parameters(self, start: int, stop: int) -> Parameters:
        scheme = self.form.scheme
        if scheme is None:
            return {}
        first, last = (0, 1) if scheme.group_size == "tensor" else self._data_rows(start, stop)
        groups = 1 if scheme.group_size == "tensor" else scheme.groups(self.info.matrix[1])
        found: Parameters = {}
        for name, kind in scheme.parameters().items():
            stored = self._rows(name, first, last)
            if not kind.bits and floats.has_nonfinite(stored, kind.dtype):
                raise FormatError(f"its {name} holds NaN or infinity", where=self.info.name)
            found[name] = (
                bits.unpack(stored, kind.bits, groups)
                if kind.bits
                else floats.widen(stored, kind.dtype)
            )
        return found

    def _kept(self, start: int, stop: int) -> NDArray[np.bool_] | None:
        """Which elements of some rows are kept; ``None`` where all are stored."""
        chosen = self.arrangement
        if isinstance(chosen, Plain):
            return None
        shape = (stop - start, self.info.matrix[1])
        if isinstance(chosen, Ranked):
            return unpacked_ranks(self._rows("ranks", start, stop), chosen)
        if isinstance(chosen, KeptRows):
            return np.broadcast_to(self._row_mask()[start:stop, None], shape)
        if isinstance(chosen, KeptColumns):
            return np.broadcast_to(self._column_mask()[None, :], shape)
        return self._scattered(chosen, start, stop)

    def _scattered(self, chosen: Arrangement, start: int, stop: int) -> NDArray[np.bool_]:
        structure, columns = chosen.structure, self.info.matrix[1]
        if structure.kind != "block":
            return bits.unpack_mask(self._rows("mask", start, stop), columns)
        high, wide = structure.height, structure.width
        first = start // high
        stored = self._rows("mask", first, -(-stop // high))
        tall = np.repeat(bits.unpack_mask(stored, -(-columns // wide)), high, axis=0)
        rows = tall[start - first * high : stop - first * high]
        return np.repeat(rows, wide, axis=1)[:, :columns]

    def _row_mask(self) -> NDArray[np.bool_]:
        rows, columns = self.info.matrix
        return self._whole_mask(rows, self.arrangement.kept // max(columns, 1))

    def _column_mask(self) -> NDArray[np.bool_]:
        rows, columns = self.info.matrix
        return self._whole_mask(columns, self.arrangement.kept // max(rows, 1))

    def _whole_mask(self, count: int, kept: int) -> NDArray[np.bool_]:
        part = self._stored.infos[f"{self.info.name}.mask"]
        raw = self._stored.read_bytes(part.name, 0, part.nbytes)
        mask = bits.unpack_mask(np.frombuffer(raw, np.uint8), count)
        if int(np.count_nonzero(mask)) != kept:
            raise FormatError(f"its mask does not keep {kept} of {count}", where=self.info.name)
        return mask

    def _kept_before(self, row: int) -> int:
        """Kept elements before ``row``; counted on from the nearest row that is known."""
        with self._lock:
            at, kept = self._passed[bisect_right(self._passed, row, key=lambda known: known[0]) - 1]
        step = self._step(self.arrangement.structure)
        while at < row:
            end = min(at + step, row)
            kept += int(np.count_nonzero(self._scattered(self.arrangement, at, end)))
            at = end
            self._note_passed(at, kept)
        return kept

    def _note_passed(self, row: int, kept: int) -> None:
        with self._lock:
            place = bisect_right(self._passed, row, key=lambda known: known[0])
            if self._passed[place - 1][0] != row:
                self._passed.insert(place, (row, kept))
