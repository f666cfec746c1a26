"""What a limit of each metric may be."""

from __future__ import annotations

import math

import pytest

from compress_core.errors import UsageError
from compress_core.gates.metric import METRICS


@pytest.mark.parametrize(
    ("metric", "value", "limit"),
    [
        ("size", "25 MiB", 25 * 1024**2),
        ("size", 4096, 4096),
        ("tensor_bytes", "4096", 4096),
        ("ratio", 2, 2.0),
        ("zeros", "50%", 0.5),
        ("zeros", "12.5 %", 0.125),
        ("zeros", 1, 1.0),
        ("sqnr_db", -3.5, -3.5),
    ],
)
def test_limits(metric: str, value: object, limit: float) -> None:
    found = METRICS[metric].limit(value)
    assert found == limit
    assert METRICS[metric].limit(METRICS[metric].written(found)) == found


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("size", 1.5),
        ("size", True),
        ("size", -1),
        ("size", 10**18),
        ("size", "1000000 TB"),
        ("size", "10M"),
        ("ratio", "2"),
        ("ratio", -1),
        ("error", math.nan),
        ("error", math.inf),
        ("error", False),
        ("zeros", 1.01),
        ("zeros", "101%"),
        ("zeros", "half"),
        ("max_abs", None),
    ],
)
def test_what_is_no_limit(metric: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        METRICS[metric].limit(value)
    assert caught.value.hint
