"""NumPy files: what we read of them, and make of them, is what NumPy itself reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress_core import compress, from_config
from tests.oracles.readings import CODES, Reading, converted, digest, ours

pytestmark = pytest.mark.oracle

NOTHING = from_config({"version": 1})
DTYPES = [
    np.dtype(name).str.replace("<", order)
    for name in CODES
    if not name.startswith(("bfloat", "float8"))
    for order in "<>"
]

Array = np.ndarray[Any, Any]


def arrays() -> dict[str, Array]:
    """Every dtype and order of bytes in C order, Fortran order and neither."""
    random = np.random.default_rng(0)
    made = {"scalar": np.array(3.5), "empty": np.zeros((0, 4), "f4"), "Ünïcode/w": np.ones(2, "f4")}
    for dtype in dict.fromkeys(DTYPES):  # those of one byte have no order
        data = random.integers(0, 2, (7, 6, 5)).astype(dtype)
        made |= {dtype: data, f"{dtype} F": np.asfortranarray(data), f"{dtype} T": data.T[1:]}
    return made


def of_numpy(arrays: Mapping[str, Array]) -> Reading:
    little = {name: one.astype(one.dtype.newbyteorder("<")) for name, one in arrays.items()}
    return {
        name: (CODES[one.dtype.name], list(one.shape), digest(one.tobytes("C")))
        for name, one in little.items()
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archive(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "x.npz"
    save(path, **arrays())
    with np.load(path, allow_pickle=False) as found:
        expected = of_numpy(dict(found))
    assert expected == of_numpy(arrays())
    assert ours(path) == expected
    compress(path, tmp_path / "y.safetensors", NOTHING)
    assert converted(tmp_path / "y.safetensors") == expected


def test_array(tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    for number, array in enumerate(arrays().values()):
        np.save(path, array)
        expected = of_numpy({"weights": np.load(path, allow_pickle=False)})
        assert ours(path) == expected
        compress(path, tmp_path / f"{number}.safetensors", NOTHING)
        assert converted(tmp_path / f"{number}.safetensors") == expected
