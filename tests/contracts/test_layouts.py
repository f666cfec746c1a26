"""Every layout: recognised when opened, read by any rows, and open about what it cannot do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import numpy as np
import pytest

from compress_core import compress, from_config, open_logical, open_weights, registry
from compress_core.container import PartSpec
from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.kernels.floats import narrow
from compress_core.layouts.base import Layout
from compress_core.passes.base import Pass
from compress_core.settings import Settings
from compress_core.tensors import Form, TensorInfo
from tests.contracts import configs, zoo
from tests.contracts.promises import become, is_part, output_of, place, preset_of, restored_code

LAYOUTS: dict[str, type[Layout]] = registry.all_of("layouts")
each_layout = pytest.mark.parametrize("name", LAYOUTS)


def _forms(info: TensorInfo, layout: Layout) -> list[Form]:
    """What passes make of one tensor, alone and one after the other."""
    plain = Form(info.dtype)
    made = [become(work, info, plain, layout) for work in _passes()]
    pruned = next(form for form in made if form.sparsity is not None and form.kept)
    coded = [become(work, info, pruned, layout) for work in _passes()]
    return [form for form in [*made, *coded] if form.touched]


def _passes() -> list[Pass]:
    return [
        cls.from_config(config)
        for cls in configs.PASSES.values()
        for config in configs.covering(cls)
    ]


@each_layout
def test_a_layout_says_what_it_is_and_who_reads_it(name: str) -> None:
    cls = LAYOUTS[name]
    assert issubclass(cls, Layout)
    assert cls.id == name
    assert len(cls.summary) > 10
    assert not cls.summary.endswith(".")
    assert cls.read_by
    assert cls.stem
    assert cls.__doc__


@each_layout
@pytest.mark.parametrize("shape", [(40, 64), (1, 50), (50, 1), (33, 17), (6, 4, 3, 3)])
@pytest.mark.parametrize("code", zoo.FLOATS)
def test_parts_are_named_after_their_tensor_and_bounded_by_what_is_kept(
    name: str, shape: tuple[int, ...], code: str
) -> None:
    layout = LAYOUTS[name]()
    nbytes = int(np.prod(shape)) * DTYPES[code].bits // 8
    name = "a.weight"
    info = TensorInfo(name, DTYPES[code], shape, nbytes)
    for form in _forms(info, layout):
        parts = layout.parts(info, form)
        assert parts
        assert all(part == name or is_part(part, name) for part in parts)
        assert all(isinstance(spec, PartSpec) and spec.dtype in DTYPES for spec in parts.values())
        assert layout.row_multiple(info, form) >= 1
        if form.sparsity is not None:
            bound = _size(layout, info, dataclasses.replace(form, kept=None))
            for kept in (0, info.elements // 3, info.elements):
                fitting = _kept_as_structure(form, info, kept)
                assert _size(layout, info, dataclasses.replace(form, kept=fitting)) <= bound


def _size(layout: Layout, info: TensorInfo, form: Form) -> int:
    return sum(part.nbytes for part in layout.parts(info, form).values())


def _kept_as_structure(form: Form, info: TensorInfo, kept: int) -> int:
    """The largest number of kept elements up to ``kept`` that whole rows or columns can have."""
    rows, columns = info.matrix
    side = {"row": columns, "column": rows}.get(form.sparsity.kind if form.sparsity else "", 1)
    return kept - kept % side


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Layout → what it takes."""
    return {
        name: place(tmp_path_factory.mktemp("layouts"), "shapes", name, zoo.shapes(), zoo.METADATA)
        for name in LAYOUTS
    }


@pytest.fixture
def source(name: str, sources: dict[str, Path]) -> Path:
    return sources[name]


@each_layout
@pytest.mark.parametrize("index", range(6))
def test_any_rows_of_a_tensor_read_as_the_same_rows_of_the_whole(
    name: str, index: int, source: Path, tmp_path: Path
) -> None:
    random = Random(f"{name} {index}")
    order = [random.choice(sorted(configs.PASSES)) for _ in range(1 + index % 2)]
    order = list(dict.fromkeys(order))
    passes = [
        {"pass": one, **random.choice(configs.covering(configs.PASSES[one]))} for one in order
    ]
    spec = from_config({"version": 1, "passes": passes, "output": output_of(name)})
    target = tmp_path / "small.safetensors"
    try:
        report = compress(source, target, spec)
    except UsageError:
        assert LAYOUTS[name].needs_config, "refused"
        pytest.skip("the layout does not hold it")
    with open_logical(target) as reader, open_weights(source) as original:
        cast = {tensor.name: restored_code(tensor) for tensor in report.tensors}
        assert {one: (info.dtype.code, info.shape) for one, info in reader.infos.items()} == {
            one: (cast[one], info.shape) for one, info in original.infos.items()
        }
        assert list(reader.infos) == list(original.infos)
        assert dict(reader.metadata) == dict(original.metadata)
        assert reader.size() == zoo.weights(target).stat().st_size
        stored = {tensor.name: tensor.bytes_out for tensor in report.tensors}
        assert {one: reader.stored_bytes(one) for one in reader.infos} == stored
        for one, info in reader.infos.items():
            rows, columns = info.matrix
            whole = reader.read(one, 0, rows)
            assert whole.shape == (rows, columns)
            assert whole.dtype == np.dtype(info.dtype.storage)
            assert whole.flags.writeable
            if reader.has_codes(one):
                found = reader.codes(one, 0, rows)
                values = found.scheme.decode(found.codes, found.parameters)
                assert zoo.same(narrow(values, info.dtype.code), whole), one
            for start, stop in _cuts(random, rows):
                assert zoo.same(reader.read(one, start, stop), whole[start:stop]), (one, start)


def _cuts(random: Random, rows: int) -> list[tuple[int, int]]:
    drawn = [sorted(random.choices(range(rows + 1), k=2)) for _ in range(5)]
    return [(0, 0), (rows, rows), (max(rows - 1, 0), rows), *((a, b) for a, b in drawn)]


@each_layout
def test_a_layout_does_not_recognise_weights_that_nobody_compressed(
    name: str, source: Path
) -> None:
    with open_weights(source) as reader:
        assert LAYOUTS[name].open(reader) is None


@each_layout
def test_an_input_without_passes_is_copied(name: str, source: Path, tmp_path: Path) -> None:
    spec = from_config({"version": 1, "output": output_of(name)})
    target = tmp_path / "copy.safetensors"
    report = compress(source, target, spec, Settings(jobs=2))
    before, after = zoo.read(source), zoo.read(target)
    assert after.metadata == before.metadata
    assert list(after.arrays) == list(before.arrays)
    assert all(zoo.same(after.arrays[one], array) for one, array in before.arrays.items())
    assert report.totals.measured is None
    assert report.totals.tensor_bytes_in == report.totals.tensor_bytes_out


@each_layout
def test_what_is_compressed_already_is_not_compressed_again(
    name: str, source: Path, tmp_path: Path
) -> None:
    """Of a layout that marks what it writes; one that stores plain values writes plain weights."""
    from compress_core.errors import UnsupportedError

    passes = [{"pass": "quantize", "preset": preset_of(LAYOUTS[name](allow_unread=True))}]
    spec = from_config({"version": 1, "passes": passes, "output": output_of(name)})
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    compress(source, once, spec)
    if LAYOUTS[name].keeps_values:
        assert compress(once, twice, spec).totals.measured is not None
        return
    with pytest.raises(UnsupportedError, match="already quantized"):
        compress(once, twice, spec)
    assert not twice.exists()
