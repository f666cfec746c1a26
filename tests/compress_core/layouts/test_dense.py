"""Dense: what every loader reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compress_core.container import PartSpec
from compress_core.dtypes import DTYPES
from compress_core.kernels import floats
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.dense import Dense
from compress_core.limits import Limits
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Structure, TensorInfo
from compress_core.tiles import Quantized, Tile

Store = Callable[..., dict[str, tuple[str, Any]]]


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 2), (6,), (1, 1)])
@pytest.mark.parametrize("step", [1, 2, 100])
def test_values_stand_under_their_own_name_dtype_and_shape(
    store: Store, code: str, shape: tuple[int, ...], step: int
) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    raw = floats.narrow(values, code)
    info = TensorInfo("a.w", DTYPES[code], shape, raw.nbytes)
    scheme = Integer(bits=4, group_size="channel")
    form = Form(info.dtype, scheme, Structure("element"), None)
    tiles = []
    for start in range(0, info.matrix[0], step):
        tile = Tile(info, start, raw.reshape(info.matrix)[start : start + step], step)
        tile.prune(tile.values < 0)
        found = scheme.fit(tile.values, tile.mask)
        tile.quantize(Quantized(scheme, scheme.encode(tile.values, found), found))
        tiles.append(tile)
    layout = Dense()
    assert layout.parts(info, form) == {"a.w": PartSpec(code, shape, "rows")}
    ((name, (dtype, array)),) = store(layout, tiles, form).items()
    assert (name, dtype, array.shape) == ("a.w", code, shape)
    expected = np.concatenate([tile.stored() for tile in tiles])
    assert array.tobytes() == expected.tobytes()


def test_what_saves_bytes_in_it_is_said() -> None:
    assert Dense.keeps_values
    assert "only a cast saves bytes" in Dense.summary


def test_it_holds_everything_and_adds_no_metadata() -> None:
    layout = Dense()
    info = TensorInfo("w", DTYPES["F32"], (2, 2), 16)
    form = Form(info.dtype)
    assert layout.limits(info) == Limits()
    assert layout.accepts(Checkpoint({"w": info}, {"w": form})) == []
    assert layout.row_multiple(info, form) == 1
    assert layout.metadata({"w": (info, form)}, {}, {"version": 1}, "1.0") == {}
    assert layout.measured([]) == {}
