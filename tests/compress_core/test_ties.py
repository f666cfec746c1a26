"""Tensors that share their data: decided once, stored once where the layout can, told always."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import compress_core
from compress_core import Settings, compress, from_config, open_logical, operations, plan, restore
from compress_core.errors import FormatError
from compress_core.opening import open_weights
from tests.compress_core.formats.torch.assembler import mapping, storage, tensor, zipped
from tests.independent import packed_reader

EMBED, HEAD, OTHER = "embed.weight", "lm_head.weight", "layer.weight"
QUANTIZE = {"pass": "quantize", "bits": 4}
RANDOM = {"pass": "prune", "sparsity": 0.5, "method": "random"}
CAST = {"pass": "cast", "to": "bf16"}
LOSSLESS = {"pass": "cast", "to": "f16", "lossless_only": True}
GLOBAL = {"pass": "prune", "sparsity": 0.3, "scope": "global"}


@pytest.fixture
def tied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose reader says that two of its three tensors share their data."""
    rng = np.random.default_rng(3)
    shared = rng.standard_normal((32, 64), dtype=np.float32)
    other = rng.standard_normal((16, 64), dtype=np.float32)
    path = tmp_path / "tied.safetensors"
    save_file({EMBED: shared, OTHER: other, HEAD: shared}, path)

    def opened(source: Path, key: str | None = None) -> Any:
        reader = open_weights(source, key)
        reader.aliases = {HEAD: EMBED} if HEAD in reader.infos else {}
        return reader

    monkeypatch.setattr(operations, "open_weights", opened)
    return path


def spec(*passes: dict[str, Any], **others: Any) -> Any:
    return from_config({"version": 1, "passes": list(passes), **others})


def stored_names(path: Path) -> list[str]:
    with safe_open(path, framework="np") as file:
        return sorted(file.keys())


@pytest.mark.parametrize(
    "passes",
    [(QUANTIZE,), (RANDOM,), (GLOBAL,), (RANDOM, QUANTIZE), (CAST,), (RANDOM, LOSSLESS)],
    ids=["int4", "random", "global", "both", "cast", "lossless"],
)
@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_both_names_stay_the_same_tensor(
    tied: Path, tmp_path: Path, passes: tuple[dict[str, Any], ...], layout: str
) -> None:
    target, back = tmp_path / "small.safetensors", tmp_path / "back.safetensors"
    report = compress(tied, target, spec(*passes, output={"layout": layout}))
    restore(target, back)
    found = load_file(back)
    assert set(found) == {EMBED, OTHER, HEAD}
    assert found[EMBED].tobytes() == found[HEAD].tobytes()
    assert found[EMBED].any()
    by_name = {one.name: one for one in report.tensors}
    assert by_name[HEAD].measured == by_name[EMBED].measured
    assert by_name[HEAD].tied_to == (EMBED if layout == "packed" else None)
    assert by_name[EMBED].tied_to is None


def test_packed_stores_one_and_an_alias(tied: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors"
    report = compress(tied, target, spec(QUANTIZE))
    assert not any(name.startswith(HEAD) for name in stored_names(target))
    assert {one.name: one.bytes_out for one in report.tensors}[HEAD] == 0
    assert report.totals.bytes_out == target.stat().st_size
    with open_logical(target) as reader:
        assert list(reader.infos) == [EMBED, OTHER, HEAD]
        assert reader.aliases == {HEAD: EMBED}
        assert reader.stored_bytes(HEAD) == 0
        assert reader.forms[HEAD] == reader.forms[EMBED]
        assert reader.read(HEAD, 3, 9).tobytes() == reader.read(EMBED, 3, 9).tobytes()
        assert reader.errors[HEAD] == reader.errors[EMBED]
    found = packed_reader.read(target)
    assert list(found) == [EMBED, OTHER, HEAD]
    assert found[HEAD].tobytes() == found[EMBED].tobytes()


def test_what_is_tied_and_kept_is_stored_once_too(tied: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors"
    compress(tied, target, spec({**QUANTIZE, "match": [OTHER]}))
    assert HEAD not in stored_names(target)
    with open_logical(target) as reader:
        info = reader.infos[HEAD]
        assert reader.read_bytes(HEAD, 0, info.nbytes) == reader.read_bytes(EMBED, 0, info.nbytes)
    restore(target, tmp_path / "back.safetensors")
    assert load_file(tmp_path / "back.safetensors")[HEAD].shape == (32, 64)


def test_the_plan_is_what_is_written(tied: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors"
    for layout in ("packed", "dense"):
        asked = spec(QUANTIZE, output={"layout": layout, "on_exists": "replace"})
        promised = plan(tied, asked, target=target).totals.bytes_out
        assert compress(tied, target, asked).totals.bytes_out == promised == target.stat().st_size


def test_a_global_prune_counts_shared_data_once(tied: Path, tmp_path: Path) -> None:
    """Zeros are as many as of a file that has the tensor under one name."""
    alone = tmp_path / "alone.safetensors"
    weights = load_file(tied)
    save_file({EMBED: weights[EMBED], OTHER: weights[OTHER]}, alone)
    zeros = {}
    for source in (tied, alone):
        report = compress(source, tmp_path / f"{source.stem}.small.safetensors", spec(GLOBAL))
        zeros[source] = {one.name: one.zeros for one in report.tensors if one.name != HEAD}
    assert zeros[tied] == zeros[alone]


def test_what_is_treated_apart_is_stored_apart_and_said(tied: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors"
    report = compress(tied, target, spec({**QUANTIZE, "ignore": [HEAD]}))
    assert HEAD in stored_names(target)
    assert any("share their data" in note and HEAD in note for note in report.notes)


def test_dense_says_that_it_stores_them_twice(tied: Path, tmp_path: Path) -> None:
    report = compress(tied, tmp_path / "d.safetensors", spec(QUANTIZE, output={"layout": "dense"}))
    assert any(f"{HEAD} = {EMBED}" in note for note in report.notes)


def pytorch(path: Path, data: Mapping[str, NDArray[np.float32]], names: Mapping[str, str]) -> None:
    """A zip of PyTorch: name → the storage that it is all of."""
    entries: dict[str | int, bytes] = {
        name: tensor(
            storage(key=key, count=data[key].size), data[key].shape, (data[key].shape[1], 1)
        )
        for name, key in names.items()
    }
    content = zipped(mapping(entries), {key: array.tobytes() for key, array in data.items()})
    path.write_bytes(content)


@pytest.fixture
def data() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(4)
    return {key: rng.standard_normal((32, 64), dtype=np.float32) for key in "012"}


def test_ties_of_pytorch(tmp_path: Path, data: dict[str, NDArray[np.float32]]) -> None:
    source, target = tmp_path / "m.bin", tmp_path / "m.safetensors"
    pytorch(source, data, {"a": "0", "b": "1", "c": "0", "d": "0"})
    report = compress(source, target, spec(QUANTIZE))
    assert {one.name: one.tied_to for one in report.tensors if one.tied_to} == {"c": "a", "d": "a"}
    assert report.totals.elements == 2 * 2048
    assert report.totals.tensor_bytes_in == 2 * 8192
    assert (report.quantized.tensors, report.quantized.elements) == (2, 2 * 2048)
    assert compress_core.plan(source, spec(QUANTIZE), measure=True).tensors == report.tensors
    check(target, "bits_per_weight", report.totals.bits_per_weight)
    check(target, "error", report.totals.measured.error if report.totals.measured else None)
    restore(target, tmp_path / "back.safetensors")
    found = load_file(tmp_path / "back.safetensors")
    assert found["a"].tobytes() == found["c"].tobytes() == found["d"].tobytes()
    assert found["b"].tobytes() != found["a"].tobytes()


def check(path: Path, metric: str, expected: float | None) -> None:
    """What a gate measures of a packed file is what its run has said."""
    (gate,) = from_config({"version": 1, "gates": [{"metric": metric, "max": 1000}]}).gates
    (verdict,) = compress_core.check([path], [gate]).verdicts
    assert verdict.now == pytest.approx(expected, rel=1e-12)


def test_another_name_alone_is_measured_as_its_tensor(
    tmp_path: Path, data: dict[str, NDArray[np.float32]]
) -> None:
    source, target = tmp_path / "m.bin", tmp_path / "m.safetensors"
    pytorch(source, data, {"a": "0", "b": "1", "c": "0"})
    compress(source, target, spec(QUANTIZE))
    found = {}
    for name in ("a", "c"):
        gates = [{"metric": "tensor_bytes", "max": "1 GB", "match": name}]
        (gate,) = from_config({"version": 1, "gates": gates}).gates
        found[name] = compress_core.check([target], [gate]).verdicts[0].now
    assert found["c"] == found["a"] > 1000


def test_the_rest_of_a_checkpoint_is_no_compression(
    tmp_path: Path, data: dict[str, NDArray[np.float32]]
) -> None:
    source, target = tmp_path / "trainer.pt", tmp_path / "m.safetensors"
    inner: dict[str | int, bytes] = {
        name: tensor(storage(key=key, count=2048), (32, 64), (64, 1))
        for name, key in (("w", "0"), ("exp_avg", "1"), ("exp_avg_sq", "2"))
    }
    root: dict[str | int, bytes] = {
        "model": mapping({"w": inner.pop("w")}),
        "optimizer": mapping({"state": mapping({0: mapping(inner)})}),
    }
    source.write_bytes(zipped(mapping(root), {key: one.tobytes() for key, one in data.items()}))
    totals = compress(source, target, spec()).totals
    assert source.stat().st_size > 3 * 8192
    assert totals.bytes_in == pytest.approx(8192, abs=2000)
    assert totals.ratio == pytest.approx(1, abs=0.2)


def test_several_names_with_another_fate_than_the_first(
    tmp_path: Path, data: dict[str, NDArray[np.float32]]
) -> None:
    source, target = tmp_path / "m.bin", tmp_path / "m.safetensors"
    pytorch(source, data, {"a": "0", "b": "0", "c": "0"})
    report = compress(source, target, spec({**QUANTIZE, "ignore": ["a"]}))
    assert {one.name: one.tied_to for one in report.tensors} == {"a": None, "b": None, "c": "b"}
    assert any("a" in note and "treated differently" in note for note in report.notes)


def test_an_index_may_part_what_a_shard_ties(
    tmp_path: Path, data: dict[str, NDArray[np.float32]]
) -> None:
    """A name of the second shard stands for what that one has, not for its namesake elsewhere."""
    folder, back = tmp_path / "m", tmp_path / "back"
    folder.mkdir()
    shards = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    pytorch(folder / shards[0], {"0": data["0"]}, {EMBED: "0"})
    pytorch(folder / shards[1], {"0": data["1"]}, {EMBED: "0", HEAD: "0"})
    index = {"metadata": {}, "weight_map": {EMBED: shards[0], HEAD: shards[1]}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    for layout in ("packed", "dense"):
        small = tmp_path / layout
        asked = spec({**QUANTIZE, "match": [EMBED]}, output={"layout": layout})
        report = compress(folder, small, asked)
        assert report.totals.tensor_bytes_in == 2 * 8192
        restore(small, back, Settings(replace=True))
        with open_logical(back) as reader:
            assert reader.read_bytes(HEAD, 0, 8192) == data["1"].tobytes()
            assert reader.read_bytes(EMBED, 0, 8192) != data["1"].tobytes()


def test_ties_of_a_folder(tmp_path: Path, data: dict[str, NDArray[np.float32]]) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    pytorch(folder / "pytorch_model.bin", data, {EMBED: "0", OTHER: "1", HEAD: "0"})
    report = compress(folder, tmp_path / "small", spec(QUANTIZE))
    assert report.totals.tensor_bytes_in == 2 * 8192
    with open_logical(tmp_path / "small") as reader:
        assert reader.aliases == {HEAD: EMBED}
        assert reader.shards[HEAD] == reader.shards[EMBED]


@pytest.mark.parametrize(
    "aliases",
    [{HEAD: "absent"}, {EMBED: OTHER}, {"a": HEAD, HEAD: EMBED}, {HEAD: 5}, [], {HEAD: HEAD}],
)
def test_damaged_aliases(tied: Path, tmp_path: Path, aliases: Any) -> None:
    target = tmp_path / "small.safetensors"
    compress(tied, target, spec(QUANTIZE))
    raw = target.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    record = json.loads(header["__metadata__"]["modelopt.packed"])
    record["aliases"] = aliases
    header["__metadata__"]["modelopt.packed"] = json.dumps(record)
    text = json.dumps(header).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    with pytest.raises(FormatError, match=r"alias|other name"):
        open_logical(target)


WANDA = {"pass": "prune", "sparsity": 0.5, "method": "wanda"}
ADMM = {"pass": "prune", "sparsity": 0.5, "method": "admm", "damping": "auto"}


def gram_file(path: Path, *names: str) -> str:
    """Gram matrices of 64 inputs that are far from alike; each name has others."""
    found = {}
    for seed, name in enumerate(names):
        random = np.random.default_rng(seed)
        inputs = random.standard_normal((300, 64)) * np.exp(2 * random.standard_normal(64))
        for part, rows in (("gram", inputs[:200]), ("held_out.gram", inputs[200:])):
            moment = (rows.T @ rows / len(rows)).astype(np.float32)
            found[f"{name.removesuffix('.weight')}.{part}"] = moment
    save_file(found, path)
    return str(path)


@pytest.mark.parametrize("step", [WANDA, ADMM], ids=["wanda", "admm auto"])
@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_a_gram_matrix_under_either_name_is_that_of_both(
    step: dict[str, Any], layout: str, tied: Path, tmp_path: Path
) -> None:
    files, reports = [], []
    for name in (EMBED, HEAD):
        target = tmp_path / f"{name}.safetensors"
        gram = gram_file(tmp_path / f"{name}.gram.safetensors", name)
        report = compress(tied, target, spec(step, gram=gram, output={"layout": layout}))
        files.append(load_file(target))
        reports.append(report)
        assert f"no Gram matrix of {OTHER}: method {step['method']} is magnitude there" in [
            note for note in report.notes if note.startswith("no Gram matrix")
        ]
        by_name = {one.name: one for one in report.tensors}
        assert by_name[EMBED].outputs is not None
        assert by_name[HEAD].outputs == by_name[EMBED].outputs
    assert reports[0].totals.outputs == reports[1].totals.outputs
    assert {name: one.tobytes() for name, one in files[0].items()} == {
        name: one.tobytes() for name, one in files[1].items()
    }
    if layout == "dense":
        plain = tmp_path / "plain.safetensors"
        compress(tied, plain, spec({"pass": "prune", "sparsity": 0.5}, output={"layout": layout}))
        assert (load_file(plain)[EMBED] != files[0][EMBED]).any()


def test_of_two_gram_matrices_the_first_decides_and_the_other_is_told(
    tied: Path, tmp_path: Path
) -> None:
    first, both = tmp_path / "first.safetensors", tmp_path / "both.safetensors"
    compress(tied, first, spec(WANDA, gram=gram_file(tmp_path / "g1.safetensors", EMBED)))
    gram = gram_file(tmp_path / "g2.safetensors", EMBED, HEAD)
    report = compress(tied, both, spec(WANDA, gram=gram))
    assert (
        f"{HEAD} and {EMBED} share their data: of their Gram matrices that of {EMBED} is used"
        in (report.notes)
    )
    before, after = load_file(first), load_file(both)
    assert {name: one.tobytes() for name, one in before.items()} == {
        name: one.tobytes() for name, one in after.items()
    }


def test_tensors_that_are_treated_differently_have_matrices_of_their_own(
    tied: Path, tmp_path: Path
) -> None:
    gram = gram_file(tmp_path / "g.safetensors", HEAD)
    steps = [{**WANDA, "match": [EMBED]}, {**WANDA, "sparsity": 0.25, "match": [HEAD]}]
    report = compress(tied, tmp_path / "o.safetensors", spec(*steps, gram=gram))
    assert f"no Gram matrix of {EMBED}: method wanda is magnitude there" in report.notes
