"""Run passes over tensors in memory, tile by tile, as the engine does over files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.limits import Limits
from compress_core.passes.base import Pass, Settled, Survey, Target
from compress_core.tensors import Form, TensorInfo
from compress_core.tiles import Tile

Tensors = Mapping[str, tuple[str, NDArray[Any]]]
CarryOut = Callable[..., dict[str, Tile]]


def info_of(name: str, code: str, raw: NDArray[Any]) -> TensorInfo:
    """What a header would say."""
    return TensorInfo(name, DTYPES[code], raw.shape, raw.nbytes)


class Small:
    """All tensors of a run, cut into tiles of ``grains`` grains of ``grain`` rows."""

    def __init__(self, tensors: Tensors, grain: int, grains: int) -> None:
        self._tensors = tensors
        self._grain = grain
        self._step = grain * grains
        self.infos = {name: info_of(name, code, raw) for name, (code, raw) in tensors.items()}
        self.forms = {name: Form(info.dtype) for name, info in self.infos.items()}
        self._done: list[dict[str, Settled]] = []

    def tiles(self, name: str) -> list[Tile]:
        """The tiles of one tensor after all passes so far."""
        raw = self._tensors[name][1]
        found = []
        for first in range(0, len(raw), self._step):
            rows = raw[first : first + self._step].copy()
            tile = Tile(self.infos[name], first, rows, self._grain)
            for settled in self._done:
                settled[name].apply(tile)
            found.append(tile)
        return found

    def carry_out(self, work: Pass) -> None:
        """Survey and settle one pass."""
        groups: dict[str, list[Target]] = {}
        for name, info in self.infos.items():
            form = work.becomes(info, self.forms[name], Limits())
            assert isinstance(form, Form)
            target = Target(info, self.forms[name], form)
            self.forms[name] = form
            groups.setdefault(work.group(info) or name, []).append(target)
        settled: dict[str, Settled] = {}
        for targets in groups.values():
            one = work.settle(targets, self._surveyed(work, targets))
            assert isinstance(one, Settled)
            settled |= {target.info.name: one for target in targets}
        self._done.append(settled)

    def _surveyed(self, work: Pass, targets: Sequence[Target]) -> Survey | None:
        found: Survey | None = None
        if work.group(targets[0].info) is None:
            return None
        while (survey := work.survey(targets, found)) is not None:
            for target in targets:
                for tile in self.tiles(target.info.name):
                    survey.absorb(target.info, tile.start, survey.observe(tile))
            found = survey
        return found


def joined(tiles: Sequence[Tile]) -> Tile:
    """One tile of all rows; its mask is never ``None``."""
    whole = Tile(tiles[0].info, 0, np.concatenate([tile.raw for tile in tiles]), tiles[0].grain)
    masks = [
        np.zeros(tile.raw.shape, np.bool_) if tile.mask is None else tile.mask for tile in tiles
    ]
    whole.move(np.concatenate([tile.values for tile in tiles]))
    whole.prune(np.concatenate(masks))
    return whole


@pytest.fixture(scope="session")
def carry_out() -> CarryOut:
    """``carry_out(passes, tensors, grain=…, grains=…)``: every tensor afterwards, as one tile."""

    def run(
        passes: Sequence[Pass], tensors: Tensors, *, grain: int = 64, grains: int = 1
    ) -> dict[str, Tile]:
        small = Small(tensors, grain, grains)
        for work in passes:
            small.carry_out(work)
        found = {}
        for name in tensors:
            tiles = small.tiles(name)
            whole = joined(tiles)
            kept = small.forms[name].kept
            if kept is not None and whole.mask is not None:
                assert kept == whole.mask.size - int(np.count_nonzero(whole.mask)), "as planned"
            found[name] = whole
        return found

    return run


@pytest.fixture(scope="session")
def tiles_after() -> Callable[..., list[Tile]]:
    """``tiles_after(passes, tensors, name, grain=…, grains=…)``: the tiles of one tensor."""

    def run(
        passes: Sequence[Pass], tensors: Tensors, name: str, *, grain: int = 64, grains: int = 1
    ) -> list[Tile]:
        small = Small(tensors, grain, grains)
        for work in passes:
            small.carry_out(work)
        return small.tiles(name)

    return run
