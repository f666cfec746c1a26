"""A file as it might have been measured."""

from __future__ import annotations

import pytest

from compress_core.gates import Measurement, TensorMeasure
from compress_core.report import ErrorResult


@pytest.fixture
def measured() -> Measurement:
    """Two layers with errors of 3 and 4 in 100, a kept norm, and indices."""
    tensors = (
        TensorMeasure("a.weight", 100, 60, 400, True, ErrorResult(9.0, 100.0, 0.5), 50),
        TensorMeasure("b.weight", 100, 40, 400, True, ErrorResult(16.0, 100.0, 0.25), 0),
        TensorMeasure("norm.weight", 50, 200, 200, True, ErrorResult(0.0, 200.0, 0.0), 0),
        TensorMeasure("index", 10, 80, 80, False),
    )
    return Measurement("m.safetensors", 500, tensors, plain_bytes=1200)
