"""What somebody asks of a scheme."""

from __future__ import annotations

import pytest

from compress_core.errors import UsageError
from compress_core.wanted import Wanted


@pytest.mark.parametrize(
    ("dtype", "size", "found"),
    [
        ("F32", "channel", "F32"),
        ("BF16", "tensor", "F32"),
        ("F32", 32, "F16"),
        ("F64", 32, "F16"),
        ("F16", 32, "F16"),
        ("BF16", 32, "BF16"),
    ],
)
def test_scales_of_groups_have_16_bits(dtype: str, size: int | str, found: str) -> None:
    assert Wanted(dtype=dtype).scales_of(size) == found  # type: ignore[arg-type]
    assert Wanted(dtype=dtype, scale_dtype="BF16").scales_of(32) == "BF16"


def test_what_a_scheme_does_not_have_is_refused_by_name() -> None:
    Wanted().refuse("some", 4, "symmetric", "center", "scale_dtype")
    Wanted(bits=4, center="mean").refuse("some", 4, "symmetric")
    for wanted, name in (
        (Wanted(bits=3), "bits"),
        (Wanted(symmetric=False), "symmetric"),
        (Wanted(scale_dtype="F32"), "scale_dtype"),
    ):
        with pytest.raises(UsageError) as caught:
            wanted.refuse("some", 4, "symmetric", "scale_dtype")
        assert caught.value.where == name
        assert caught.value.hint == f"leave {name} out"
