"""Which narrower dtypes hold the same values: every pattern of 16 bits, and what lies between."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.precision import NARROWER, fitting

PATTERNS = np.arange(2**16, dtype=np.uint16)


@pytest.mark.parametrize(("code", "dtype"), [("F16", np.float16), ("BF16", ml_dtypes.bfloat16)])
@pytest.mark.parametrize(("wide", "storage"), [("F32", np.float32), ("F64", np.float64)])
def test_every_number_of_a_narrow_dtype_fits_it(
    code: str, dtype: type, wide: str, storage: type
) -> None:
    with np.errstate(invalid="ignore"):  # some are signalling NaN
        values: NDArray[Any] = PATTERNS.view(dtype).astype(storage)
    assert code in fitting(values, wide)
    between = values[np.isfinite(values) & (values != 0)][5000:5001]
    assert code not in fitting(np.nextafter(between, storage(np.inf), dtype=storage), wide)


def test_the_narrowest_come_first() -> None:
    assert fitting(np.ones(3), "F64") == NARROWER["F64"]


def test_what_is_beyond_the_first_glance_counts() -> None:
    values = np.ones(5000, np.float32)
    values[-1] = np.float32(0.1)
    assert fitting(values, "F32") == ()
