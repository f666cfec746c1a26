"""NVFP4: scales that round to zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from compress_core.fitting import Fitting
from compress_core.kernels import native, twins
from compress_core.schemes.nvfp4 import Nvfp4


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    twins.use(None)


@pytest.mark.parametrize("kernels", twins.CHOICES)
def test_a_group_whose_scale_rounds_to_zero_is_all_zeros(kernels: str) -> None:
    if kernels == "native" and native.library() is None:
        pytest.skip("built without a C compiler")
    twins.use(kernels)
    scheme, fitting = Nvfp4(4, 16, global_scale=False), Fitting("mlx", "none", True)
    values = np.array([[1e-9, -1e-9] * 8 + [1.0, -2.0] * 8], np.float32)
    found = scheme.fit(values, None, fitting)
    assert found["scale"][0, 0] == 0
    codes = scheme.encode(values, found, fitting)
    assert (codes[0, :16] == 0).all()
    assert (scheme.decode(codes, found)[0, :16] == 0).all()
