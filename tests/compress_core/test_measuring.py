"""Statistics of files: equal to NumPy's, whatever the tiles, and honest about odd values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from safetensors.numpy import save_file

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.kernels.precision import NARROWER
from compress_core.measuring import measure
from compress_core.settings import Progress
from compress_core.statistics import TensorStatistics
from compress_core.tiling import LEAST_MEMORY

Put = Callable[..., Path]
Measured = Callable[..., TensorStatistics]

TYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


def normal(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def stats_of(path: Path, limits: Settings | None = None) -> dict[str, TensorStatistics]:
    with open_logical(path) as reader:
        return measure(reader, limits)


@pytest.fixture
def measured(put: Put) -> Measured:
    """The statistics of one tensor."""

    def of(
        code: str, array: NDArray[Any], shape: tuple[int, ...] | None = None
    ) -> TensorStatistics:
        shapes = {} if shape is None else {"w": shape}
        return stats_of(put("w.safetensors", {"w": (code, array)}, shapes=shapes))["w"]

    return of


def histogram(values: NDArray[Any], bins: int = 16) -> tuple[int, ...]:
    """By the definition: bins of equal width, the last one closed."""
    wide = values.astype(np.float64).ravel()
    places = np.floor((wide - wide.min()) / (wide.max() - wide.min()) * bins).astype(int)
    return tuple(np.bincount(np.minimum(places, bins - 1), minlength=bins).tolist())


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("shape", [(7,), (33, 17), (2, 70_001), (300, 700)])
def test_figures_equal_those_of_numpy(measured: Any, code: str, shape: tuple[int, ...]) -> None:
    array = normal(*shape).astype(TYPES[code])
    array[..., 1] = 0
    wide = array.astype(np.float64)
    found = measured(code, array)
    assert (found.finite, found.nan, found.infinite) == (wide.size, 0, 0)
    assert (found.low, found.high) == (wide.min(), wide.max())
    assert found.mean == pytest.approx(math.fsum(wide.ravel()) / wide.size, rel=1e-12)
    assert found.std == pytest.approx(float(wide.std()), rel=1e-12)
    assert found.zeros == wide.size - np.count_nonzero(wide)
    assert found.histogram == histogram(array)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32)))
def test_any_values_have_consistent_figures(measured: Any, array: NDArray[np.float32]) -> None:
    found = measured("F32", array)
    assert found.low <= found.high
    assert found.low - 1e-6 * abs(found.low) <= found.mean <= found.high + 1e-6 * abs(found.high)
    assert 0 <= found.std <= (found.high - found.low) * (1 + 1e-12)
    if found.histogram is None:
        assert found.low == found.high
    else:
        assert sum(found.histogram) == array.size
        assert found.histogram[0] > 0
        assert found.histogram[-1] > 0


def test_what_is_no_number_is_counted_and_left_out(measured: Any) -> None:
    array = np.array([np.nan, 1, np.inf, 3, -np.inf, np.nan, -0.0], np.float32)
    found = measured("F32", array)
    assert (found.finite, found.nan, found.infinite, found.zeros) == (3, 2, 2, 1)
    assert (found.low, found.high, found.mean) == (0, 3, 4 / 3)
    assert found.std == pytest.approx(float(np.std([1, 3, 0])), rel=1e-15)
    assert sum(found.histogram) == 3


@pytest.mark.parametrize(("code", "bits"), [("F32", 0x7F800001), ("F64", 0x7FF0000000000001)])
def test_a_signalling_nan_disturbs_nobody(measured: Any, code: str, bits: int) -> None:
    storage = {"F32": np.uint32, "F64": np.uint64}[code]
    array = np.array([bits, 0, bits], storage).view({"F32": np.float32, "F64": np.float64}[code])
    found = measured(code, array)
    assert (found.nan, found.finite, found.zeros) == (2, 1, 1)
    assert len(found.fits) == len(NARROWER[code])


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_nothing_but_what_is_no_number(measured: Any, odd: float) -> None:
    found = measured("F32", np.full(3, odd, np.float32))
    assert (found.finite, found.low, found.high, found.mean, found.std) == (0, *[None] * 4)
    assert found.histogram is None


def test_all_equal_scalars_and_empty(measured: Any) -> None:
    found = measured("F32", np.full((3, 3), 0.5, np.float32))
    assert (found.low, found.high, found.mean, found.std) == (0.5, 0.5, 0.5, 0.0)
    assert found.histogram is None
    assert measured("F32", np.array([2], np.float32), shape=()).mean == 2
    empty = measured("F32", np.zeros((0, 5), np.float32))
    assert (empty.low, empty.mean, empty.zeros, empty.fits) == (None, None, 0, ())


def test_integers_have_a_range_and_zeros(measured: Any) -> None:
    found = measured("I64", np.array([2**62 + 1, 0, -(2**63)]))
    assert (found.low, found.high, found.zeros) == (-(2**63), 2**62 + 1, 1)
    assert (found.mean, found.std, found.nan, found.histogram) == (None, None, None, None)
    flags = measured("BOOL", np.array([True, False, True]))
    assert (flags.low, flags.high, flags.zeros) == (0, 1, 1)


@pytest.mark.parametrize(
    ("code", "array"), [("F4", np.zeros(4, np.uint8)), ("C64", np.zeros(4, np.complex64))]
)
def test_what_has_no_order_or_no_byte_has_nothing(
    measured: Any, code: str, array: NDArray[Any]
) -> None:
    assert measured(code, array, shape=(8,) if code == "F4" else (4,)) == TensorStatistics()


def test_numbers_at_the_ends_of_float64(measured: Any) -> None:
    found = measured("F64", np.array([1.7e308, -1.7e308, 1.7e308, 1.7e308]))
    assert (found.low, found.high) == (-1.7e308, 1.7e308)
    assert (found.mean, found.std) == (None, None)
    assert (found.histogram[0], found.histogram[-1]) == (1, 3)
    tiny = measured("F64", np.array([0.0, 5e-324]))
    assert (tiny.histogram[0], tiny.histogram[-1]) == (1, 1)


# hidden precision


def half(*shape: int) -> NDArray[np.float32]:
    return normal(*shape).astype(np.float16).astype(np.float32)


def brain(*shape: int) -> NDArray[np.float32]:
    """Beyond the range of F16, whose digits are enough."""
    return normal(*shape).astype(ml_dtypes.bfloat16).astype(np.float32) * np.float32(2**30)


@pytest.mark.parametrize(
    ("code", "array", "fits", "saves"),
    [
        ("F32", half(40, 50), ("F16",), 4000),
        ("F32", brain(40, 50), ("BF16",), 4000),
        ("F32", np.ones((40, 50), np.float32), ("BF16", "F16"), 4000),
        ("F32", normal(40, 50).astype(np.float32), (), 0),
        ("F32", np.array([np.nan, np.inf, -np.inf, -0.0], np.float32), ("BF16", "F16"), 8),
        ("F32", np.array([65504, 2**-24], np.float32), ("F16",), 4),
        ("F32", np.array([65536], np.float32), ("BF16",), 2),
        ("F32", np.array([1e-45], np.float32), (), 0),
        ("F64", normal(40, 50).astype(np.float32).astype(np.float64), ("F32",), 8000),
        ("F64", half(40, 50).astype(np.float64), ("F16", "F32"), 12000),
        ("F64", normal(40, 50), (), 0),
        ("F64", np.array([1e300]), (), 0),
        ("F16", np.ones(8, np.float16), (), 0),
    ],
)
def test_values_that_need_less_room(
    measured: Any, code: str, array: NDArray[Any], fits: tuple[str, ...], saves: int
) -> None:
    found = measured(code, array)
    assert (found.fits, found.saves) == (fits, saves)


def test_one_element_at_the_end_decides(measured: Any) -> None:
    array = half(300, 700)
    array[-1, -1] = np.float32(0.1)
    assert measured("F32", array).fits == ()


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hnp.arrays(np.float32, st.integers(1, 8), elements=st.floats(width=32)))
def test_what_fits_comes_back_the_same(measured: Any, array: NDArray[np.float32]) -> None:
    fits = measured("F32", array).fits
    for code in ("F16", "BF16"):
        with np.errstate(over="ignore"):
            back = array.astype(TYPES[code]).astype(np.float32)
        assert (code in fits) == np.array_equal(back, array, equal_nan=True)


# tiles, threads, compressed files


def test_neither_memory_nor_threads_change_a_figure(tmp_path: Path) -> None:
    shapes = {"long": (3, 100_000), "flat": (400_000,), "wide": (40, 3000), "small": (3, 3)}
    path = tmp_path / "a.safetensors"
    save_file({name: normal(*shape).astype(np.float32) for name, shape in shapes.items()}, path)
    found = [
        stats_of(path, Settings(jobs=jobs, max_memory=limit))
        for jobs in (1, 2, 5)
        for limit in (LEAST_MEMORY, LEAST_MEMORY + 10_000_000, 2 * 1024**3)
    ]
    assert all(one == found[0] for one in found)


def test_of_a_compressed_file_what_a_reader_gets(samples: Path, tmp_path: Path) -> None:
    small, dense = tmp_path / "small.safetensors", tmp_path / "dense.safetensors"
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    report = compress(samples / "fracast.safetensors", small, spec)
    restore(small, dense)
    packed, plain = stats_of(small), stats_of(dense)
    compressed = {tensor.name for tensor in report.tensors if tensor.to != "kept"}
    assert packed.keys() == plain.keys()
    for name, found in packed.items():
        assert (found.low, found.high, found.zeros) == (
            plain[name].low,
            plain[name].high,
            plain[name].zeros,
        )
        assert found.histogram == plain[name].histogram
        assert name not in compressed or found.fits == ()


def test_progress_is_told_in_two_stages(put: Put) -> None:
    path = put("a.safetensors", {"w": ("F32", normal(900, 700).astype(np.float32))})
    news: list[Progress] = []
    stats_of(path, Settings(progress=news.append))
    assert list(dict.fromkeys(one.stage for one in news)) == ["range", "spread"]
    assert news[-1].done == news[-1].total == 900 * 700 * 4


def test_the_json_form_is_standard(measured: Any) -> None:
    found = measured("F32", np.array([1, np.inf, 1, 0.1], np.float32))
    said = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(said) == {
        "min",
        "max",
        "mean",
        "std",
        "zeros",
        "nan",
        "infinite",
        "histogram",
        "fits",
        "saves_bytes",
    }
    assert said["max"] == 1
