"""The formulas of other libraries, against figures that those libraries computed.

``figures.json`` is written by ``tests/oracles/make_figures.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import registry
from compress_core.fitting import Fitting
from compress_core.schemes.base import Scheme
from compress_core.wanted import Wanted

FIGURES = json.loads(Path(__file__).with_name("figures.json").read_text(encoding="utf-8"))


def matrix() -> NDArray[np.float32]:
    """The same numbers as in ``make_figures.py``."""
    values = (np.arange(6 * 64).reshape(6, 64) * 2654435761 % 4093 - 2046) / 16
    values[1] = np.abs(values[1])
    values[2] /= 64
    values[3, 7] = 4000
    values[4, ::2] = 0
    values[5] = np.arange(64) % 16 - 8
    return values.astype(np.float32)


def scheme_of(options: dict[str, Any]) -> Scheme:
    wanted = {key: value for key, value in options.items() if key != "scheme"}
    cls = registry.get("schemes", options.get("scheme", "integer"))
    dtype = "AUTO" if options.get("scheme") in ("mxfp4", "nvfp4", "nf4-double") else "F32"
    scheme: Scheme = cls.asked(Wanted(**wanted, scale_dtype=dtype))
    return scheme


@pytest.mark.parametrize(
    "figures", FIGURES, ids=lambda one: " ".join(map(str, one["options"].values()))
)
def test_parameters_and_codes_are_theirs_to_the_bit(figures: dict[str, Any]) -> None:
    scheme, values = scheme_of(figures["options"]), matrix()
    fitting = Fitting(scheme.rules[-1])
    found = scheme.fit(values, None, fitting)
    codes = scheme.encode(values, found, fitting)
    assert found["scale"].tolist() == figures["scale"]
    if scheme.id in ("nf4", "nf4-double"):
        assert codes.tolist() == figures["numbers"]
        return
    half = 1 << (scheme.bits - 1)
    if scheme.id == "integer":
        numbers = codes.astype(np.float32) - np.float32(half)
    else:
        ones = {name: np.ones_like(one) for name, one in found.items()}
        numbers = scheme.decode(codes, ones)
    assert numbers.tolist() == figures["numbers"]
    if "zero" in figures:
        assert (found["zero_point"] - np.float32(half)).tolist() == figures["zero"]
