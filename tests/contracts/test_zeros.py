"""What is pruned stays exactly zero; what is not finite or hardly finite is refused or right."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from compress_core import compress, from_config, plan, registry, restore
from compress_core.dtypes import DTYPES
from compress_core.errors import NonFiniteError, UnsupportedError, UsageError
from compress_core.limits import Limits
from compress_core.report import Report
from compress_core.settings import Settings
from compress_core.spec import Spec
from compress_core.tensors import Form, TensorInfo
from tests.contracts import configs, zoo
from tests.contracts.promises import LAYOUTS as FOUND
from tests.contracts.promises import check_tensor, output_of, place

LAYOUTS = registry.names("layouts")
INFO = TensorInfo("a.weight", DTYPES["F32"], (33, 64), 33 * 64 * 4)


def _entries(prunes: bool) -> list[dict[str, Any]]:
    """Passes that make zeros, or that make codes."""
    found = []
    for name, cls in configs.PASSES.items():
        for config in configs.covering(cls):
            form = cls.from_config(config).becomes(INFO, Form(INFO.dtype), Limits())
            if isinstance(form, Form) and (form.sparsity if prunes else form.scheme) is not None:
                found.append({"pass": name, **config})
    return found


PAIRS = [
    pytest.param(first, second, id=f"{first['pass']}-{second['pass']}-{index}")
    for index, (first, second) in enumerate(
        (first, second)
        for first in _entries(prunes=True)
        for second in _entries(prunes=False)
        if crc32(repr((first, second)).encode()) % 12 == 0
    )
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Layout → what it takes."""
    return {
        layout: place(tmp_path_factory.mktemp("zeros"), "in", layout, _arrays(layout), {})
        for layout in LAYOUTS
    }


def _arrays(layout: str) -> zoo.Arrays:
    rng, shape = np.random.default_rng(9), _shape(layout, INFO.matrix)
    return {
        f"{code}.weight": (rng.standard_normal(shape) * 0.1 + 0.05).astype(zoo.CODES[code])
        for code in zoo.FLOATS
    }


def _shape(layout: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    """A shape that a layout takes: those for servers are particular."""
    return zoo.SERVED if FOUND[layout].needs_config else otherwise


def _spec(passes: list[dict[str, Any]], layout: str) -> Spec:
    return from_config({"version": 1, "passes": passes, "output": output_of(layout)})


def _zeros(path: Path) -> dict[str, Any]:
    return {name: array == 0 for name, array in zoo.read(path).arrays.items()}


def test_there_are_passes_of_both_kinds() -> None:
    assert len(PAIRS) >= 20


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_pruned_elements_stay_exactly_zero_in_codes(
    first: dict[str, Any], second: dict[str, Any], sources: dict[str, Path], tmp_path: Path
) -> None:
    for layout in LAYOUTS:
        pruned = tmp_path / f"{layout}.pruned.safetensors"
        compress(sources[layout], pruned, _spec([first], "dense"))
        wanted = _zeros(pruned)
        small, dense = tmp_path / f"{layout}.safetensors", tmp_path / f"{layout}.dense.safetensors"
        if _compressed(sources[layout], small, _spec([first, second], layout)) is None:
            assert FOUND[layout].needs_config, "refused"
            continue
        restore(small, dense)
        for name, zeros in _zeros(dense).items():
            assert zeros[wanted[name]].all(), (layout, name)


def _passes(*, take_nonfinite: bool) -> list[str]:
    return [name for name, cls in configs.PASSES.items() if cls.takes_nonfinite == take_nonfinite]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", _passes(take_nonfinite=True))
def test_nan_and_infinity_stay_what_they_are(name: str, layout: str, tmp_path: Path) -> None:
    arrays = {one: array for one, array in zoo.nonfinite().items() if one != "too large.weight"}
    source = place(tmp_path, "in", layout, arrays, {})
    for index, config in enumerate(configs.covering(configs.PASSES[name])):
        target, dense = tmp_path / f"{index}.safetensors", tmp_path / "dense.safetensors"
        report = compress(source, target, _spec([{"pass": name, **config}], layout))
        restore(target, dense, Settings(replace=True))
        after = zoo.read(dense).arrays
        assert report.totals.measured is None or np.isfinite(report.totals.measured.error)
        for tensor in report.tensors:
            before, found = (made[tensor.name].astype(np.float64) for made in (arrays, after))
            finite = np.isfinite(before)
            assert zoo.same(np.isnan(before), np.isnan(found)), tensor.name
            assert zoo.same(before[np.isinf(before)], found[np.isinf(before)]), tensor.name
            if tensor.measured is not None:
                error = zoo.norm(before[finite] - found[finite]) / zoo.norm(before[finite])
                assert np.isclose(tensor.measured.error, error, rtol=1e-6, atol=0), tensor.name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", _passes(take_nonfinite=False))
def test_nan_and_infinity_are_refused_by_name_or_kept_and_said(
    name: str, layout: str, tmp_path: Path
) -> None:
    arrays = zoo.nonfinite(_shape(layout, (12, 20)))
    source = place(tmp_path, "in", layout, arrays, {})
    refused, cls = 0, configs.PASSES[name]
    for index, config in enumerate([*configs.covering(cls), *configs.alone(cls)]):
        spec = _spec([{"pass": name, **config}], layout)
        target = tmp_path / f"{index}.safetensors"
        try:
            reasons = {tensor.name: tensor.kept_because for tensor in plan(source, spec).tensors}
        except UsageError:
            assert FOUND[layout].needs_config, "refused"
            continue
        if reasons["F64.nan.weight"] is not None:
            continue  # codes that would not be smaller are not even tried
        refused += 1
        with pytest.raises(NonFiniteError, match=r"tensor F64\.nan\.weight holds NaN") as caught:
            compress(source, target, spec, Settings(jobs=2))
        assert caught.value.hint == "pass --on-nonfinite keep to leave such tensors as they are"
        assert not target.exists()
        report = compress(source, target, spec, Settings(on_nonfinite="keep"))
        reasons = {tensor.name: tensor.kept_because for tensor in report.tensors}
        said = {
            one
            for one, reason in reasons.items()
            if reason == "holds NaN, infinity or numbers beyond float32"
        }
        bad = {one for one in arrays if ".good" not in one}
        assert said
        assert said <= bad
        assert all(reasons[one] is not None for one in bad)
        dense = tmp_path / "dense.safetensors"
        restore(target, dense, Settings(replace=True))
        after = zoo.read(dense).arrays
        for tensor in report.tensors:
            check_tensor(tensor, arrays[tensor.name], after[tensor.name])
        assert report.totals.measured is not None
        assert np.isfinite(report.totals.measured.error)
    assert refused >= (1 if FOUND[layout].needs_config else 5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", configs.PASSES)
def test_the_whole_range_of_every_format_is_taken_or_refused_without_a_warning(
    name: str, layout: str, tmp_path: Path
) -> None:
    source = place(tmp_path, "in", layout, zoo.huge(1.0, _shape(layout, (20, 36))), {})
    arrays = zoo.read(source).arrays
    cls = configs.PASSES[name]
    taken = 0
    tried = [*configs.covering(cls), *configs.alone(cls)]
    for index, config in enumerate(tried):
        spec = _spec([{"pass": name, **config}], layout)
        target, dense = tmp_path / f"{index}.safetensors", tmp_path / "dense.safetensors"
        report = _compressed(source, target, spec)
        if report is None:
            continue
        taken += 1
        restore(target, dense, Settings(replace=True))
        after = zoo.read(dense).arrays
        for tensor in report.tensors:
            check_tensor(tensor, arrays[tensor.name], after[tensor.name])
    # scales of 16 bits, which some loaders want, hold none of these
    assert taken >= min(5, len(tried) // 3) or FOUND[layout].needs_config


def _compressed(source: Path, target: Path, spec: Spec) -> Report | None:
    """What :func:`compress` did, or ``None`` if it refused to, with a hint."""
    try:
        return compress(source, target, spec)
    except (UnsupportedError, UsageError) as error:
        if error.hint is None or target.exists():
            raise
        return None
