"""A reader written from ``docs/packed.md`` alone gets what ``modelopt restore`` writes."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress_core import Settings, __version__, compress, from_config, restore
from compress_core.errors import FormatError
from tests.independent.packed_reader import (
    Arrays,
    Tensor,
    open_file,
    read,
    read_errors,
)

Options = dict[str, Any]

FLOATS = (np.float32, ml_dtypes.bfloat16, np.float16, np.float64)
SHAPES = ((1, 1), (1, 20), (2, 3), (17, 1), (3, 33), (5, 3, 3, 3), (2, 0, 4), (9, 16), (21,), ())

PRUNED: tuple[Options, ...] = (
    {},
    {"sparsity": 0.5},
    {"sparsity": 0.93},
    {"sparsity": 0.5, "scope": "global", "method": "random", "seed": 3},
    {"sparsity": 1.0},
    {"threshold": 0.5},
    {"structure": "row", "sparsity": 0.5},
    {"structure": "row", "sparsity": 1.0},
    {"structure": "column", "sparsity": 0.4},
    {"structure": "column", "sparsity": 0.7, "scope": "global"},
    {"structure": "2x4", "sparsity": 0.6},
    {"structure": "3x5", "sparsity": 0.5},
    {"structure": "5x1", "sparsity": 0.5, "scope": "row"},
    {"structure": "2of4"},
    {"structure": "1of3"},
    {"structure": "4of8"},
    {"structure": "0of4"},
    {"structure": "6of6"},
    {"structure": "7of16"},
    {"structure": "5of24"},
)
QUANTIZED: tuple[Options, ...] = (
    {},
    {"bits": 2},
    {"bits": 3, "group_size": 7},
    {"bits": 4, "group_size": 32},
    {"bits": 8, "group_size": "tensor"},
    {"bits": 5, "group_size": 16, "scale_dtype": "bf16"},
    {"bits": 4, "group_size": 8, "symmetric": False},
    {"bits": 8, "group_size": 16, "symmetric": False},
    {"bits": 3, "group_size": "tensor", "symmetric": False},
    {"bits": 7, "symmetric": False, "scale_dtype": "f16"},
    {"bits": 4, "center": "mean"},
    {"bits": 6, "group_size": 9, "center": "mean"},
    {"bits": 8, "group_size": "tensor", "center": "mean"},
    {"bits": 1},
    {"bits": 1, "group_size": 16},
    {"bits": 1, "group_size": "tensor", "center": "none"},
    {"bits": 1, "group_size": 12, "center": "none"},
    {"bits": 4, "group_size": 16, "scale_search": "none"},
    {"bits": 4, "scale_search": "none", "scale_rule": "compressed-tensors", "symmetric": False},
    {"scheme": "ternary", "group_size": 10},
    {"scheme": "ternary", "group_size": "tensor"},
    {"scheme": "fp8"},
    {"scheme": "fp8", "element": "e5m2", "group_size": 8},
    {"scheme": "nf4", "group_size": 16},
    {"scheme": "nf4", "group_size": "tensor"},
    {"scheme": "nf4", "group_size": 2, "double_quant": True},
    {"scheme": "nf4", "group_size": "channel", "double_quant": True, "scale_search": "none"},
    {"scheme": "mxfp4"},
    {"scheme": "nvfp4"},
    {"scheme": "nvfp4", "group_size": "channel", "scale_search": "none"},
    {"scheme": "affine", "bits": 4, "group_size": 16},
    {"scheme": "affine", "bits": 3, "group_size": "channel", "scale_rule": "mlx"},
    {"scheme": "mxfp8", "scale_rule": "mlx"},
)


@dataclass(frozen=True)
class Case:
    """One run: what is done, and the dtype of its largest tensor."""

    passes: tuple[Options, ...]
    dtype: Any

    def __str__(self) -> str:
        return " + ".join(
            " ".join(str(value) for key, value in one.items() if key != "where")
            for one in self.passes
        )

    @property
    def seed(self) -> int:
        return zlib.crc32(str(self).encode())


def cases() -> list[Case]:
    """Every scheme and every structure alone, every third pair of them, and three odd orders."""
    found = []
    for number, (pruned, quantized) in enumerate(product(PRUNED, QUANTIZED)):
        passes = [{"pass": "prune", **pruned}] if pruned else []
        passes += [{"pass": "quantize", **quantized}] if quantized else []
        if len(passes) == 1 or (passes and number % 3 == 0):
            found.append(passes)
    row, some = {"pass": "prune", **PRUNED[6]}, {"pass": "prune", **PRUNED[1]}
    codes = {"pass": "quantize", **QUANTIZED[7]}
    found += [[codes, row], [some, {"pass": "prune", **PRUNED[13]}], [row, codes, some]]
    where = {"min_ndim": 1}
    return [
        Case(tuple({**one, "where": where} for one in passes), FLOATS[number % 4])
        for number, passes in enumerate(found)
    ]


CASES = cases()


def values(shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def weights(case: Case) -> Arrays:
    """Small tensors of all dtypes, a larger one, and some that no pass may touch."""
    found: Arrays = {"large": values((29, 43), case.seed).astype(case.dtype)}
    for number, shape in enumerate(SHAPES):
        dtype = FLOATS[(case.seed + number) % 4]
        found[f"small.{number}"] = values(shape, case.seed + number).astype(dtype)
    found["mlp.experts.up_proj"] = values((3, 5, 13), case.seed).astype(case.dtype)
    found["large"].reshape(-1)[::7] *= case.dtype(1e-3)
    special = np.array([np.nan, np.inf, -0.0, 1e-45], np.float32)
    special.view(np.uint32)[0] = 0xFFC12345
    found["kept.special"] = special
    found["kept.int"] = np.arange(-3, 4)
    found["kept.bool"] = np.array([[True, False, True]])
    return found


def written(folder: Path, passes: Sequence[Options], layout: str = "packed") -> Path:
    target = folder / f"{layout}.safetensors"
    spec = {"version": 1, "passes": list(passes), "output": {"layout": layout}}
    compress(
        folder / "in.safetensors", target, from_config(spec | {"select": {"ignore": ["kept.*"]}})
    )
    return target


def same_bits(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        (one[name].dtype, one[name].shape) == (other[name].dtype, other[name].shape)
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reader_agrees_with_restore(case: Case, tmp_path: Path) -> None:
    original = weights(case)
    save_file(original, tmp_path / "in.safetensors", metadata={"from": "somewhere"})
    packed = written(tmp_path, case.passes)
    found = read(packed)

    restored = tmp_path / "restored.safetensors"
    restore(packed, restored)
    assert same_bits(found, load_file(restored))
    assert open_file(packed).metadata["from"] == "somewhere"

    kept = {name: original[name] for name in original if name not in read_errors(packed)}
    assert {"kept.special", "kept.int", "kept.bool"} <= kept.keys()
    assert same_bits(kept, {name: found[name] for name in kept})

    check_errors(original, found, read_errors(packed))
    if all(one["pass"] == "prune" for one in case.passes[:-1]):
        check_zeros(found, written(tmp_path, case.passes[:-1], "dense"))

    # any loader of safetensors sees the parts
    assert same_bits(load_file(packed), open_file(packed).parts)
    with safe_open(packed, framework="np") as opened:
        assert set(opened.keys()) == open_file(packed).parts.keys()


def check_errors(before: Arrays, after: Arrays, recorded: dict[str, list[float]]) -> None:
    assert "large" in recorded
    for name, row in recorded.items():
        original, decoded = (which[name].astype(np.float64) for which in (before, after))
        difference = np.abs(original - decoded)
        assert row[0] == pytest.approx(float((difference**2).sum()), rel=1e-6)
        assert row[1] == pytest.approx(float((original**2).sum()), rel=1e-6)
        assert row[2] == pytest.approx(float(difference.max()), rel=1e-6)
        assert row[3] == np.count_nonzero(decoded == 0)


def check_zeros(found: Arrays, pruned_only: Path) -> None:
    """What the passes before the last pruned is exactly +0.0."""
    for name, dense in load_file(pruned_only).items():
        if name.startswith(("large", "small")) and dense.ndim > 0:
            gone = found[name][dense == 0]
            assert not np.frombuffer(gone.tobytes(), np.uint8).any(), name


def arrangement_of(packed: Path, name: str) -> str:
    stored = open_file(packed)
    record = json.loads(stored.metadata["modelopt.packed"])
    form, kept = record["tensors"][name]
    return Tensor(name, record["forms"][form], kept, stored.parts).arrangement


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sparsity": 0.01}, "plain"),
        ({"sparsity": 0.5}, "mask of elements"),
        ({"structure": "3x5", "sparsity": 0.5}, "mask of blocks"),
        ({"structure": "row", "sparsity": 0.5}, "mask of rows"),
        ({"structure": "column", "sparsity": 0.5}, "mask of columns"),
        ({"structure": "2of4"}, "ranks"),
        ({"structure": "16of32"}, "mask of elements"),
    ],
    ids=str,
)
@pytest.mark.parametrize("bits", [None, 8])
def test_every_arrangement_is_met(
    options: Options, expected: str, bits: int | None, tmp_path: Path
) -> None:
    save_file({"w": values((30, 64), 1)}, tmp_path / "in.safetensors")
    codes = [{"pass": "quantize", "bits": bits}] if bits else []
    packed = written_plainly(tmp_path, [{"pass": "prune", **options}, *codes])
    assert arrangement_of(packed, "w") == expected


def written_plainly(folder: Path, passes: list[Options]) -> Path:
    target = folder / "packed.safetensors"
    compress(folder / "in.safetensors", target, from_config({"version": 1, "passes": passes}))
    return target


@pytest.mark.parametrize("local", ["mask", "ranks", "codes"])
def test_tensors_that_are_called_like_parts(local: str, tmp_path: Path) -> None:
    other = np.full((4, 1), 3, np.uint8)
    save_file({"w": values((4, 8), 1), f"w.{local}": other}, tmp_path / "in.safetensors")
    packed = written_plainly(tmp_path, [{"pass": "prune", "structure": "2of4"}])
    restore(packed, tmp_path / "restored.safetensors")
    restored = load_file(tmp_path / "restored.safetensors")
    assert same_bits(read(packed), restored)
    assert np.count_nonzero(restored["w"]) == 16
    assert restored[f"w.{local}"].tolist() == other.tolist()


def first_byte(packed: Path, part: str) -> int:
    content = packed.read_bytes()
    length = int.from_bytes(content[:8], "little")
    begin: int = json.loads(content[8 : 8 + length])[part]["data_offsets"][0]
    return 8 + length + begin


@pytest.mark.parametrize("structure", ["element", "row", "column", "3x5"])
@pytest.mark.parametrize("bits", [None, 4])
def test_a_damaged_mask_is_refused(structure: str, bits: int | None, tmp_path: Path) -> None:
    save_file({"w": values((30, 64), 1)}, tmp_path / "in.safetensors")
    prune = {"pass": "prune", "structure": structure, "sparsity": 0.5}
    codes = [{"pass": "quantize", "bits": bits, "center": "mean"}] if bits else []
    packed = written_plainly(tmp_path, [prune, *codes])
    content = bytearray(packed.read_bytes())
    content[first_byte(packed, "w.mask")] ^= 1
    packed.write_bytes(content)

    with pytest.raises(FormatError, match="its mask"):
        restore(packed, tmp_path / "restored.safetensors")


@pytest.mark.parametrize("part", ["scale", "mean"])
def test_parameters_that_are_no_numbers_are_refused(part: str, tmp_path: Path) -> None:
    save_file({"w": values((30, 64), 1)}, tmp_path / "in.safetensors")
    packed = written_plainly(tmp_path, [{"pass": "quantize", "bits": 4, "center": "mean"}])
    content = bytearray(packed.read_bytes())
    at = first_byte(packed, f"w.{part}")
    content[at : at + 4] = np.float32(np.nan).tobytes()
    packed.write_bytes(content)
    with pytest.raises(FormatError, match=f"its {part} holds NaN"):
        restore(packed, tmp_path / "restored.safetensors")


def changed_record(packed: Path, key: str, value: Any) -> None:
    stored = open_file(packed)
    record = json.loads(stored.metadata["modelopt.packed"])
    record["forms"][0][key] = value
    metadata = {**stored.metadata, "modelopt.packed": json.dumps(record)}
    save_file(stored.parts, packed, metadata=metadata)


@pytest.mark.parametrize(
    ("key", "value"),
    [("dtype", ["F32"]), ("dtype", "I8"), ("shape", [64, 30]), ("sparsity", "9of8")],
)
def test_a_damaged_record_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    save_file({"w": values((30, 64), 1)}, tmp_path / "in.safetensors")
    packed = written_plainly(tmp_path, [{"pass": "quantize", "bits": 4, "center": "mean"}])
    changed_record(packed, key, value)
    with pytest.raises(FormatError):
        restore(packed, tmp_path / "restored.safetensors")


def test_unknown_members_are_ignored(tmp_path: Path) -> None:
    save_file({"w": values((30, 64), 1)}, tmp_path / "in.safetensors")
    packed = written_plainly(tmp_path, [{"pass": "quantize", "bits": 4, "center": "mean"}])
    before = read(packed)
    changed_record(packed, "future", 1)
    restore(packed, tmp_path / "restored.safetensors")
    assert same_bits(load_file(tmp_path / "restored.safetensors"), before)


def sharded(folder: Path) -> dict[str, str]:
    """Write a checkpoint of three shards; its weight map."""
    folder.mkdir()
    shards: list[Arrays] = [
        {"a.weight": values((40, 24), 1).astype(np.float32), "a.bias": values((24,), 2)},
        {"b.weight": values((40, 24), 3).astype(ml_dtypes.bfloat16)},
        {"ids": np.arange(7)},
    ]
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-00003.safetensors"
        save_file(shard, folder / name)
        weight_map |= dict.fromkeys(shard, name)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return weight_map


@pytest.mark.parametrize(("shard_size", "count"), [(None, 3), ("500 B", 4), ("1 GB", 1)])
def test_folders(shard_size: str | None, count: int, tmp_path: Path) -> None:
    weight_map = sharded(tmp_path / "model")
    spec: Options = {"version": 1, "passes": [{"pass": "quantize", "bits": 4}]}
    if shard_size:
        spec["output"] = {"shard_size": shard_size}
    packed, restored = tmp_path / "packed", tmp_path / "restored"
    compress(tmp_path / "model", packed, from_config(spec))
    restore(packed, restored)

    found = read(packed)
    assert same_bits(found, read(restored))
    assert found.keys() == weight_map.keys()
    assert set(read_errors(packed)) == {"a.weight", "b.weight"}
    files = sorted(path.name for path in packed.glob("*.safetensors"))
    if count == 1:
        assert files == ["model.packed.safetensors"]
    else:
        numbers = range(1, count + 1)
        assert files == [f"model.packed-{n:05d}-of-{count:05d}.safetensors" for n in numbers]
        check_index(packed)
    assert (packed / "config.json").read_text(encoding="utf-8") == "{}"


def check_index(folder: Path) -> None:
    text = (folder / "model.packed.safetensors.index.json").read_text(encoding="utf-8")
    index = json.loads(text)
    parts = {
        name: path.name for path in folder.glob("*.safetensors") for name in open_file(path).parts
    }
    assert index["weight_map"] == parts
    files = [open_file(path) for path in folder.glob("*.safetensors")]
    total = sum(part.nbytes for file in files for part in file.parts.values())
    assert index["metadata"]["total_size"] == total


BLOCK = re.compile(r"^```(?:json)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(root: Path) -> list[str]:
    text = (root / "docs" / "packed.md").read_text(encoding="utf-8")
    return text.split("\n## Example: ")[1:]


def matrix(block: str) -> np.ndarray[Any, Any]:
    return np.array([line.split() for line in block.splitlines()], np.float32)


@pytest.mark.parametrize("number", [0, 1])
def test_examples_of_the_page_are_real(number: int, root: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(examples(root)[number])
    texts = [block.strip() for block in blocks if block[0] in "{["]
    record, errors, header = (text.replace('"0.1.0"', f'"{__version__}"') for text in texts)
    data = next(bytes.fromhex(block) for block in blocks if re.fullmatch(r"([\da-f]{2}\s)+", block))
    shape = json.loads(record)["forms"][0]["shape"]
    save_file({"w": matrix(blocks[0]).reshape(shape)}, tmp_path / "in.safetensors")

    packed = written_plainly(tmp_path, json.loads(record)["spec"]["passes"])

    content = packed.read_bytes()
    length = int.from_bytes(content[:8], "little")
    stored = json.loads(content[8 : 8 + length])
    metadata = stored.pop("__metadata__")
    assert metadata == {"modelopt.packed": record, "modelopt.errors": errors}
    assert json.dumps(stored, separators=(",", ":")) == header
    assert content[8 + length :] == data
    assert np.array_equal(read(packed)["w"], matrix(blocks[-1]).reshape(shape))
    check_errors({"large": matrix(blocks[0])}, {"large": matrix(blocks[-1])}, one_row(packed))


def one_row(packed: Path) -> dict[str, list[float]]:
    return {"large": read_errors(packed)["w"]}


def test_bytes_do_not_depend_on_threads(tmp_path: Path) -> None:
    save_file({"w": values((700, 300), 1)}, tmp_path / "in.safetensors")
    passes = [
        {"pass": "prune", "structure": "3x5", "sparsity": 0.5},
        {"pass": "quantize", "bits": 3},
    ]
    spec = from_config({"version": 1, "passes": passes})
    for jobs in (1, 3):
        target = tmp_path / f"{jobs}.safetensors"
        compress(tmp_path / "in.safetensors", target, spec, Settings(jobs=jobs))
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "3.safetensors").read_bytes()


def test_sums_of_a_tensor_of_several_grains(tmp_path: Path) -> None:
    original = {"large": values((700, 300), 1).astype(np.float32)}
    save_file(original, tmp_path / "in.safetensors")
    packed = written_plainly(tmp_path, [{"pass": "quantize", "bits": 4, "group_size": 64}])
    restore(packed, tmp_path / "restored.safetensors")
    check_errors(original, load_file(tmp_path / "restored.safetensors"), read_errors(packed))
    assert math.prod(original["large"].shape) > 3 * 65536
