"""What every scheme shares: widths of groups, and settings that come from files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.errors import FormatError
from compress_core.schemes.base import GroupSize, Parameter, Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.integer import Integer

SCHEMES: list[Scheme] = [
    Integer(bits=4, group_size=128),
    Integer(bits=8, group_size="channel", symmetric=False, scale_dtype="F16"),
    Integer(bits=3, group_size="tensor", center="mean", scale_dtype="BF16"),
    Binary(bits=1, group_size=64),
    Binary(bits=1, group_size="channel", center="none", scale_dtype="F16"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_record_of_the_settings_gives_the_scheme_again(scheme: Scheme) -> None:
    record = scheme.settings()
    assert record["scheme"] == scheme.id
    assert type(scheme).restored(record) == scheme


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_record_with_a_setting_too_few_or_too_many_is_refused(scheme: Scheme) -> None:
    record = scheme.settings()
    for name in record.keys() - {"scheme"}:
        with pytest.raises(FormatError, match="incomplete or unknown"):
            type(scheme).restored({key: value for key, value in record.items() if key != name})
    with pytest.raises(FormatError, match="incomplete or unknown"):
        type(scheme).restored(record | {"more": 1})


@pytest.mark.parametrize(
    ("scheme", "name", "value"),
    [
        (Integer, "bits", 1),
        (Integer, "bits", 9),
        (Integer, "bits", 4.0),
        (Integer, "bits", True),
        (Integer, "bits", "4"),
        (Integer, "group_size", 0),
        (Integer, "group_size", -1),
        (Integer, "group_size", 32.0),
        (Integer, "group_size", True),
        (Integer, "group_size", "row"),
        (Integer, "group_size", None),
        (Integer, "symmetric", 1),
        (Integer, "symmetric", "true"),
        (Integer, "center", "median"),
        (Integer, "center", None),
        (Integer, "scale_dtype", "f32"),
        (Integer, "scale_dtype", "F64"),
        (Integer, "scale_dtype", []),
        (Binary, "bits", 2),
        (Binary, "bits", True),
        (Binary, "group_size", 0),
        (Binary, "center", ""),
        (Binary, "scale_dtype", "F8_E4M3"),
    ],
)
def test_settings_that_are_never_written_are_refused(
    scheme: type[Scheme], name: str, value: Any
) -> None:
    good = next(one.settings() for one in SCHEMES if isinstance(one, scheme))
    with pytest.raises(FormatError):
        scheme.restored(good | {name: value})


def test_a_mean_beside_a_zero_point_is_refused() -> None:
    record = Integer(bits=4, group_size=8, center="mean").settings()
    with pytest.raises(FormatError, match="no such center"):
        Integer.restored(record | {"symmetric": False})


@pytest.mark.parametrize("scheme", [Integer, Binary])
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_whatever_stands_in_a_record_only_a_format_error_comes(
    scheme: type[Scheme], data: st.DataObject
) -> None:
    good = next(one.settings() for one in SCHEMES if isinstance(one, scheme))
    names = data.draw(st.sets(st.sampled_from(sorted(good)), min_size=1))
    record = good | {name: data.draw(JSON) for name in names}
    try:
        restored = scheme.restored(record)
    except FormatError:
        return
    assert restored.settings() == record | {"scheme": scheme.id}


@pytest.mark.parametrize(
    ("size", "columns", "width", "groups"),
    [
        (4, 8, 4, 2),
        (4, 9, 4, 3),
        (4, 4, 4, 1),
        (1, 3, 1, 3),
        (2**60, 3, 3, 1),
        ("channel", 9, 9, 1),
        ("tensor", 9, 9, 1),
    ],
)
def test_a_group_is_never_wider_than_the_row(
    size: GroupSize, columns: int, width: int, groups: int
) -> None:
    scheme = Integer(bits=4, group_size=size)
    assert (scheme.width(columns), scheme.groups(columns)) == (width, groups)


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        (SCHEMES[0], {"scale": Parameter(dtype="F32")}),
        (SCHEMES[1], {"scale": Parameter(dtype="F16"), "zero_point": Parameter(bits=8)}),
        (SCHEMES[2], {"scale": Parameter(dtype="BF16"), "mean": Parameter(dtype="BF16")}),
        (SCHEMES[3], {"scale": Parameter(dtype="F32"), "mean": Parameter(dtype="F32")}),
        (SCHEMES[4], {"scale": Parameter(dtype="F16")}),
    ],
)
def test_parameters_are_stored_in_this_order(scheme: Scheme, names: dict[str, Parameter]) -> None:
    assert list(scheme.parameters().items()) == list(names.items())


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (SCHEMES[0], "int4 g128"),
        (SCHEMES[1], "int8 channel asym"),
        (SCHEMES[2], "int3 tensor mean"),
        (SCHEMES[3], "binary g64"),
        (SCHEMES[4], "binary channel sign"),
    ],
)
def test_a_scheme_says_what_it_is(scheme: Scheme, said: str) -> None:
    assert str(scheme) == said


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_only_a_grid_with_zero_on_it_needs_no_mask(scheme: Scheme) -> None:
    around_zero = isinstance(scheme, Integer) and scheme.center == "none"
    assert scheme.holds_zero == around_zero
