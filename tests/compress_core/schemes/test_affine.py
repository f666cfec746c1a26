"""Affine codes: the formulas by hand, what is asked for and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.fitting import Fitting
from compress_core.schemes.affine import Affine
from compress_core.wanted import Wanted

VALUES = np.array([[-6, 9, 0, 2.4, 1, 1, 1, 1.06]], np.float32)


def test_our_formula_spans_the_range() -> None:
    scheme = Affine(2, 4)
    found = scheme.fit(VALUES, None)
    assert found["scale"].tolist() == [[5, np.float32((np.float32(1.06) - 1) / 3)]]
    assert found["bias"].tolist() == [[-6, 1]]
    codes = scheme.encode(VALUES, found)
    assert codes.tolist() == [[0, 3, 1, 2, 0, 0, 0, 3]]
    decoded = scheme.decode(codes, found)
    assert decoded[0, :4].tolist() == [-6, 9, -1, 4]
    assert decoded[0, 4:7].tolist() == [1, 1, 1]


def test_the_formula_of_mlx_has_codes_of_the_scale_that_is_not_rounded() -> None:
    rule = Fitting("mlx", "none", negative_scale=True)
    values = np.linspace(-1, 0.9, 32, dtype=np.float32).reshape(1, 32)
    scheme = Affine(8, 32, "BF16")
    found = scheme.fit(values, None, rule)
    exact = np.float32(-1) / np.rint(np.float32(-1) / (np.float32(1.9) / np.float32(255)))
    assert found["bias"].tolist() == [[-1]]
    assert found["scale"][0, 0] != exact
    assert abs(found["scale"][0, 0] / exact - 1) < 2.0**-9
    wanted = np.rint((values + np.float32(1)) / exact)
    assert scheme.encode(values, found, rule).tolist() == wanted.tolist()


def test_pruned_elements_do_not_count() -> None:
    values, mask = VALUES.copy(), np.zeros(VALUES.shape, np.bool_)
    mask[0, :2] = True
    values[mask] = 0
    found = Affine(2, 4).fit(values, mask)
    assert found["bias"].tolist() == [[0, 1]]
    assert found["scale"][0, 0] == np.float32(np.float32(2.4) / 3)
    assert Affine(2, 4).zero_codes(found, 8).tolist() == [[0] * 8]


def test_a_ragged_group_is_not_filled_up() -> None:
    found = Affine(4, 8).fit(np.full((1, 10), 3, np.float32), None)
    assert found["bias"].tolist() == [[3, 3]]


def test_a_bias_beyond_its_dtype_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a bias of its groups does not fit F16") as caught:
        Affine(4, 2, "F16").fit(np.array([[-1e5, 0]], np.float32), None)
    assert caught.value.hint == "pass --scale-dtype f32"


def test_what_is_asked_for() -> None:
    assert Affine.asked(Wanted(bits=4)) == Affine(4, 64, "F16")
    assert str(Affine.asked(Wanted(bits=6, group_size=32, scales="BF16"))) == "affine6 g32"
    assert Affine.asked(Wanted(bits=6, scales="BF16")) == Affine(6, 64, "BF16")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "bits"),
        ({"bits": 1}, "bits"),
        ({"bits": 4, "group_size": "tensor"}, "group_size"),
        ({"bits": 4, "symmetric": True}, "symmetric"),
        ({"bits": 4, "center": "mean"}, "center"),
        ({"bits": 4, "element": "e4m3"}, "element"),
    ],
)
def test_what_it_has_not_is_refused_with_a_hint(options: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        Affine.asked(Wanted(**options))
    assert caught.value.where == where
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"), [("group_size", "tensor"), ("bits", 9), ("scale_dtype", "F64")]
)
def test_settings_that_are_never_written_are_refused(name: str, value: Any) -> None:
    with pytest.raises(FormatError):
        Affine.restored({**Affine(4, 64).settings(), name: value})
