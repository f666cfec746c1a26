"""Where each tensor of a file is read: where it stands, or in the spool."""

from __future__ import annotations

from functools import partial

from compress_core.tensors import TensorInfo
from compress_core.views.access import whole_axes
from compress_core.views.axes import Axes, Axis, count, merged
from compress_core.views.readable import Readable
from compress_core.views.source import Sequential, Source
from compress_core.views.spool import Region, Spool
from compress_core.views.unpacking import unpack
from compress_core.views.view import View


class Places:
    """Reserves regions of a spool; what several tensors share is copied once.

    :param where: the file that is read, for messages.
    """

    def __init__(self, spool: Spool, where: str) -> None:
        self._spool = spool
        self._where = where
        # by id, which nothing else gets: each region keeps what it is filled from
        self._unpacked: dict[int, Region] = {}
        self._permuted: dict[tuple[int, int, Axes, int], Region] = {}

    def find(self, info: TensorInfo, view: View, source: Source | Sequential) -> Readable:
        """Where to read a tensor. Nothing is read or copied yet."""
        plain = self._unpack(source) if isinstance(source, Sequential) else source
        axes = merged(view)
        item = info.dtype.bits // 8
        whole = whole_axes(axes, info.matrix[1], item)
        if whole is not None:
            return Readable(plain, view.start, axes, whole, view.swapped)
        region = self._permute(plain, view.start, axes, item)
        return Readable(region, 0, (Axis(count(axes), 1),), 0, view.swapped)

    def _unpack(self, source: Sequential) -> Region:
        if id(source) not in self._unpacked:
            fill = partial(unpack, source, self._where)
            self._unpacked[id(source)] = self._spool.reserve(source.size, fill)
        return self._unpacked[id(source)]

    def _permute(self, source: Source, start: int, axes: Axes, item: int) -> Region:
        key = (id(source), start, axes, item)
        if key not in self._permuted:
            fill = partial(_copy, source, start, axes, item)
            self._permuted[key] = self._spool.reserve(count(axes) * item, fill)
        return self._permuted[key]


def _copy(source: Source, start: int, axes: Axes, item: int, region: Region) -> None:
    # plans are made of headers alone, and do without NumPy
    from compress_core.views.copying import copy_view

    copy_view(source, start, axes, item, region)
