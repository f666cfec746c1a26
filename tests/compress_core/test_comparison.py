"""Two files side by side: what differs, by how much, and that nothing else changes the answer."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

import compress_core.comparison
from compress_core import Difference, Settings, compress, diff, from_config, restore
from compress_core.difference import TensorDifference
from compress_core.errors import FormatError, InputError, UnmatchedError, UnsupportedError
from compress_core.select import Selector, Where, patterns
from compress_core.settings import Progress
from compress_core.tiling import LEAST_MEMORY

Put = Callable[..., Path]
Arrays = dict[str, NDArray[Any]]


def normal(*shape: int, seed: int = 0, dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def by_name(found: Difference) -> dict[str, TensorDifference]:
    return {tensor.name: tensor for tensor in found.tensors}


def statuses(found: Difference) -> dict[str, str]:
    return {tensor.name: tensor.status for tensor in found.tensors}


def one(found: Difference) -> TensorDifference:
    (tensor,) = found.tensors
    return tensor


@pytest.fixture
def pair(put: Put) -> Callable[..., Difference]:
    """The difference of two files that hold one tensor ``w`` each."""

    def compare(
        code: str,
        a: NDArray[Any],
        b: NDArray[Any],
        other: str | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Difference:
        shapes = {} if shape is None else {"w": shape}
        first = put("a.safetensors", {"w": (code, a)}, shapes=shapes)
        second = put("b.safetensors", {"w": (other or code, b)}, shapes=shapes)
        return diff(first, second)

    return compare


def reference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Error and largest difference, by NumPy over whole arrays."""
    wide = np.result_type(a, b, np.float32)
    delta = (a.astype(wide) - b.astype(wide)).astype(np.float64)
    norm = np.linalg.norm(a.astype(np.float64).ravel())
    return float(np.linalg.norm(delta.ravel()) / norm), float(np.abs(delta).max())


# what differs


def test_added_removed_changed_and_equal(put: Put) -> None:
    w = normal(3, 4)
    a = put("a.safetensors", {"gone": ("F32", w), "same": ("F32", w), "moved": ("F32", w)})
    b = put("b.safetensors", {"moved": ("F32", w + 1), "new": ("F32", w), "same": ("F32", w)})
    found = diff(a, b)
    assert list(statuses(found).items()) == [
        ("gone", "removed"),
        ("same", "equal"),
        ("moved", "changed"),
        ("new", "added"),
    ]
    assert found.differs
    assert [found.count(status) for status in ("added", "removed", "changed", "equal")] == [1] * 4


def test_a_file_does_not_differ_from_itself(samples: Path) -> None:
    for path in (samples / "silero_vad_16k.safetensors", samples / "fracast-bf16"):
        found = diff(path, path)
        assert not found.differs
        assert {tensor.status for tensor in found.tensors} == {"equal"}
        assert all(tensor.identical for tensor in found.tensors)
        assert found.measured is not None
        assert found.measured.error == 0


def test_what_is_identical_is_read_once_and_not_measured(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = normal(500, 700)
    a, b = (put(name, {"w": ("F32", w)}) for name in ("a.safetensors", "b.safetensors"))
    stages: list[str] = []
    monkeypatch.setattr(
        compress_core.comparison._Comparison, "_measured", lambda *_: pytest.fail("measured")
    )
    diff(a, b, Settings(progress=lambda news: stages.append(news.stage)))
    assert set(stages) == {"compare"}


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 2), st.integers(0, 3))),
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 2), st.integers(0, 3))),
)
def test_what_differs_is_the_same_both_ways(
    put: Put, ours: dict[str, tuple[int, int]], theirs: dict[str, tuple[int, int]]
) -> None:
    def file(name: str, chosen: dict[str, tuple[int, int]]) -> Path:
        tensors = {
            key: ("F32", np.full((rows, 2), v, np.float32)) for key, (rows, v) in chosen.items()
        }
        return put(name, tensors)

    a, b = file("a.safetensors", ours), file("b.safetensors", theirs)
    there, back = diff(a, b), diff(b, a)
    mirrored = {"added": "removed", "removed": "added"}
    assert statuses(back) == {
        name: mirrored.get(status, status) for name, status in statuses(there).items()
    }
    for name, tensor in by_name(there).items():
        twin = by_name(back)[name]
        assert (tensor.identical, tensor.differing) == (twin.identical, twin.differing)
        assert tensor.zeros == (twin.zeros and twin.zeros[::-1])
    filled = [
        {k: (rows, v if rows else 0) for k, (rows, v) in one.items()} for one in (ours, theirs)
    ]
    assert there.differs == back.differs == (filled[0] != filled[1])


# by how much


@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("F32", "F32"),
        ("F64", "F64"),
        ("F16", "F16"),
        ("BF16", "BF16"),
        ("F32", "BF16"),
        ("BF16", "F32"),
        ("F16", "BF16"),
        ("F64", "F32"),
        ("F32", "F8_E4M3"),
        ("F8_E5M2", "F8_E5M2"),
    ],
)
@pytest.mark.parametrize("shape", [(7,), (33, 17), (3, 70_001), (300, 700)])
def test_figures_equal_those_of_numpy(
    pair: Any, code: str, other: str, shape: tuple[int, ...]
) -> None:
    types = {
        "F64": np.float64,
        "F32": np.float32,
        "F16": np.float16,
        "BF16": ml_dtypes.bfloat16,
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
    }
    a = normal(*shape).astype(types[code])
    b = (normal(*shape) + 0.1 * normal(*shape, seed=1)).astype(types[other])
    b[..., 0] = 0
    found = one(pair(code, a, b, other))
    wide = [array.astype(np.float64) for array in (a, b)]
    error, largest = reference(
        *(x if x.dtype == np.float64 else x.astype(np.float32) for x in (a, b))
    )
    assert found.measured is not None
    assert found.measured.error == pytest.approx(error, rel=1e-12)
    assert found.measured.max_abs == largest
    assert found.measured.sqnr_db == pytest.approx(-20 * math.log10(error), rel=1e-12)
    assert found.differing == np.count_nonzero(wide[0] != wide[1])
    assert found.zeros == tuple(int(np.count_nonzero(x == 0)) for x in wide)
    assert found.status == "changed"


def test_the_total_is_over_all_floats_the_identical_ones_included(put: Put) -> None:
    same, a, b = normal(40, 50), normal(30, 50, seed=1), normal(30, 50, seed=2)
    rest = {"same": ("F32", same), "ids": ("I64", np.arange(5))}
    found = diff(
        put("a.safetensors", {"w": ("F32", a), **rest}),
        put("b.safetensors", {"w": ("F32", b), **rest}),
    )
    error, _ = reference(np.concatenate([a, same]), np.concatenate([b, same]))
    assert found.measured is not None
    assert found.measured.error == pytest.approx(error, rel=1e-12)
    totals = found.to_json()["totals"]
    assert (totals["compared"], totals["differing"]) == (3505, 1500)


@pytest.mark.parametrize(
    "passes",
    [
        [{"pass": "quantize", "bits": 4, "group_size": 32}],
        [{"pass": "prune", "sparsity": 0.5}],
        [{"pass": "prune", "structure": "2of4"}, {"pass": "quantize", "bits": 3}],
    ],
)
def test_a_packed_file_is_as_far_away_as_its_report_says(
    passes: list[dict[str, Any]], samples: Path, tmp_path: Path
) -> None:
    spec = from_config({"version": 1, "passes": passes})
    for source in (samples / "fracast.safetensors", samples / "fracast-bf16"):
        small, dense = tmp_path / f"{source.name}.small", tmp_path / f"{source.name}.dense"
        report = compress(source, small, spec)
        restore(small, dense)
        for target in (small, dense):
            found = diff(source, target)
            assert found.measured == report.totals.measured
            for tensor in report.tensors:
                twin = by_name(found)[tensor.name]
                assert twin.measured is not None
                assert twin.measured.error == (
                    0 if tensor.measured is None else tensor.measured.error
                )
                assert twin.zeros is None or twin.zeros[1] == tensor.zeros
        assert not diff(small, dense).differs


# what cannot be calculated with


def test_integers_and_flags_are_counted_and_have_no_error(pair: Any) -> None:
    a = np.array([0, 1, -5, 2**62], np.int64)
    found = one(pair("I64", a, a + np.array([0, 0, 1, 1])))
    assert (found.differing, found.measured, found.zeros) == (2, None, (1, 1))
    flags = np.array([True, False, True])
    found = one(pair("BOOL", flags, ~flags))
    assert (found.differing, found.measured, found.zeros) == (3, None, (1, 2))


def test_integers_of_two_dtypes_are_compared_exactly(pair: Any) -> None:
    a = np.array([-1, 2**63 - 1, 7], np.int64)
    b = np.array([2**64 - 1, 2**63 - 1, 7], np.uint64)
    assert one(pair("I64", a, b, "U64")).differing == 1


def test_integers_and_floats_have_nothing_to_compare(pair: Any) -> None:
    found = one(pair("I32", np.arange(4, dtype=np.int32), normal(4), "F32"))
    assert (found.status, found.differing, found.measured) == ("changed", None, None)


def test_another_shape_is_a_change_without_figures(put: Put) -> None:
    a = put("a.safetensors", {"w": ("F32", normal(2, 6))})
    b = put("b.safetensors", {"w": ("F32", normal(3, 4))})
    found = one(diff(a, b))
    assert (found.status, found.differing, found.measured) == ("changed", None, None)


def test_another_dtype_is_a_change_even_of_equal_values(pair: Any) -> None:
    values = np.arange(8, dtype=np.float32)
    found = one(pair("F32", values, values.astype(np.float16), "F16"))
    assert (found.status, found.differing) == ("changed", 0)
    assert found.measured is not None
    assert found.measured.error == 0


@pytest.mark.parametrize(("code", "bits"), [("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6)])
def test_elements_narrower_than_a_byte_are_compared_as_bits(
    pair: Any, code: str, bits: int
) -> None:
    a = np.zeros(3 * bits, np.uint8)
    b = a.copy()
    b[0], b[-1] = 1, 0x80
    found = one(pair(code, a, b, shape=(4, 6)))
    assert (found.differing, found.measured) == (2, None)
    assert found.zeros == (24, 23)  # the last one differs by its sign alone


def test_complex_numbers_are_counted(pair: Any) -> None:
    a = np.array([1 + 2j, 0, np.nan, 3], np.complex64)
    found = one(pair("C64", a, a + np.array([0, 1j, 0, 0], np.complex64)))
    assert (found.differing, found.measured, found.zeros) == (1, None, (1, 0))


# odd numbers


@pytest.mark.parametrize("dtype", ["F32", "F16", "F64"])
def test_minus_zero_equals_zero_in_value_and_not_in_bits(pair: Any, dtype: str) -> None:
    storage = {"F32": np.float32, "F16": np.float16, "F64": np.float64}[dtype]
    a = np.array([0.0, 1.0], storage)
    found = pair(dtype, a, np.array([-0.0, 1.0], storage))
    assert not found.differs
    assert (one(found).status, one(found).identical, one(found).differing) == ("equal", False, 0)
    assert one(found).zeros == (1, 1)


def test_nan_equals_nan_whatever_its_payload(pair: Any) -> None:
    a = np.array([0x7FC00000, 0x3F800000], np.uint32).view(np.float32)
    b = np.array([0xFFC00001, 0x3F800000], np.uint32).view(np.float32)
    found = pair("F32", a, b)
    assert not found.differs
    assert not one(found).identical
    assert one(found).measured is not None


@pytest.mark.parametrize("other", ["F32", "F64", "F16"])
def test_a_signalling_nan_disturbs_nobody(pair: Any, other: str) -> None:
    a = np.array([0x7F800001, 0x3F800000], np.uint32).view(np.float32)
    b = np.array([np.nan, 2], {"F32": np.float32, "F64": np.float64, "F16": np.float16}[other])
    found = one(pair("F32", a, b, other))
    assert (found.differing, found.nonfinite) == (1, 0)


def test_nan_and_infinity_in_both_are_in_no_error(pair: Any) -> None:
    a = np.array([np.nan, np.inf, -np.inf, 3, 4], np.float32)
    b = np.array([np.nan, np.inf, -np.inf, 3, 5], np.float32)
    found = one(pair("F32", a, b))
    assert (found.differing, found.nonfinite) == (1, 0)
    assert found.measured is not None
    assert found.measured.error == pytest.approx(1 / 5, rel=1e-15)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_where_a_number_became_none_there_is_no_error(pair: Any, odd: float) -> None:
    a = np.array([1, 2, 3], np.float32)
    for first, second in (
        (a, np.array([1, odd, 4], np.float32)),
        (np.array([1, odd, 4], np.float32), a),
    ):
        found = pair("F32", first, second)
        assert (one(found).differing, one(found).nonfinite) == (2, 1)
        assert one(found).measured is None
        figures = found.to_json()["totals"]
        assert (figures["error"], figures["nonfinite"]) == (None, 1)


def test_identical_tensors_with_nan_have_their_weight_in_the_total(put: Put) -> None:
    odd = np.array([np.nan, 3, np.inf], np.float32)
    a = put("a.safetensors", {"odd": ("F32", odd), "w": ("F32", np.array([4], np.float32))})
    b = put("b.safetensors", {"odd": ("F32", odd), "w": ("F32", np.array([5], np.float32))})
    found = diff(a, b)
    assert found.measured is not None
    assert found.measured.error == pytest.approx(1 / 5, rel=1e-15)


def test_differences_beyond_float32_and_sums_beyond_float64(pair: Any) -> None:
    big = np.array([3e38], np.float32)
    found = one(pair("F32", big, -big))
    assert found.measured is not None
    assert found.measured.error == pytest.approx(2)
    assert found.measured.max_abs == 2 * float(big[0])
    huge = np.array([1e200])
    found = one(pair("F64", huge, -huge))
    assert (found.differing, found.measured) == (1, None)


def test_the_smallest_difference_counts(pair: Any) -> None:
    tiny = np.array([np.float32(1e-45)])
    assert one(pair("F32", tiny, np.zeros(1, np.float32))).differing == 1


def test_scalars_and_empty_tensors(put: Put) -> None:
    empty = np.zeros((0, 4), np.float32)
    a = put(
        "a.safetensors",
        {"s": ("F32", np.array([2], np.float32)), "e": ("F32", empty)},
        shapes={"s": ()},
    )
    b = put(
        "b.safetensors",
        {"s": ("F32", np.array([3], np.float32)), "e": ("F16", empty.astype(np.float16))},
        shapes={"s": ()},
    )
    found = by_name(diff(a, b))
    assert found["s"].measured is not None
    assert found["s"].measured.error == 0.5
    assert (found["e"].status, found["e"].differing) == ("changed", 0)
    assert not diff(a, a).differs


def test_files_without_tensors(put: Put) -> None:
    empty = put("a.safetensors", {})
    found = diff(empty, empty)
    assert (found.differs, found.tensors, found.measured) == (False, (), None)


# tiles and threads


@pytest.mark.parametrize("compressed", [False, True])
def test_neither_memory_nor_threads_change_a_figure(tmp_path: Path, compressed: bool) -> None:
    shapes = {"long": (3, 100_000), "flat": (400_000,), "wide": (40, 3000), "small": (3, 3)}
    a = {name: normal(*shape) for name, shape in shapes.items()}
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(a, first)
    if compressed:
        spec = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
        compress(first, second, spec)
    else:
        save_file({name: w + normal(*w.shape, seed=1) / 8 for name, w in a.items()}, second)
    limits = (LEAST_MEMORY, LEAST_MEMORY + 10_000_000, 2 * 1024**3)
    found = [
        diff(first, second, Settings(jobs=jobs, max_memory=limit)).to_json()
        for jobs in (1, 2, 5)
        for limit in limits
    ]
    assert all(one == found[0] for one in found)


def test_a_row_that_must_be_decoded_whole_needs_its_memory(tmp_path: Path) -> None:
    source, small = tmp_path / "a.safetensors", tmp_path / "small.safetensors"
    save_file({"w": normal(2, 400_000)}, source)
    compress(
        source, small, from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    )
    with pytest.raises(UnsupportedError, match="do not fit"):
        diff(source, small, Settings(max_memory=LEAST_MEMORY))


def test_progress_ends_at_the_end_of_each_stage(put: Put) -> None:
    a = put("a.safetensors", {"w": ("F32", normal(900, 700)), "v": ("F32", normal(50))})
    b = put("b.safetensors", {"w": ("F32", normal(900, 700, seed=1)), "v": ("F32", normal(50))})
    news: list[Progress] = []
    diff(a, b, Settings(jobs=2, progress=news.append))
    assert list(dict.fromkeys(one.stage for one in news)) == ["compare", "measure"]
    for stage in ("compare", "measure"):
        done = [one.done for one in news if one.stage == stage]
        assert done == sorted(done)
        assert done[-1] == news[-1].total


def test_five_thousand_tensors_take_little_time(tmp_path: Path) -> None:
    a = {f"layers.{layer}.weight": normal(8, 8, seed=layer % 7) for layer in range(5000)}
    b = {name: w * 2 for name, w in a.items()}
    save_file(a, tmp_path / "a.safetensors")
    save_file(b, tmp_path / "b.safetensors")
    begin = time.perf_counter()
    found = diff(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert time.perf_counter() - begin < 15
    assert found.count("changed") == 5000


# files, folders, selections


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    found = tmp_path / "checkpoint"
    shutil.copytree(samples / "fracast-bf16", found)
    return found


def test_a_folder_and_a_file_with_the_same_tensors(folder: Path, tmp_path: Path, put: Put) -> None:
    with compress_core.open_weights(folder) as reader:
        tensors = {
            name: (info.dtype.code, reader.read(name, 0, info.matrix[0]).reshape(info.shape))
            for name, info in reader.infos.items()
        }
        strings = {key: v for own in reader.metadata.values() for key, v in own.items()}
    found = diff(folder, put("one.safetensors", tensors, metadata=strings))
    assert not found.differs
    assert found.config is None


def test_keys_of_config_and_metadata_are_compared(folder: Path, samples: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    dropped, changed = list(config)[:2]
    del config[dropped]
    config |= {changed: "something else", "new": 1}
    (folder / "config.json").write_text(json.dumps(config))
    found = diff(samples / "fracast-bf16", folder)
    assert found.differs
    assert {tensor.status for tensor in found.tensors} == {"equal"}
    assert found.config is not None
    assert found.config.to_json() == {"added": ["new"], "removed": [dropped], "changed": [changed]}
    assert not found.metadata


def test_metadata_of_files(put: Put) -> None:
    a = put("a.safetensors", {}, metadata={"x": "1", "y": "1", "z": "1"})
    b = put("b.safetensors", {}, metadata={"x": "1", "y": "2", "w": "1"})
    found = diff(a, b)
    assert found.differs
    assert found.metadata is not None
    assert found.metadata.to_json() == {"added": ["w"], "removed": ["z"], "changed": ["y"]}


def test_what_is_odd_about_an_input_is_told_with_its_path(folder: Path, samples: Path) -> None:
    (folder / "config.json").unlink()
    found = diff(samples / "fracast-bf16", folder)
    assert found.config is None
    assert f"{folder}: no config.json" in found.notes


def test_only_some_tensors(put: Put) -> None:
    w = normal(4, 4)
    a = put("a.safetensors", {"x.weight": ("F32", w), "y": ("F32", w)}, metadata={"k": "1"})
    b = put(
        "b.safetensors",
        {"x.weight": ("F32", w + 1), "y": ("F32", w), "z": ("I8", np.array([1], np.int8))},
    )
    assert statuses(diff(a, b, select=Selector(match=patterns(["x"])))) == {"x.weight": "changed"}
    ignoring = diff(a, b, select=Selector(ignore=patterns(["x", "z"])))
    assert statuses(ignoring) == {"y": "equal"}
    assert (ignoring.differs, ignoring.metadata) == (False, None)
    assert statuses(diff(a, b, select=Selector(where=Where(dtype=("I8",))))) == {"z": "added"}


def test_what_is_selected_in_one_file_is_compared_with_the_other_s(put: Put) -> None:
    a = put("a.safetensors", {"w": ("F32", normal(4, 4))})
    b = put("b.safetensors", {"w": ("F16", normal(4, 4).astype(np.float16))})
    for code in ("F32", "F16"):
        assert statuses(diff(a, b, select=Selector(where=Where(dtype=(code,))))) == {"w": "changed"}


def test_a_pattern_must_match_something_in_either(put: Put) -> None:
    a, b = put("a.safetensors", {"x": ("I8", np.array([1], np.int8))}), put("b.safetensors", {})
    select = Selector(match=patterns(["x", "nothing"]))
    with pytest.raises(UnmatchedError, match="nothing"):
        diff(a, b, select=select)
    assert diff(a, b, Settings(on_unmatched="warn"), select=select).notes[-1:] == (
        "match pattern matched no tensor: nothing",
    )
    assert not diff(a, b, Settings(on_unmatched="ignore"), select=select).notes


def test_what_cannot_be_read_is_an_input_error(put: Put, tmp_path: Path) -> None:
    good, bad = put("a.safetensors", {}), tmp_path / "bad.safetensors"
    bad.write_bytes(b"\0" * 20)
    for first, second in ((good, bad), (bad, good)):
        with pytest.raises(FormatError):
            diff(first, second)
    with pytest.raises(InputError, match="no such file"):
        diff(good, tmp_path / "none")


def test_the_json_form_is_standard_and_whole(put: Put) -> None:
    a = put("a.safetensors", {"z": ("F32", np.zeros(3, np.float32))}, metadata={"k": "1"})
    b = put(
        "b.safetensors", {"z": ("F32", np.ones(3, np.float32)), "n": ("I8", np.array([1], np.int8))}
    )
    found = json.loads(json.dumps(diff(a, b).to_json(), allow_nan=False))
    assert found["schema"] == "modelopt.diff/1"
    assert (found["a"]["path"], found["a"]["bytes"]) == (str(a), a.stat().st_size)
    assert found["differs"] is True
    assert found["tensors"][0] == {
        "name": "z",
        "status": "changed",
        "dtype_a": "F32",
        "dtype_b": "F32",
        "shape_a": [3],
        "shape_b": [3],
        "identical": False,
        "compared": 3,
        "differing": 3,
        "nonfinite": 0,
        "error": None,  # against nothing but zeros it is infinite
        "sqnr_db": None,
        "max_abs": 1.0,
        "zeros_a": 3,
        "zeros_b": 0,
    }
    assert {key for tensor in found["tensors"] for key in tensor} == set(found["tensors"][0])
