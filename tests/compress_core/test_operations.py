"""Compress, plan, restore: whole runs over files and folders, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress_core import (
    Settings,
    Spec,
    compress,
    from_config,
    open_logical,
    plan,
    plan_restore,
    restore,
)
from compress_core.errors import (
    InputError,
    NonFiniteError,
    OutputError,
    OutputExistsError,
    UnmatchedError,
    UnsupportedError,
    UsageError,
)
from compress_core.report import Report
from compress_core.tiling import LEAST_MEMORY

Arrays = dict[str, NDArray[Any]]

INT4 = {"pass": "quantize", "bits": 4, "group_size": 16}
HALF = {"pass": "prune", "sparsity": 0.5}
GLOBAL = {**HALF, "scope": "global"}


def spec(*passes: dict[str, Any], **output: Any) -> Spec:
    return from_config({"version": 1, "passes": list(passes), "output": output})


def tensors() -> Arrays:
    rng = np.random.default_rng(11)
    found: Arrays = {
        f"layers.{layer}.{word}_proj.weight": (
            rng.standard_normal((48, 64)) * (layer + 1) * 0.1
        ).astype(np.float32 if word == "up" else np.float16)
        for layer in (0, 1, 2)
        for word in ("up", "down")
    }
    found["norm.weight"] = np.ones(64, np.float32)
    found["ids"] = np.arange(10)
    return found


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "in.safetensors"
    save_file(tensors(), path, metadata={"format": "pt", "note": "kept"})
    return path


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="np") as opened:
        return opened.metadata() or {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards whose order is not that of the names in them, and side files."""
    found = tmp_path / "checkpoint"
    found.mkdir()
    weight_map: dict[str, str] = {}
    for shard, layer in enumerate((2, 0, 1), start=1):
        name = f"model-{shard:05d}-of-00003.safetensors"
        own = {key: array for key, array in tensors().items() if f"layers.{layer}." in key}
        if shard == 3:
            own |= {key: array for key, array in tensors().items() if "layers" not in key}
        save_file(own, found / name, metadata={"format": "pt", "shard": str(shard)})
        weight_map |= dict.fromkeys(own, name)
    total = sum(array.nbytes for array in tensors().values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (found / "model.safetensors.index.json").write_text(json.dumps(index))
    (found / "config.json").write_text('{"vocab_size": 48, "hidden_size": 64}')
    (found / "tokenizer").mkdir()
    (found / "tokenizer" / "vocab.txt").write_text("a\nb\n")
    (found / "pytorch_model.bin").write_bytes(b"left where it is")
    return found


def restored(small: Path, tmp_path: Path) -> Arrays:
    dense = tmp_path / f"{small.name}.dense"
    restore(small, dense, Settings(replace=True))
    if dense.is_dir():
        files = sorted(dense.glob("*.safetensors"))
        return {name: array for file in files for name, array in load_file(file).items()}
    return load_file(dense)


def by_name(report: Report) -> dict[str, str]:
    return {tensor.name: tensor.to for tensor in report.tensors}


def weight_names() -> list[str]:
    return [name for name in tensors() if "layers" in name]


def test_pruning_before_quantizing_zeroes_exactly_what_pruning_alone_zeroes(
    weights: Path, tmp_path: Path
) -> None:
    compress(weights, tmp_path / "p", spec(HALF))
    compress(weights, tmp_path / "pq", spec(HALF, INT4))
    alone, both = restored(tmp_path / "p", tmp_path), restored(tmp_path / "pq", tmp_path)
    for name in weight_names():
        assert np.count_nonzero(alone[name] == 0) == alone[name].size // 2
        assert (both[name][alone[name] == 0] == 0).all()


def test_quantizing_before_pruning_prunes_what_the_codes_decode_to(
    weights: Path, tmp_path: Path
) -> None:
    compress(weights, tmp_path / "q", spec(INT4))
    compress(weights, tmp_path / "qp", spec(INT4, {**HALF, "scope": "tensor"}))
    coded, pruned = restored(tmp_path / "q", tmp_path), restored(tmp_path / "qp", tmp_path)
    for name in weight_names():
        zero = pruned[name] == 0
        assert np.count_nonzero(zero) == zero.size // 2
        assert np.array_equal(pruned[name][~zero], coded[name][~zero])
        assert np.abs(coded[name][zero]).max() <= np.abs(coded[name][~zero]).min()


def test_a_second_prune_counts_the_zeros_of_the_first(weights: Path, tmp_path: Path) -> None:
    once = spec({**HALF, "sparsity": 0.6})
    twice = spec({**HALF, "sparsity": 0.3}, {**HALF, "sparsity": 0.6})
    compress(weights, tmp_path / "once", once)
    report = compress(weights, tmp_path / "twice", twice)
    one, two = restored(tmp_path / "once", tmp_path), restored(tmp_path / "twice", tmp_path)
    assert all(np.array_equal(one[name], two[name]) for name in weight_names())
    assert by_name(report)["layers.0.up_proj.weight"] == "sparse"


def test_a_structured_prune_after_an_unstructured_one_zeroes_both(
    weights: Path, tmp_path: Path
) -> None:
    rows = {"pass": "prune", "sparsity": 0.25, "structure": "row"}
    compress(weights, tmp_path / "both", spec(HALF, rows))
    compress(weights, tmp_path / "half", spec(HALF))
    both, half = restored(tmp_path / "both", tmp_path), restored(tmp_path / "half", tmp_path)
    for name in weight_names():
        gone = ~both[name].any(axis=1)
        assert np.count_nonzero(gone) == 12
        assert np.array_equal(both[name][~gone], half[name][~gone])


def test_rules_give_tensors_their_own_options(weights: Path, tmp_path: Path) -> None:
    rules = [{"match": "*.down_proj", "bits": 8}, {"match": "layers.0.*", "bits": 2}]
    report = compress(weights, tmp_path / "out", spec({**INT4, "rules": rules}))
    found = by_name(report)
    assert found["layers.0.down_proj.weight"] == "int8 g16"
    assert found["layers.0.up_proj.weight"] == "int2 g16"
    assert found["layers.1.up_proj.weight"] == "int4 g16"
    errors = {tensor.name: tensor.measured.error for tensor in report.tensors if tensor.measured}
    assert errors["layers.0.down_proj.weight"] < 0.01 < errors["layers.1.up_proj.weight"] < 0.2
    assert errors["layers.0.up_proj.weight"] > 0.25


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 0.5},
        {"sparsity": 0.3, "structure": "column", "norm": "l1"},
        {"sparsity": 0.7, "structure": "4x4"},
        {"sparsity": 0.4, "method": "random", "seed": 3},
    ],
)
def test_a_global_share_is_the_same_over_a_file_and_over_its_shards(
    options: dict[str, Any], weights: Path, folder: Path, tmp_path: Path
) -> None:
    asked = spec({"pass": "prune", "scope": "global", **options})
    compress(weights, tmp_path / "one", asked)
    compress(folder, tmp_path / "many", asked)
    one, many = restored(tmp_path / "one", tmp_path), restored(tmp_path / "many", tmp_path)
    assert one.keys() == many.keys()
    assert all(np.array_equal(one[name], many[name]) for name in one)
    zeros = {name: np.mean(one[name] == 0) for name in weight_names()}
    if "method" not in options:
        assert zeros["layers.0.up_proj.weight"] > zeros["layers.2.up_proj.weight"]


def test_ties_of_a_global_share_do_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    names = ["b.weight", "a.weight", "c.weight"]
    array = np.sign(np.random.default_rng(1).standard_normal((20, 30))).astype(np.float16)
    save_file(dict.fromkeys(names, array), tmp_path / "one.safetensors")
    folder = tmp_path / "folder"
    folder.mkdir()
    weight_map = {}
    for at, name in enumerate(["c.weight", "a.weight", "b.weight"]):
        save_file({name: array}, folder / f"{at}.safetensors")
        weight_map[name] = f"{at}.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    asked = spec({**GLOBAL, "sparsity": 0.45})
    compress(tmp_path / "one.safetensors", tmp_path / "one", asked)
    compress(folder, tmp_path / "many", asked)
    one, many = restored(tmp_path / "one", tmp_path), restored(tmp_path / "many", tmp_path)
    assert all(np.array_equal(one[name], many[name]) for name in names)
    assert not one["c.weight"].any()
    assert np.count_nonzero(one["b.weight"] == 0) == 210
    assert not one["b.weight"].reshape(-1)[390:].any(), "the higher index goes first"
    assert one["a.weight"].all()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.safetensors"
    found = tensors()
    found["layers.1.up_proj.weight"][40, 3] = np.nan
    save_file(found, path)
    return path


def test_a_tensor_that_is_not_finite_is_refused_by_name(broken: Path, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match=r"tensor layers\.1\.up_proj\.weight holds") as caught:
        compress(broken, tmp_path / "out", spec(INT4))
    assert caught.value.where == str(broken)
    assert "--on-nonfinite keep" in (caught.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_a_tensor_that_is_not_finite_may_be_kept_and_that_is_said(
    broken: Path, tmp_path: Path
) -> None:
    report = compress(broken, tmp_path / "out", spec(GLOBAL), Settings(on_nonfinite="keep"))
    kept = {tensor.name: tensor.kept_because for tensor in report.tensors}
    assert kept["layers.1.up_proj.weight"] == "holds NaN, infinity or numbers beyond float32"
    assert kept["layers.0.up_proj.weight"] is None
    after = restored(tmp_path / "out", tmp_path)
    before = load_file(broken)
    name = "layers.1.up_proj.weight"
    assert before[name].tobytes() == after[name].tobytes()
    others = [one for one in weight_names() if one != name]
    assert sum(np.count_nonzero(after[one] == 0) for one in others) == 5 * 48 * 64 // 2


def test_a_tensor_that_is_not_finite_and_not_asked_for_harms_nobody(
    broken: Path, tmp_path: Path
) -> None:
    report = compress(broken, tmp_path / "out", spec({**INT4, "ignore": ["layers.1.*"]}))
    assert report.totals.measured is not None
    assert report.totals.measured.error < 0.2


@pytest.mark.parametrize("passes", [[INT4], [HALF], [GLOBAL], [INT4, GLOBAL]])
def test_a_plan_that_calls_itself_exact_is_right_when_odd_tensors_are_kept(
    passes: list[dict[str, Any]], broken: Path, tmp_path: Path
) -> None:
    settings = Settings(on_nonfinite="keep")
    promised = plan(broken, spec(*passes), settings)
    written = compress(broken, tmp_path / "out", spec(*passes), settings).totals.bytes_out
    if promised.totals.exactness == "exact":
        assert promised.totals.bytes_out == written
    assert promised.totals.bytes_out >= written
    assert plan(broken, spec(*passes), settings, exact=True).totals.bytes_out == written


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("passes", [[INT4], [GLOBAL], [GLOBAL, INT4], [INT4, HALF], []])
def test_a_plan_that_measures_has_the_errors_of_the_run(
    passes: list[dict[str, Any]], jobs: int, folder: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    settings = Settings(jobs, max_memory=LEAST_MEMORY)
    planned = plan(folder, spec(*passes), settings, measure=True)
    assert sorted(tmp_path.rglob("*")) == before
    done = compress(folder, tmp_path / "out", spec(*passes))
    assert planned.tensors == done.tensors
    assert planned.totals == done.totals
    assert planned.files == done.files
    assert (planned.kind, planned.has_errors, done.peak_bytes) == ("plan", True, None)


def test_a_plan_that_measures_refuses_what_the_run_refuses(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NonFiniteError, match=r"layers\.1\.up_proj\.weight"):
        plan(broken, spec(INT4), measure=True)
    collides: Arrays = {"x.weight": np.ones((64, 64), np.float32), "x.weight.codes": np.ones(3)}
    save_file(collides, broken)
    monkeypatch.setattr("compress_core.engine.Run.settle", lambda _: pytest.fail("data were read"))
    with pytest.raises(UsageError, match=r"x\.weight\.codes"):
        plan(broken, spec(INT4), measure=True)


def test_what_no_pass_takes_is_listed_with_its_reason(tmp_path: Path) -> None:
    source = tmp_path / "in.safetensors"
    odd: Arrays = {
        "ids": np.arange(12).reshape(3, 4),
        "mask": np.ones((4, 4), np.bool_),
        "none": np.zeros((0, 8), np.float32),
        "one": np.array(2, np.float32),
        "tiny.weight": np.ones((2, 2), np.float16),
        "bias": np.ones(8, np.float32),
    }
    save_file(odd, source)
    report = compress(source, tmp_path / "out", spec({"pass": "quantize", "bits": 8}))
    assert {tensor.name: tensor.kept_because for tensor in report.tensors} == {
        "ids": "no float weight (I64)",
        "mask": "no float weight (BOOL)",
        "none": "empty",
        "one": "0-D",
        "tiny.weight": "int8 channel would not be smaller",
        "bias": "1-D",
    }
    assert "no tensor is selected: the output is a copy" in report.notes
    after = load_file(tmp_path / "out")
    assert all(np.array_equal(after[name], array) for name, array in odd.items())


def test_a_pruned_tensor_whose_zeros_save_nothing_is_stored_as_it_is(
    weights: Path, tmp_path: Path
) -> None:
    report = compress(weights, tmp_path / "out", spec({**HALF, "sparsity": 0.01}))
    assert report.totals.tensor_bytes_out == report.totals.tensor_bytes_in
    assert list(load_file(tmp_path / "out")) == list(load_file(weights))
    assert report.totals.zeros


def test_parts_that_would_have_the_name_of_a_tensor_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.safetensors"
    save_file({"a": np.ones((16, 64), np.float32), "a.codes": np.ones((3, 3), np.int32)}, source)
    with pytest.raises(UsageError, match=r"two parts .* called a\.codes") as caught:
        plan(source, spec(INT4))
    assert caught.value.hint == "leave one of them alone: --ignore 'a'"
    with pytest.raises(UsageError, match=r"two parts .* called a\.codes"):
        compress(source, tmp_path / "out", spec(INT4))
    assert not (tmp_path / "out").exists()
    compress(source, tmp_path / "out", spec(INT4, layout="dense"))


def test_parts_may_not_have_the_name_of_a_tensor_in_another_shard_either(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    save_file({"a": np.ones((16, 64), np.float32)}, folder / "1.safetensors")
    save_file({"a.codes": np.ones((3, 3), np.int32)}, folder / "2.safetensors")
    weight_map = {"a": "1.safetensors", "a.codes": "2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(UsageError, match=r"two parts .* called a\.codes"):
        compress(folder, tmp_path / "out", spec(INT4))
    assert not (tmp_path / "out").exists()


def test_a_compressed_file_is_not_compressed_again(weights: Path, tmp_path: Path) -> None:
    compress(weights, tmp_path / "small", spec(INT4))
    with pytest.raises(UnsupportedError, match="already quantized: modelopt packed") as caught:
        compress(tmp_path / "small", tmp_path / "smaller", spec(HALF))
    assert isinstance(caught.value, InputError)
    assert "modelopt restore" in (caught.value.hint or "")


def test_codes_of_other_tools_are_not_taken_for_weights(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')
    with pytest.raises(UnsupportedError, match="already quantized: gptq"):
        compress(folder, tmp_path / "out", spec(INT4))
    with pytest.raises(UnsupportedError, match=r"quantized by another tool, .*: gptq"):
        restore(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_becomes_a_folder_with_all_that_belongs_to_it(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "small"
    report = compress(folder, target, spec(INT4), Settings(jobs=2))
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    shards = [f"model.packed-{shard:05d}-of-00003.safetensors" for shard in (1, 2, 3)]
    index = "model.packed.safetensors.index.json"
    assert found == sorted(["config.json", "tokenizer/vocab.txt", index, *shards])
    assert (target / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert report.files == {name: (target / name).stat().st_size for name in [*shards, index]}
    assert report.totals.bytes_out == sum(report.files.values())
    assert plan(folder, spec(INT4)).files == report.files
    assert any("pytorch_model.bin" in note for note in report.notes)
    said = json.loads((target / index).read_text())
    held = {name: load_file(target / name) for name in shards}
    assert said["weight_map"] == {part: name for name, own in held.items() for part in own}
    assert said["metadata"]["total_size"] == report.totals.tensor_bytes_out
    for shard, name in enumerate(shards, start=1):
        strings = metadata_of(target / name)
        assert (strings["format"], strings["shard"]) == ("pt", str(shard))


def test_a_folder_comes_back_as_it_was(folder: Path, tmp_path: Path) -> None:
    compress(folder, tmp_path / "small", spec(GLOBAL))
    report = restore(tmp_path / "small", tmp_path / "dense", Settings(jobs=3))
    names = [f"model-{shard:05d}-of-00003.safetensors" for shard in (1, 2, 3)]
    for name in names:
        before, after = load_file(folder / name), load_file(tmp_path / "dense" / name)
        assert list(before) == list(after)
        assert all(
            (after[k].dtype, after[k].shape) == (v.dtype, v.shape) for k, v in before.items()
        )
        assert metadata_of(tmp_path / "dense" / name) == metadata_of(folder / name)
    one, other = (
        json.loads((place / "model.safetensors.index.json").read_text())
        for place in (folder, tmp_path / "dense")
    )
    assert one == other
    assert report.totals.tensor_bytes_out == one["metadata"]["total_size"]


@pytest.mark.parametrize("passes", [[INT4], [HALF, INT4], [GLOBAL], []])
def test_what_restore_would_write_is_known_from_headers_to_the_byte(
    passes: list[dict[str, Any]], weights: Path, folder: Path, tmp_path: Path
) -> None:
    for source in (weights, folder):
        small, dense = tmp_path / f"{source.name}.small", tmp_path / f"{source.name}.dense"
        compress(source, small, spec(*passes))
        promised = plan_restore(small)
        report = restore(small, dense)
        assert (promised.kind, promised.totals.exactness) == ("plan", "exact")
        assert sorted(promised.files.values()) == sorted(report.files.values())
        assert promised.totals.bytes_out == report.totals.bytes_out
        sizes = [path.stat().st_size for path in ([dense] if dense.is_file() else dense.iterdir())]
        assert report.totals.bytes_out <= sum(sizes)
        assert by_name(promised) == by_name(report)


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("size", [1, 3000, 9000, 20_000, 10**9])
def test_shards_are_filled_up_to_the_size_that_was_asked_for(
    size: int, layout: str, folder: Path, tmp_path: Path
) -> None:
    asked = spec(INT4, layout=layout, shard_size=f"{size} B")
    report = compress(folder, tmp_path / "out", asked)
    assert plan(folder, asked).files == report.files
    shards = sorted((tmp_path / "out").glob("*.safetensors"))
    assert len(shards) >= max(1, report.totals.tensor_bytes_out // max(size, 9000) // 2)
    owners: dict[str, set[str]] = {}
    for shard in shards:
        own = load_file(shard)
        for part in own:
            owners.setdefault(next(n for n in tensors() if part.startswith(n)), set()).add(
                shard.name
            )
        held = sum(array.nbytes for array in own.values())
        assert held <= size or len({part.rpartition("_proj")[0] for part in own}) == 1
    assert all(len(files) == 1 for files in owners.values()), "a tensor was torn apart"
    assert owners.keys() == tensors().keys()
    stem = "model.packed" if layout == "packed" else "model"
    if len(shards) == 1:
        assert [shard.name for shard in shards] == [f"{stem}.safetensors"]
        assert not list((tmp_path / "out").glob("*.index.json"))
    after = restored(tmp_path / "out", tmp_path)
    assert after.keys() == tensors().keys()


def test_side_files_can_be_left_where_they_are(folder: Path, tmp_path: Path) -> None:
    compress(folder, tmp_path / "out", spec(INT4, copy_side_files=False))
    assert not (tmp_path / "out" / "tokenizer").exists()
    assert not (tmp_path / "out" / "config.json").exists()


def test_an_output_that_exists_is_replaced_only_when_asked(weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        compress(weights, target, spec(INT4))
    with pytest.raises(OutputExistsError):
        restore(weights, target)
    assert target.read_bytes() == b"precious"
    compress(weights, target, spec(INT4, on_exists="replace"))
    assert target.stat().st_size > 1000
    compress(weights, target, spec(HALF), Settings(replace=True))
    with open_logical(target) as reader:
        assert {str(form) for form in reader.forms.values()} == {"sparse"}


@pytest.mark.parametrize("there", [False, True])
def test_only_a_batch_can_resume(broken: Path, tmp_path: Path, there: bool) -> None:
    target = tmp_path / "out"
    if there:
        target.write_bytes(b"precious")
    with pytest.raises(UsageError, match="a single run cannot resume") as caught:
        compress(broken, target, spec(GLOBAL, on_exists="resume"))
    assert caught.value.where == "output.on_exists"
    assert target.exists() == there


def test_what_may_be_replaced_need_not_be_resumed(weights: Path, tmp_path: Path) -> None:
    wanted = spec(INT4, on_exists="resume")
    assert plan(weights, wanted).kind == "plan"
    compress(weights, tmp_path / "out", wanted, Settings(replace=True))
    assert (tmp_path / "out").exists()


def test_an_output_that_exists_is_refused_before_the_data_are_read(
    broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputExistsError):
        compress(broken, tmp_path / "out", spec(GLOBAL))


def test_the_input_is_never_the_output(weights: Path, folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.safetensors"
    link.hardlink_to(weights)
    before = weights.read_bytes()
    for target in (weights, link):
        with pytest.raises(OutputExistsError):
            compress(weights, target, spec(INT4), Settings(replace=True))
    for target in (folder, folder / "inside"):
        with pytest.raises((OutputExistsError, UsageError)):
            compress(folder, target, spec(INT4), Settings(replace=True))
    assert weights.read_bytes() == before
    assert not (folder / "inside").exists()


def test_a_missing_output_folder_is_an_output_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        compress(weights, tmp_path / "absent" / "out", spec(INT4))


def test_patterns_without_a_match_are_errors_notes_or_nothing(
    weights: Path, tmp_path: Path
) -> None:
    asked = spec({**INT4, "ignore": ["lm_head"]})
    with pytest.raises(UnmatchedError, match="ignore pattern matched no tensor: lm_head"):
        compress(weights, tmp_path / "out", asked)
    assert not (tmp_path / "out").exists()
    warned = compress(weights, tmp_path / "1", asked, Settings(on_unmatched="warn"))
    assert "ignore pattern matched no tensor: lm_head" in warned.notes
    ignored = compress(weights, tmp_path / "2", asked, Settings(on_unmatched="ignore"))
    assert not any("lm_head" in note for note in ignored.notes)


def test_what_is_not_compressed_is_copied_by_restore_and_that_is_said(
    weights: Path, tmp_path: Path
) -> None:
    report = restore(weights, tmp_path / "out")
    assert "nothing is compressed: the output is a copy" in report.notes
    before, after = load_file(weights), load_file(tmp_path / "out")
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert metadata_of(tmp_path / "out") == metadata_of(weights)


def test_parts_of_a_compressed_file_are_never_copied_as_weights(
    weights: Path, tmp_path: Path
) -> None:
    compress(weights, tmp_path / "small", spec(HALF, INT4))
    with pytest.raises(UnsupportedError, match="already quantized: modelopt packed") as caught:
        compress(tmp_path / "small", tmp_path / "copy", spec())
    assert "modelopt restore" in (caught.value.hint or "")
    assert not (tmp_path / "copy").exists()


def test_a_file_of_no_tensors_goes_through(tmp_path: Path) -> None:
    source = tmp_path / "in.safetensors"
    save_file({}, source, metadata={"format": "pt"})
    report = compress(source, tmp_path / "out", spec(HALF, INT4))
    assert report.tensors == ()
    assert report.totals.measured is None
    assert metadata_of(tmp_path / "out") == {"format": "pt"}
    restore(tmp_path / "out", tmp_path / "dense")
    assert load_file(tmp_path / "dense") == {}


def test_names_of_any_length_do_not_break_the_bound_of_a_plan(tmp_path: Path) -> None:
    """What a mask costs in the header grows with its tensor's name."""
    rng = np.random.default_rng(8)
    for length in (1, 40, 120, 400):
        for share in np.linspace(0.05, 0.6, 12):
            source, target = tmp_path / "in.safetensors", tmp_path / "out"
            array = rng.standard_normal((24, 24)).astype(np.float32)
            array[rng.random(array.shape) < share] = 0
            save_file({"n" * length + str(at): array for at in range(4)}, source)
            asked = spec({"pass": "prune", "threshold": 0.0})
            promised = plan(source, asked).totals
            written = compress(source, target, asked, Settings(replace=True)).totals.bytes_out
            assert promised.exactness == "at most"
            assert promised.bytes_out >= written, (length, share)


def test_shards_do_not_break_the_bound_of_a_plan(tmp_path: Path) -> None:
    """Of a folder, every part also costs a line of the index."""
    rng = np.random.default_rng(8)
    for share in np.linspace(0.05, 0.6, 12):
        folder, target = tmp_path / "in", tmp_path / "out"
        for place in (folder, target):
            shutil.rmtree(place, ignore_errors=True)
        folder.mkdir()
        weight_map = {}
        for at in range(6):
            array = rng.standard_normal((24, 24)).astype(np.float32)
            array[rng.random(array.shape) < share] = 0
            name = f"model.layers.{at}.self_attn.q_proj.weight"
            save_file({name: array}, folder / f"{at}.safetensors")
            weight_map[name] = f"{at}.safetensors"
        index = {"weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        asked = spec({"pass": "prune", "threshold": 0.0})
        promised = plan(folder, asked).totals
        written = compress(folder, target, asked).totals.bytes_out
        assert promised.bytes_out >= written, share


def test_a_block_may_be_larger_than_any_tensor(weights: Path, tmp_path: Path) -> None:
    huge = {"pass": "prune", "sparsity": 0.5, "structure": "999999999x999999999"}
    report = compress(weights, tmp_path / "out", spec(huge))
    assert set(by_name(report).values()) == {"999999999x999999999 sparse", "kept"}


def test_a_folder_that_nothing_changes_keeps_the_names_that_loaders_look_for(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save_file({"norm.weight": np.ones(8, np.float32)}, folder / "model.safetensors")
    for asked, target in ((spec(), "copy"), (spec({"pass": "quantize", "bits": 4}), "untouched")):
        report = compress(folder, tmp_path / target, asked)
        assert [path.name for path in (tmp_path / target).iterdir()] == ["model.safetensors"]
        assert report.layout == "dense"


def test_fused_experts_are_seen_row_by_row(tmp_path: Path) -> None:
    """(experts, out, in) is (experts · out, in): every output of every expert has its own scale."""
    name = "model.layers.0.mlp.experts.gate_up_proj"
    experts = np.random.default_rng(6).standard_normal((4, 6, 32)).astype(np.float32)
    source, other = tmp_path / "fused.safetensors", tmp_path / "single.safetensors"
    save_file({name: experts}, source)
    save_file({"w": experts.reshape(24, 32)}, other)
    for layout in ("packed", "dense"):
        asked = spec(HALF, INT4, layout=layout)
        fused = compress(source, tmp_path / "out", asked, Settings(replace=True))
        single = compress(other, tmp_path / "out2", asked, Settings(replace=True))
        assert fused.totals.tensor_bytes_out == single.totals.tensor_bytes_out
        one, two = (restored(tmp_path / path, tmp_path) for path in ("out", "out2"))
        assert np.array_equal(one[name].reshape(24, 32), two["w"])
