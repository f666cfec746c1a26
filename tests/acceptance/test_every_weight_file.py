"""Weights as they lie on people's disks go through every command, and come out as safetensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.compress_core.formats.torch import assembler
from tests.compress_core.formats.torch.assembler import mapping, storage
from tests.reliability.tool import Tool, check_error

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

ROWS, COLUMNS = 64, 96


def arrays() -> Arrays:
    random = np.random.default_rng(3)
    return {
        "layers.0.up.weight": random.standard_normal((ROWS, COLUMNS), "f4"),
        "layers.0.down.weight": random.standard_normal((COLUMNS, ROWS), "f4").T,
        "layers.0.bias": random.standard_normal(ROWS, "f4"),
    }


class File:
    """A PyTorch file in the making: values that refer to data."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def tensor(self, array: Array) -> bytes:
        """A tensor with data of its own, in whatever order they are."""
        key = str(len(self.data))
        self.data[key] = (array if array.flags.c_contiguous else array.T).tobytes()
        strides = tuple(step // array.itemsize for step in array.strides)
        return assembler.tensor(storage(key, array.size), array.shape, strides)

    def state_dict(self, arrays: Arrays) -> bytes:
        return mapping({name: self.tensor(array) for name, array in arrays.items()})

    def written(self, path: Path, root: bytes) -> Path:
        path.write_bytes(assembler.zipped(root, self.data))
        return path


def write_state_dict(path: Path, arrays: Arrays) -> Path:
    file = File()
    return file.written(path, file.state_dict(arrays))


def write_trainer(path: Path, *keys: str) -> Path:
    """A trainer's checkpoint with sets of weights under ``keys``; each is one more than before."""
    file = File()
    values: dict[str | int, bytes] = {"epoch": assembler.integer(3)}
    for number, key in enumerate(keys):
        values[key] = file.state_dict({name: one + number for name, one in arrays().items()})
    moment = {"exp_avg": np.zeros(4096, "f4")}
    values["optimizer"] = mapping({"state": mapping({0: file.state_dict(moment)})})
    return file.written(path, mapping(values))


def write_folder(folder: Path) -> Path:
    """A checkpoint as older versions of transformers wrote it."""
    folder.mkdir()
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    where = dict(zip(arrays(), [shards[0], shards[0], shards[1]], strict=True))
    for shard in shards:
        held = {name: one for name, one in arrays().items() if where[name] == shard}
        write_state_dict(folder / shard, held)
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "test"}')
    (folder / "tokenizer.json").write_text("{}")
    write_state_dict(folder / "optimizer.pt", arrays())
    return folder


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """A folder with the same weights in every kind of file."""
    write_state_dict(tmp_path / "model.pt", arrays())
    named: dict[str, Any] = dict(arrays())
    np.savez(tmp_path / "stored.npz", **named)
    np.savez_compressed(tmp_path / "deflated.npz", **named)
    write_folder(tmp_path / "folder")
    return Tool(tmp_path)


SOURCES = ["model.pt", "stored.npz", "deflated.npz", "folder"]


def same(found: Arrays, expected: Arrays) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == one.dtype and np.array_equal(found[name], one)
        for name, one in expected.items()
    )


def done(tool: Tool, *arguments: str) -> str:
    """Run a command that works; what it says on stderr."""
    ran = tool.run(*arguments)
    assert ran.code == 0, ran.err
    assert "error" not in ran.err
    return ran.err


@pytest.mark.parametrize("source", ["model.pt", "stored.npz", "deflated.npz"])
def test_a_file_is_converted_value_for_value(tool: Tool, source: str) -> None:
    done(tool, "compress", source, "-o", "out.safetensors")
    assert same(load_file(tool.folder / "out.safetensors"), arrays())


def test_an_array_is_called_after_its_file(tool: Tool) -> None:
    np.save(tool.folder / "weights.npy", arrays()["layers.0.down.weight"])
    done(tool, "compress", "weights.npy", "-o", "out.safetensors")
    found = load_file(tool.folder / "out.safetensors")
    assert same(found, {"weights": arrays()["layers.0.down.weight"]})


def test_a_folder_of_bins_becomes_one_of_safetensors(tool: Tool) -> None:
    said = done(tool, "compress", "folder", "-o", "converted")
    target = tool.folder / "converted"
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert sorted(path.name for path in target.iterdir()) == sorted(
        [*shards, "model.safetensors.index.json", "config.json", "tokenizer.json"]
    )
    index = json.loads((target / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == dict(zip(arrays(), [shards[0], *shards], strict=True))
    assert same({**load_file(target / shards[0]), **load_file(target / shards[1])}, arrays())
    assert "total_size of the index is 1" in said
    assert "not copied: optimizer.pt" in said


def test_a_suffix_that_lies_is_noted(tool: Tool) -> None:
    shutil.move(tool.folder / "model.pt", tool.folder / "model.npz")
    said = done(tool, "compress", "model.npz", "-o", "out.safetensors")
    assert "called .npz, and by its content it is PyTorch" in said
    shutil.move(tool.folder / "model.npz", tool.folder / "model.safetensors")
    refused = tool.run("compress", "model.safetensors", "-o", "other.safetensors")
    check_error(refused, 3, "called .safetensors, and by its content it is PyTorch")
    assert not (tool.folder / "other.safetensors").exists()


def test_a_trainers_checkpoint_gives_its_weights_and_says_what_else_it_holds(tool: Tool) -> None:
    write_trainer(tool.folder / "last.ckpt", "model")
    for arguments in (
        ["inspect", "last.ckpt"],
        ["compress", "last.ckpt", "-o", "out.safetensors"],
    ):
        said = done(tool, *arguments)
        assert "not weights, and left out (16.00 KiB of the file): optimizer (16.00 KiB)" in said
    assert same(load_file(tool.folder / "out.safetensors"), arrays())


def test_several_sets_are_listed_and_one_is_named(tool: Tool) -> None:
    write_trainer(tool.folder / "last.pt", "model", "ema")
    for command in (["inspect", "last.pt"], ["compress", "last.pt", "-o", "out.safetensors"]):
        check_error(
            tool.run(*command),
            3,
            "several sets of weights: model (3 tensors), ema (3 tensors)",
            "--key model",
        )
    assert not (tool.folder / "out.safetensors").exists()
    done(tool, "compress", "last.pt", "--key", "ema", "-o", "out.safetensors")
    raised = {name: one + 1 for name, one in arrays().items()}
    assert same(load_file(tool.folder / "out.safetensors"), raised)


def test_a_hint_can_be_typed_as_it_is(tool: Tool) -> None:
    write_trainer(tool.folder / "last.pt", "model weights", "ema")
    ran = tool.run("inspect", "last.pt", "--key", "model")
    check_error(ran, 2, "called 'model'", "there is ema, model weights, optimizer")
    close = tool.run("inspect", "last.pt", "--key", "model weight")
    check_error(close, 2, "did you mean --key 'model weights'?")
    done(tool, "inspect", "last.pt", "--key", "model weights")


def test_tied_tensors_are_decided_once_and_come_back_as_two(tool: Tool) -> None:
    file = File()
    tied = file.tensor(arrays()["layers.0.up.weight"])
    file.written(tool.folder / "tied.pt", mapping({"embed.weight": tied, "head.weight": tied}))
    said = done(tool, "compress", "tied.pt", "-o", "plain.safetensors")
    assert "head.weight = embed.weight" in said
    both = dict.fromkeys(["embed.weight", "head.weight"], arrays()["layers.0.up.weight"])
    assert same(load_file(tool.folder / "plain.safetensors"), both)
    done(tool, "quantize", "tied.pt", "--bits", "8", "-o", "small.safetensors")
    done(tool, "restore", "small.safetensors", "-o", "back.safetensors")
    back = load_file(tool.folder / "back.safetensors")
    assert same(back, dict.fromkeys(both, back["embed.weight"]))
    size = (tool.folder / "small.safetensors").stat().st_size
    assert size < 1.2 * ROWS * COLUMNS + 1024, "one byte a weight, and once"


@pytest.mark.parametrize("source", SOURCES)
def test_what_becomes_of_weights_does_not_depend_on_their_file(tool: Tool, source: str) -> None:
    done(tool, "compress", "stored.npz", "-o", "plain.safetensors")
    found, expected = results(tool, source, "a"), results(tool, "plain.safetensors", "b")
    assert all(same(found[step], expected[step]) for step in expected)


def results(tool: Tool, source: str, mark: str) -> dict[str, Arrays]:
    """What three commands write, tensor by tensor."""
    done(tool, "prune", source, "--sparsity", "0.5", "-o", f"pruned-{mark}")
    done(tool, "quantize", source, "--bits", "4", "--group-size", "32", "-o", f"small-{mark}")
    done(tool, "restore", f"small-{mark}", "-o", f"back-{mark}")
    return {step: stored(tool.folder / f"{step}-{mark}") for step in ("pruned", "small", "back")}


def stored(path: Path) -> Arrays:
    """All tensors of a file, or of the files of a folder."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    return {name: one for file in files for name, one in load_file(file).items()}


@pytest.mark.parametrize("source", SOURCES)
def test_every_command_that_writes_nothing_takes_it(tool: Tool, source: str) -> None:
    done(tool, "quantize", source, "--bits", "4", "-o", "small")
    done(tool, "plan", source, "--pass", "quantize bits=4")
    done(tool, "inspect", "--stats", source)
    done(tool, "check", "small", "--against", source, "--max-error", "0.2", "--min-ratio", "2")
    done(tool, "compress", source, "-o", "plain")
    compared = json.loads(tool.run("diff", source, "plain", "--json").out)
    assert compared["totals"]["identical"] == len(arrays())
    assert not compared["differs"]


def test_a_batch_takes_all_kinds(tool: Tool) -> None:
    shutil.rmtree(tool.folder / "folder")
    done(tool, "batch", ".", "-O", "out", "--pass", "quantize bits=4")
    made = {path.name for path in (tool.folder / "out").glob("*.safetensors")}
    assert made == {"model.safetensors", "stored.safetensors", "deflated.safetensors"}
    found = [stored(tool.folder / "out" / name) for name in sorted(made)]
    assert all(same(one, found[0]) for one in found)
