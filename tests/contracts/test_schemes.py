"""Every number format: codes and back within half a step, zeros, and the record in a file."""

from __future__ import annotations

import contextlib
import typing
from dataclasses import fields
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core import registry
from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.fitting import FORMULA, SEARCHES, Fitting
from compress_core.kernels import differences, floats
from compress_core.kernels.groups import spread
from compress_core.limits import Limits
from compress_core.schemes.base import Parameters, Scheme
from compress_core.tensors import Form, TensorInfo
from compress_core.wanted import Wanted
from tests.contracts import configs

SCHEMES: dict[str, type[Scheme]] = registry.all_of("schemes")
FEW = settings(derandomize=True, deadline=None, database=None, max_examples=30)
NONSENSE: tuple[Any, ...] = (
    None, "", "F8_E4M3", "nan", -1, 0, 9, 10**30, 1.5, float("nan"), [], {}, [4], b"4",
)  # fmt: skip
each_scheme = pytest.mark.parametrize("name", SCHEMES)


def _words(hint: Any) -> list[Any]:
    """Values that the annotation of a field names."""
    if hint is bool:
        return [False, True]
    if hint is int:
        return [*range(1, 9), 16, 33]
    if hint is str:
        return ["F64", "F32", "F16", "BF16"]
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [word for part in typing.get_args(hint) for word in _words(part)]


def _sensible(cls: type[Scheme]) -> list[dict[str, Any]]:
    """Settings that a file of this scheme may hold, each word of each field among them."""
    random = Random(cls.id)
    hints = typing.get_type_hints(cls)
    words = {field.name: _words(hints[field.name]) for field in fields(cls)}
    found = []
    for _ in range(3000):
        drawn = {name: random.choice(values) for name, values in words.items()}
        try:
            cls.restored({"scheme": cls.id, **drawn})
        except FormatError:
            continue
        found.append(drawn)
    return found[:60]


SENSIBLE = {name: _sensible(cls) for name, cls in SCHEMES.items()}


@each_scheme
def test_some_settings_are_accepted_and_some_are_not(name: str) -> None:
    assert len(SENSIBLE[name]) >= 10
    assert len({str(settings) for settings in SENSIBLE[name]}) >= 5


@each_scheme
def test_settings_come_back_equal_with_the_same_name(name: str) -> None:
    cls = SCHEMES[name]
    for drawn in SENSIBLE[name]:
        scheme = cls(**drawn)
        described = scheme.settings()
        assert described["scheme"] == name == cls.id
        again = cls.restored(described)
        assert again == scheme
        assert hash(again) == hash(scheme)
        assert str(again) == str(scheme)
    said = {str(cls(**drawn)): drawn for drawn in SENSIBLE[name]}
    assert len(said) > 1


@each_scheme
def test_nonsense_in_a_record_is_a_format_error_or_makes_a_usable_scheme(name: str) -> None:
    cls = SCHEMES[name]
    good = cls(**SENSIBLE[name][0]).settings()
    refused = 0
    for field in fields(cls):
        for value in NONSENSE:
            try:
                scheme = cls.restored({**good, field.name: value})
            except FormatError:
                refused += 1
                continue
            assert _decodes(scheme), (field.name, value)
    assert refused >= len(NONSENSE)


@each_scheme
def test_a_record_with_missing_or_unknown_settings_is_refused(name: str) -> None:
    cls = SCHEMES[name]
    good = cls(**SENSIBLE[name][0]).settings()
    for field in fields(cls):
        rest = {key: value for key, value in good.items() if key != field.name}
        if "added" in field.metadata:
            assert getattr(cls.restored(rest), field.name) == field.default
            continue
        with pytest.raises(FormatError, match="incomplete or unknown"):
            cls.restored(rest)
    with pytest.raises(FormatError, match="incomplete or unknown"):
        cls.restored({**good, "new": 1})


def _decodes(scheme: Scheme) -> bool:
    values = np.ones((3, 10), np.float32)
    parameters = scheme.fit(values, None)
    return scheme.decode(scheme.encode(values, parameters), parameters).shape == (3, 10)


def _values(kind: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    rng = np.random.default_rng([len(kind), *shape])
    made: dict[str, NDArray[Any]] = {
        "normal": rng.standard_normal(shape),
        "one sign": np.abs(rng.standard_normal(shape)) + 3,
        "outlier": np.where(rng.random(shape) < 0.05, 40, rng.standard_normal(shape)),
        "constant": np.full(shape, -0.7),
        "zeros": np.zeros(shape),
        "negative zeros": np.full(shape, -0.0),
    }
    return made[kind].astype(np.float32)


KINDS = ("normal", "one sign", "outlier", "constant", "zeros", "negative zeros")
SHAPES = ((1, 1), (1, 50), (50, 1), (7, 33), (16, 64))


def _fitted(
    scheme: Scheme,
    values: NDArray[np.float32],
    mask: NDArray[np.bool_] | None = None,
    fitting: Fitting = FORMULA,
) -> Parameters:
    """Parameters as a pass gets them; one group that is the whole tensor is seen as one row."""
    if scheme.group_size != "tensor":
        return scheme.fit(values, mask, fitting)
    return scheme.fit(values.reshape(1, -1), None if mask is None else mask.reshape(1, -1), fitting)


def _fittings(name: str) -> list[Fitting]:
    """Every way to choose parameters of a scheme."""
    return [
        Fitting(rule, search, negative)
        for rule in SCHEMES[name].rules
        for search in SEARCHES
        for negative in (False, True)
    ]


def _error(
    scheme: Scheme,
    values: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    fitting: Fitting,
) -> NDArray[np.float64]:
    """Squared error of each row, of what is not pruned."""
    parameters = _fitted(scheme, values, mask, fitting)
    decoded = scheme.decode(scheme.encode(values, parameters, fitting), parameters)
    squares = np.square(decoded.astype(np.float64) - values)
    squares[() if mask is None else mask] *= 1 if mask is None else 0
    return np.asarray(squares.sum(axis=1))


@each_scheme
@pytest.mark.parametrize("kind", KINDS)
def test_a_decoded_value_is_the_nearest_that_the_grid_has(name: str, kind: str) -> None:
    """Within half a step of the grid, or at its end."""
    for index, drawn in enumerate(SENSIBLE[name]):
        scheme = SCHEMES[name](**drawn)
        values = _values(kind, SHAPES[index % len(SHAPES)])
        parameters = _fitted(scheme, values)
        codes = scheme.encode(values, parameters)
        assert codes.dtype == np.uint8
        assert codes.shape == values.shape
        assert int(codes.max()) < 2**scheme.bits
        decoded = scheme.decode(codes, parameters)
        assert decoded.dtype == np.float32
        grid = _grid(scheme, parameters, values.shape)
        nearest = np.min([np.abs(point - values) for point in grid], axis=0)
        step = np.abs(grid[1] - grid[0])
        slack = 1e-5 * (step + np.abs(values))
        assert (np.abs(decoded - values) <= nearest + slack).all(), scheme
        again = scheme.decode(scheme.encode(decoded, parameters), parameters)
        assert (again == decoded)[step > 0].all(), scheme


def _grid(scheme: Scheme, parameters: Parameters, shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """What every code stands for, of those that are numbers."""
    grid = []
    for code in range(2**scheme.bits):
        with contextlib.suppress(FormatError):
            grid.append(scheme.decode(np.full(shape, code, np.uint8), parameters))
    return grid


@each_scheme
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
def test_one_pass_gives_what_single_steps_give(name: str, kind: str, code: str) -> None:
    """Parameters and codes of floats as a file has them, and what they lost."""
    for index, drawn in enumerate(SENSIBLE[name][::3]):
        scheme = SCHEMES[name](**drawn)
        raw = floats.narrow(_values(kind, SHAPES[index % len(SHAPES)]), code)
        values = floats.widen(raw, code)
        for fitting in _fittings(name):
            parameters = scheme.fit(values, None, fitting)
            codes = scheme.encode(values, parameters, fitting)
            found, made = scheme.round(raw, code, fitting)
            assert found.keys() == parameters.keys()
            assert all(np.array_equal(found[key], parameters[key]) for key in found), scheme
            assert np.array_equal(made, codes), (scheme, fitting)
        decoded = floats.narrow(scheme.decode(codes, parameters), code)
        wanted = differences.grains(raw, decoded, (code, code), 3)
        assert scheme.rounding_errors(raw, code, codes, parameters, code, 3) == wanted, scheme


@each_scheme
@pytest.mark.parametrize("kind", ["normal", "one sign", "outlier"])
def test_the_ends_are_half_a_step_beyond_the_numbers_of_a_group(name: str, kind: str) -> None:
    fittings = _fittings(name)
    for index, drawn in enumerate(SENSIBLE[name]):
        scheme = SCHEMES[name](**drawn)
        values = _values(kind, SHAPES[index % len(SHAPES)])
        parameters = _fitted(scheme, values, fitting=fittings[index % len(fittings)])
        ends = scheme.ends(parameters)
        if ends is None:
            assert scheme.bits == 1
            continue
        grid = np.sort(np.stack(_grid(scheme, parameters, values.shape)).astype(np.float64), axis=0)
        columns = values.shape[1]
        for end, at, near in ((ends[0], 0, 1), (ends[1], -1, -2)):
            assert len(end) in (1, len(values))
            each = spread(end, scheme.width(columns), columns)
            outer = grid[at] + (grid[at] - grid[near]) / 2
            np.testing.assert_allclose(
                np.broadcast_to(each, values.shape),
                outer,
                rtol=1e-4,
                atol=1e-6 * np.abs(outer).max(),
            )


@each_scheme
def test_parameters_are_what_their_stored_dtype_holds(name: str) -> None:
    limits = {"F32": np.float32, "F16": np.float16}
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        parameters = _fitted(scheme, _values("outlier", (9, 40)))
        assert parameters.keys() == scheme.parameters().keys()
        for key, kind in scheme.parameters().items():
            found = parameters[key]
            whole = kind.whole or scheme.group_size == "tensor"
            assert found.shape == ((1, 1) if whole else (9, scheme.groups(40)))
            if kind.bits:
                assert int(found.max()) < 2**kind.bits
            elif kind.dtype in limits:
                assert (found.astype(limits[kind.dtype]).astype(np.float32) == found).all()
            else:
                assert (floats.widen(floats.narrow(found, kind.dtype), kind.dtype) == found).all()


@each_scheme
@pytest.mark.parametrize("kind", ["normal", "one sign", "outlier"])
def test_the_zero_code_is_zero_where_a_scheme_says_so(name: str, kind: str) -> None:
    fittings = _fittings(name)
    for index, drawn in enumerate(SENSIBLE[name]):
        scheme, fitting = SCHEMES[name](**drawn), fittings[index % len(fittings)]
        values = _values(kind, (6, 40))
        values[:, ::3] = 0
        parameters = _fitted(scheme, values, fitting=fitting)
        zero = np.broadcast_to(scheme.zero_codes(parameters, 40), values.shape)
        decoded = scheme.decode(np.ascontiguousarray(zero), parameters)
        encoded = scheme.decode(scheme.encode(values, parameters, fitting), parameters)
        if scheme.holds_zero:
            assert not decoded.any()
            assert not np.signbit(decoded).any(), "a pruned element is +0"
            assert not encoded[values == 0].any()
        assert int(zero.max()) < 2**scheme.bits


@each_scheme
def test_pruned_elements_do_not_count_in_a_fit(name: str) -> None:
    """A group with masked elements is fitted as if these were not there."""
    values = _values("normal", (5, 8)) + np.float32(2)
    mask = np.zeros((5, 16), np.bool_)
    mask[:, 8:] = True
    padded = np.concatenate([values, np.zeros((5, 8), np.float32)], axis=1)
    if all(isinstance(drawn["group_size"], int) for drawn in SENSIBLE[name]):
        pytest.skip("no group of it is as wide as its row")
    compared = 0
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        if isinstance(scheme.group_size, int):
            continue
        for fitting in _fittings(name):
            alone = _fitted(scheme, values, None, fitting)
            beside = _fitted(scheme, padded, mask, fitting)
            assert alone.keys() == beside.keys()
            assert all(np.array_equal(alone[key], beside[key]) for key in alone), (scheme, fitting)
        compared += 1
    assert compared


@each_scheme
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prune", [False, True])
def test_a_search_is_never_worse_than_the_formula(name: str, kind: str, prune: bool) -> None:
    """By group, and so by row; up to the rounding of a mean that is added."""
    for index, drawn in enumerate(SENSIBLE[name]):
        scheme = SCHEMES[name](**drawn)
        values = _values(kind, SHAPES[index % len(SHAPES)])
        mask = _values("normal", values.shape) > 0.5 if prune else None
        values[() if mask is None else mask] *= 1 if mask is None else 0
        for rule in scheme.rules:
            formula = _error(scheme, values, mask, Fitting(rule))
            if scheme.group_size == "tensor":
                formula = formula.sum(keepdims=True)
            for negative in (False, True):
                found = _error(scheme, values, mask, Fitting(rule, "mse", negative))
                if scheme.group_size == "tensor":
                    found = found.sum(keepdims=True)
                assert (found <= formula * (1 + 1e-5) + 1e-12).all(), (scheme, rule, negative)


@each_scheme
def test_a_scale_is_negative_only_where_it_may_be(name: str) -> None:
    values = -np.abs(_values("outlier", (16, 64)))
    values[::2] *= -1
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        for rule in scheme.rules:
            assert (_fitted(scheme, values, None, Fitting(rule, "mse"))["scale"] >= 0).all()


@each_scheme
@pytest.mark.parametrize("search", SEARCHES)
def test_rows_are_fitted_as_if_they_were_alone(name: str, search: str) -> None:
    """Once what the whole tensor tells is known."""
    values = _values("outlier", (33, 70))
    mask = _values("normal", (33, 70)) > 1
    values[mask] = 0
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        if scheme.group_size == "tensor" or scheme.row_multiple(values.shape[1]) > 1:
            continue  # rows that share scales are one to a pass
        fitting = Fitting(scheme.rules[-1], search, True)
        whole = scheme.fit(values, mask, fitting)
        kinds = scheme.parameters()
        surveyed = {key: one for key, one in whole.items() if kinds[key].whole}
        for rows in (slice(0, 1), slice(5, 8), slice(32, 33)):
            own = scheme.fit(values[rows], mask[rows], fitting, surveyed)
            for key, kind in kinds.items():
                wanted = whole[key] if kind.whole else whole[key][rows]
                assert np.array_equal(own[key], wanted), (scheme, key)


@each_scheme
@pytest.mark.parametrize("largest", [3e38, 1e30, 1e-30, 1e-38, 1e-44])
def test_the_ends_of_float32_are_fitted_or_refused(name: str, largest: float) -> None:
    values = _values("outlier", (8, 64))
    values *= np.float32(largest / 50)
    values[3] = 0
    values[4, 7] = np.float32(largest)
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        for fitting in _fittings(name):
            with contextlib.suppress(UnsupportedError):
                parameters = _fitted(scheme, values, None, fitting)
                assert all(np.isfinite(one).all() for one in parameters.values())
                codes = scheme.encode(values, parameters, fitting)
                assert not np.isnan(scheme.decode(codes, parameters)).any()


@each_scheme
def test_what_is_asked_for_is_what_a_file_may_say(name: str) -> None:
    cls = SCHEMES[name]
    asked = 0
    for bits in (None, *range(1, 9)):
        for size in (None, 16, "channel", "tensor"):
            with contextlib.suppress(UsageError):
                scheme = cls.asked(Wanted(bits=bits, group_size=size))
                assert cls.restored(scheme.settings()) == scheme
                assert size in (None, scheme.group_size)
                asked += 1
    assert asked >= 4


@each_scheme
def test_an_option_that_a_scheme_does_not_have_is_refused_by_name(name: str) -> None:
    options: dict[str, Any] = {"symmetric": True, "center": "none", "element": "e4m3"}
    said = [_refusal(name, key, value) for key, value in options.items()]
    refused = [error for error in said if error is not None]
    assert refused
    assert {error.where for error in refused} <= options.keys()
    assert all(error.hint and f"is no option of {name}" in error.message for error in refused)


def _refusal(name: str, key: str, value: Any) -> UsageError | None:
    try:
        SCHEMES[name].asked(Wanted(**{key: value, "bits": 4 if name == "integer" else None}))
    except UsageError as error:
        return error
    return None


@each_scheme
def test_a_group_that_is_pruned_away_has_parameters(name: str) -> None:
    values = np.zeros((4, 32), np.float32)
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**drawn)
        parameters = _fitted(scheme, values, np.ones((4, 32), np.bool_))
        if not scheme.parameters()["scale"].bits:
            assert (parameters["scale"] == 1).all(), scheme
        assert np.isfinite(scheme.decode(scheme.encode(values, parameters), parameters)).all()


@pytest.mark.parametrize(
    "name",
    [name for name, made in SENSIBLE.items() if "tensor" in (one["group_size"] for one in made)],
)
def test_pieces_of_a_group_combine_to_the_same_parameters(name: str) -> None:
    """As a group that is a whole tensor is seen, tile by tile."""
    combine = {"sum": np.add, "min": np.minimum, "max": np.maximum}
    values = _values("outlier", (8, 32))
    for drawn in SENSIBLE[name]:
        scheme = SCHEMES[name](**{**drawn, "group_size": "tensor"})
        found: Parameters = {}
        for turn in range(scheme.rounds):
            pieces = [
                scheme.observe(turn, values[at : at + 2].reshape(1, 1, -1), None, found)
                for at in (4, 0, 6, 2)
            ]
            together = pieces[0]
            for piece in pieces[1:]:
                together = {
                    key: combine[scheme.reductions[key]](together[key], piece[key])
                    for key in together
                }
            found = scheme.conclude(turn, together, found, FORMULA)
        whole = scheme.fit(values.reshape(1, -1), None)
        for key, wanted in whole.items():
            assert np.allclose(found[key], wanted, rtol=1e-2 if "F32" not in str(drawn) else 1e-6)


def test_every_scheme_is_what_some_pass_makes() -> None:
    info = TensorInfo("a.weight", DTYPES["F32"], (16, 64), 4096)
    made = set()
    for cls in configs.PASSES.values():
        for config in configs.covering(cls):
            form = cls.from_config(config).becomes(info, Form(info.dtype), Limits())
            if isinstance(form, Form) and form.scheme is not None:
                made.add(form.scheme.id)
    assert made == set(SCHEMES)


@FEW
@given(st.data())
def test_a_scheme_never_writes_into_what_it_is_given(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SCHEMES)))
    scheme = SCHEMES[name](**data.draw(st.sampled_from(SENSIBLE[name])))
    values = _values("normal", (5, 32))
    mask = _values("outlier", (5, 32)) > 1
    values[mask] = 0
    for array in (values, mask):
        array.setflags(write=False)
    parameters = _fitted(scheme, values, mask)
    for array in parameters.values():
        array.setflags(write=False)
    codes = scheme.encode(values, parameters)
    codes.setflags(write=False)
    decoded = scheme.decode(codes, parameters)
    decoded[0, 0] = 7
    assert scheme.decode(codes, parameters)[0, 0] != 7
