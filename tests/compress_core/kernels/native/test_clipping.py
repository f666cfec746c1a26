"""Counts of values beyond the ends of their group are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compress_core.kernels.floats import narrow
from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")


@settings(deadline=None)
@given(st.data(), st.sampled_from(["BF16", "F16", "F32", "F64"]))
def test_counts(data: st.DataObject, code: str) -> None:
    raw = narrow(data.draw(hostile.matrices()), code)
    rows, columns = raw.shape
    width = data.draw(st.integers(1, max(1, columns)))
    shape = data.draw(st.sampled_from([(rows, -(-columns // width)), (1, 1)]))
    edges = st.sampled_from((0.0, -0.5, 1.5, 65504.0, -1e20)).map(np.float32)
    ends = tuple(data.draw(arrays.arrays(np.float32, shape, elements=edges)) for _ in range(2))
    gone = data.draw(st.none() | arrays.arrays(np.bool_, raw.shape))
    hostile.check("clipping.beyond", raw, code, width, ends, gone)
