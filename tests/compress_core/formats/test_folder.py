"""A checkpoint folder: which files are its weights, what goes along, and how it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from compress_core import registry
from compress_core.container import FilePlan, PartSpec, Reader
from compress_core.errors import (
    FormatError,
    InputError,
    OutputError,
    OutputExistsError,
)
from compress_core.formats.folder import CheckpointFolder
from compress_core.formats.folder.contents import is_checkpoint
from compress_core.formats.folder.writer import FolderWriter

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"


def shard(path: Path, **tensors: Any) -> Path:
    arrays = {name: np.asarray(values, "<f4") for name, values in tensors.items()}
    safetensors.numpy.save_file(arrays, path)
    return path


def index(folder: Path, weight_map: object, name: str = INDEX, **metadata: object) -> None:
    text = json.dumps({"metadata": metadata, "weight_map": weight_map})
    (folder / name).write_text(text)


def sharded(folder: Path) -> Path:
    """Two shards, an index and a config."""
    folder.mkdir(exist_ok=True)
    shard(folder / SHARDS[0], b=[[1, 2]], a=[3])
    shard(folder / SHARDS[1], c=[[4, 5], [6, 7]])
    index(folder, {"c": SHARDS[1], "a": SHARDS[0], "b": SHARDS[0]}, total_size=28)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Reader]:
    with CheckpointFolder.open(sharded(tmp_path / "in")) as reader:
        yield reader


def plans(*shards: dict[str, tuple[int, ...]], stem: str = "model") -> list[FilePlan]:
    """One plan a shard: names and shapes of F32 parts."""
    count = len(shards)
    return [
        FilePlan(
            f"{stem}-{at:05}-of-{count:05}.safetensors" if count > 1 else f"{stem}.safetensors",
            {name: PartSpec("F32", shape, "rows") for name, shape in parts.items()},
            {"hash": "0000"},
        )
        for at, parts in enumerate(shards, 1)
    ]


def write(writer: FolderWriter, files: list[FilePlan]) -> None:
    """All parts full of ones."""
    writer.begin(files)
    for plan in files:
        for name, part in plan.parts.items():
            writer.write(name, 0, np.ones(part.shape, "<f4"))
    writer.commit({})


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestReading:
    def test_shards_in_order(self, tmp_path: Path) -> None:
        folder = sharded(tmp_path / "m")
        with CheckpointFolder.open(folder) as reader:
            assert list(reader.infos) == ["a", "b", "c"]
            assert reader.shards == {"a": SHARDS[0], "b": SHARDS[0], "c": SHARDS[1]}
            assert set(reader.metadata) == set(SHARDS)
            assert reader.config == {"model_type": "llama"}
            assert reader.notes == []
            assert reader.read("c", 1, 2).tolist() == [[6, 7]]
            assert reader.read_bytes("a", 0, 4) == np.float32(3).tobytes()
            assert reader.size() == sum((folder / name).stat().st_size for name in (*SHARDS, INDEX))

    def test_single(self, tmp_path: Path) -> None:
        shard(tmp_path / "model.safetensors", a=[1])
        with CheckpointFolder.open(tmp_path) as reader:
            assert reader.shards == {"a": "model.safetensors"}
            assert reader.config is None
            assert reader.notes == ["no config.json"]

    def test_packed_single(self, tmp_path: Path) -> None:
        shard(tmp_path / "model.packed.safetensors", a=[1])
        with CheckpointFolder.open(tmp_path) as reader:
            assert reader.shards == {"a": "model.packed.safetensors"}

    def test_packed_index(self, tmp_path: Path) -> None:
        name = "model.packed-00001-of-00001.safetensors"
        shard(tmp_path / name, a=[1])
        index(tmp_path, {"a": name}, "model.packed.safetensors.index.json")
        with CheckpointFolder.open(tmp_path) as reader:
            assert reader.shards == {"a": name}

    def test_plain_before_packed(self, tmp_path: Path) -> None:
        shard(tmp_path / "model.safetensors", a=[1])
        shard(tmp_path / "model.packed.safetensors", b=[1])
        with CheckpointFolder.open(tmp_path) as reader:
            assert list(reader.infos) == ["a"]
            assert "model.packed.safetensors is not read: model.safetensors is" in reader.notes

    def test_index_before_single(self, tmp_path: Path) -> None:
        shard(sharded(tmp_path) / "model.safetensors", z=[1])
        with CheckpointFolder.open(tmp_path) as reader:
            assert "z" not in reader.infos
            assert reader.notes == [f"model.safetensors is not read: {INDEX} is"]

    def test_single_before_an_incomplete_index(self, tmp_path: Path) -> None:
        shard(sharded(tmp_path) / "model.safetensors", z=[1])
        (tmp_path / SHARDS[1]).unlink()
        with CheckpointFolder.open(tmp_path) as reader:
            assert list(reader.infos) == ["z"]
            assert reader.notes == [f"{INDEX} is not used: 1 of its shards are missing"]

    def test_shards_behind_links(self, tmp_path: Path) -> None:
        """Caches of model hubs look like this."""
        real = sharded(tmp_path / "blobs")
        snapshot = tmp_path / "snapshots" / "main"
        snapshot.mkdir(parents=True)
        for path in real.iterdir():
            (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
        with CheckpointFolder.open(snapshot) as reader:
            assert len(reader.infos) == 3

    def test_tensors_outside_the_index_are_left_out(self, tmp_path: Path) -> None:
        sharded(tmp_path)
        shard(tmp_path / SHARDS[1], c=[[4, 5], [6, 7]], stale=[1], a=[9])
        with CheckpointFolder.open(tmp_path) as reader:
            assert list(reader.infos) == ["a", "b", "c"]
            assert reader.shards["a"] == SHARDS[0]
            assert reader.notes == ["2 tensors are in a shard but not in the index: left out"]

    @pytest.mark.parametrize("total", [29, "28", [], 28.5])
    def test_wrong_total_is_a_note(self, tmp_path: Path, total: object) -> None:
        sharded(tmp_path)
        index(tmp_path, {"c": SHARDS[1]}, total_size=total)
        with CheckpointFolder.open(tmp_path) as reader:
            assert any("total_size" in note for note in reader.notes)

    @pytest.mark.parametrize("config", [b"{", b"[]", b"\xff", b"[" * 100_000])
    def test_broken_config_is_a_note(self, tmp_path: Path, config: bytes) -> None:
        (sharded(tmp_path) / "config.json").write_bytes(config)
        with CheckpointFolder.open(tmp_path) as reader:
            assert reader.config is None
            assert reader.notes[0].startswith("config.json is not used")

    def test_config_that_is_no_file(self, tmp_path: Path) -> None:
        config = sharded(tmp_path) / "config.json"
        config.unlink()
        os.mkfifo(config)
        with CheckpointFolder.open(tmp_path) as reader:
            assert "named pipe" in reader.notes[0]

    def test_config_with_infinity(self, tmp_path: Path) -> None:
        """Mamba's have one; what Python wrote, Python reads."""
        (sharded(tmp_path) / "config.json").write_text('{"limit": [0.0, Infinity]}')
        with CheckpointFolder.open(tmp_path) as reader:
            assert reader.config == {"limit": [0.0, float("inf")]}


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".safetensors",
            "../in.safetensors",
            "/in.safetensors",
            "sub/in.safetensors",
            "sub\\in.safetensors",
            "in\0.safetensors",
            "in\x1b[2J.safetensors",
            "pytorch_model.bin",
            INDEX,
            7,
            None,
        ],
    )
    def test_shard_names(self, tmp_path: Path, name: object) -> None:
        sharded(tmp_path)
        index(tmp_path, {"a": name})
        with pytest.raises(FormatError, match="'a' points to") as caught:
            CheckpointFolder.open(tmp_path)
        assert caught.value.where == str(tmp_path / INDEX)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("text", "index is not JSON"),
            ("[]", "index is not a JSON object"),
            ("{}", "weight_map of the index is not an object"),
            ('{"weight_map": []}', "weight_map of the index is not an object"),
            ('{"weight_map": {"a": "x", "a": "y"}}', "'a' stands there twice"),
        ],
    )
    def test_broken_index(self, tmp_path: Path, text: str, said: str) -> None:
        (sharded(tmp_path) / INDEX).write_text(text)
        with pytest.raises(FormatError, match=said):
            CheckpointFolder.open(tmp_path)

    def test_missing_shard_is_named(self, tmp_path: Path) -> None:
        (sharded(tmp_path) / SHARDS[1]).unlink()
        with pytest.raises(InputError, match="no such file") as caught:
            CheckpointFolder.open(tmp_path)
        assert caught.value.where == str(tmp_path / SHARDS[1])

    def test_broken_shard_is_named(self, tmp_path: Path) -> None:
        path = sharded(tmp_path) / SHARDS[1]
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(FormatError, match="cut short") as caught:
            CheckpointFolder.open(tmp_path)
        assert caught.value.where == str(path)

    def test_missing_tensor_is_named(self, tmp_path: Path) -> None:
        sharded(tmp_path)
        index(tmp_path, {"zz": SHARDS[0]})
        with pytest.raises(FormatError, match="'zz' is not in it") as caught:
            CheckpointFolder.open(tmp_path)
        assert caught.value.where == str(tmp_path / SHARDS[0])

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
    def test_shard_that_is_no_file(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        (sharded(tmp_path) / SHARDS[0]).unlink()
        make(tmp_path / SHARDS[0])
        with pytest.raises(InputError, match="not a regular file"):
            CheckpointFolder.open(tmp_path)

    def test_shard_behind_a_link_to_a_device(self, tmp_path: Path) -> None:
        (sharded(tmp_path) / SHARDS[0]).unlink()
        (tmp_path / SHARDS[0]).symlink_to("/dev/zero")
        with pytest.raises(InputError, match="a device"):
            CheckpointFolder.open(tmp_path)

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"no model\.safetensors") as caught:
            CheckpointFolder.open(tmp_path)
        assert caught.value.hint is None

    def test_other_safetensors_are_pointed_out(self, tmp_path: Path) -> None:
        path = shard(tmp_path / "adapter_model.safetensors", a=[1])
        with pytest.raises(InputError) as caught:
            CheckpointFolder.open(tmp_path)
        assert str(path) in (caught.value.hint or "")

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError):
            CheckpointFolder.open(tmp_path / "no")

    def test_handles_are_closed_after_an_error(self, tmp_path: Path) -> None:
        path = sharded(tmp_path) / SHARDS[1]
        path.write_bytes(b"")
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(InputError):
            CheckpointFolder.open(tmp_path)
        assert len(os.listdir("/dev/fd")) == before


class TestWriting:
    def test_golden_index(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        files = plans({"z": (1, 2)}, {"a.codes": (1,), "ä": (0,)}, stem="model.packed")
        sizes = writer.measure(files)
        write(writer, files)
        path = tmp_path / "out" / "model.packed.safetensors.index.json"
        assert path.read_text(encoding="utf-8") == (
            "{\n"
            '  "metadata": {\n'
            '    "total_size": 12\n'
            "  },\n"
            '  "weight_map": {\n'
            '    "a.codes": "model.packed-00002-of-00002.safetensors",\n'
            '    "z": "model.packed-00001-of-00002.safetensors",\n'
            '    "ä": "model.packed-00002-of-00002.safetensors"\n'
            "  }\n"
            "}\n"
        )
        assert sizes == {name: (tmp_path / "out" / name).stat().st_size for name in sizes}
        assert sorted(sizes) == [name for name in names(tmp_path / "out") if "packed" in name]

    def test_is_read_back(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        write(writer, plans({"a": (2, 2)}, {"b": (3,)}))
        with CheckpointFolder.open(tmp_path / "out") as reader:
            assert reader.notes == []
            assert reader.config == source.config
            assert reader.read("a", 0, 2).tolist() == [[1, 1], [1, 1]]
            assert reader.size() == sum(writer.measure(plans({"a": (2, 2)}, {"b": (3,)})).values())

    def test_one_file_has_no_index(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        write(writer, plans({"a": (2, 2)}))
        assert names(tmp_path / "out") == ["config.json", "model.safetensors"]

    def test_bytes_bits_and_metadata(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        first, second = plans({"a": (1,)}, {"b": (1,)})
        second.parts["s"] = PartSpec("U8", (1,), "stream")
        second.parts["c"] = PartSpec("U8", (2, 2), "columns")
        writer.begin([first, second])
        for column in (1, 0):
            writer.write_columns("c", column, np.full((2, 1), column, "u1"))
        writer.write_bytes("a", 0, b"\0\0\x80\x3f")
        writer.write("b", 0, np.ones(1, "<f4"))
        writer.append("s", np.array([0b101], "u1"), 3)
        writer.commit({second.name: {"hash": "beef"}})
        with CheckpointFolder.open(tmp_path / "out") as reader:
            assert reader.metadata[SHARDS[0]] == {"hash": "0000"}
            assert reader.metadata[SHARDS[1]] == {"hash": "beef"}
            assert reader.read("a", 0, 1).item() == 1
            assert reader.read("s", 0, 1).item() == 0b101
            assert reader.read("c", 0, 2).tolist() == [[0, 1], [0, 1]]

    def test_nothing_is_seen_before_commit(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        writer.begin(plans({"a": (1,)}, {"b": (1,)}))
        assert not (tmp_path / "out").exists()
        with pytest.raises(RuntimeError, match="not written"):
            writer.commit({})
        writer.abort()
        writer.abort()
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_index_is_written_last(
        self, tmp_path: Path, source: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        real = os.replace

        def record(part: Path, final: Path) -> None:
            order.append(Path(final).name)
            real(part, final)

        monkeypatch.setattr(os, "replace", record)
        write(
            CheckpointFolder.writer(tmp_path / "out", source, replace=False),
            plans({"a": (1,)}, {"b": (1,)}),
        )
        assert order == ["config.json", *SHARDS, INDEX]

    def test_replaces_a_model_whole(self, tmp_path: Path, source: Reader) -> None:
        for shards in ({"a": (1,)}, {"b": (1,)}, {"c": (1,)}), ({"a": (2,)},):
            writer = CheckpointFolder.writer(tmp_path / "out", source, replace=True)
            write(writer, plans(*shards))
        assert names(tmp_path / "out") == ["config.json", "model.safetensors"]

    def test_errors_name_the_file_as_it_will_be_called(
        self, tmp_path: Path, source: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        writer.begin(plans({"a": (1,)}))

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OutputError, match="disk full") as caught:
            writer.write("a", 0, np.ones(1, "<f4"))
        assert caught.value.where == str(tmp_path / "out" / "model.safetensors")
        writer.abort()
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_space_is_asked_for_everything(
        self, tmp_path: Path, source: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            os, "statvfs", lambda _: os.statvfs_result([1, 1, 999, 999, 999] + [0] * 5)
        )
        (tmp_path / "in" / "tokenizer.json").write_bytes(bytes(2000))
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        with pytest.raises(OutputError, match="disk full") as caught:
            writer.begin(plans({"a": (1,)}))
        assert caught.value.where == str(tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    @pytest.mark.parametrize("name", ["../x.safetensors", "x.bin", None])
    def test_names_of_files(self, tmp_path: Path, source: Reader, name: str | None) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        with pytest.raises(RuntimeError, match="no name of a weight file"):
            writer.measure([FilePlan(name)])

    def test_commit_before_begin(self, tmp_path: Path, source: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        writer.abort()
        with pytest.raises(RuntimeError):
            writer.commit({})


class TestTarget:
    @pytest.mark.parametrize("target", ["in", "in/out", "in/sub/out", "."])
    def test_input_and_output_must_be_apart(
        self, tmp_path: Path, source: Reader, target: str
    ) -> None:
        before = names(tmp_path)
        writer = CheckpointFolder.writer(tmp_path / target, source, replace=True)
        with pytest.raises(OutputExistsError):
            writer.check()
        with pytest.raises(OutputExistsError):
            writer.begin(plans({"a": (1,)}))
        assert names(tmp_path) == before

    def test_a_file_in_the_input_folder(self, tmp_path: Path, source: Reader) -> None:
        single = registry.get("formats", "safetensors")
        writer = single.writer(tmp_path / "in" / "config.json", source, replace=True)
        with pytest.raises(OutputExistsError, match="lies in the input"):
            writer.begin([FilePlan(None)])

    def test_a_hard_link_of_a_shard(self, tmp_path: Path, source: Reader) -> None:
        os.link(tmp_path / "in" / SHARDS[0], tmp_path / "hard.safetensors")
        single = registry.get("formats", "safetensors")
        writer = single.writer(tmp_path / "hard.safetensors", source, replace=True)
        with pytest.raises(OutputExistsError, match="is the input"):
            writer.begin([FilePlan(None)])

    def test_existing_needs_replace(self, tmp_path: Path, source: Reader) -> None:
        sharded(tmp_path / "out")
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        with pytest.raises(OutputExistsError, match="exists"):
            writer.begin(plans({"a": (1,)}))


class TestSideFiles:
    @pytest.fixture
    def crowded(self, tmp_path: Path, source: Reader) -> Reader:
        folder = tmp_path / "in"
        for name in ("tokenizer.json", "README.md", "sub/vocab.txt", "sub/deep/er.txt"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        for name in ("optimizer.pt", "Flax.MSGPACK", "onnx/model.onnx", ".hidden", ".git/HEAD"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("stays")
        return source

    def test_go_along(self, tmp_path: Path, crowded: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", crowded, replace=False)
        write(writer, plans({"a": (1,)}))
        assert names(tmp_path / "out") == [
            "README.md",
            "config.json",
            "model.safetensors",
            "sub/deep/er.txt",
            "sub/vocab.txt",
            "tokenizer.json",
        ]
        for name in ("config.json", "sub/deep/er.txt"):
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()

    def test_what_is_left_out_is_told(self, tmp_path: Path, crowded: Reader) -> None:
        """Not the weights that are read: they do not stay behind."""
        writer = CheckpointFolder.writer(tmp_path / "out", crowded, replace=False)
        shard(tmp_path / "in" / "stale.safetensors", a=[1])
        write(writer, plans({"a": (1,)}))
        assert sorted(writer.left_out) == [
            ".git/",
            ".hidden",
            "Flax.MSGPACK",
            "onnx/model.onnx",
            "optimizer.pt",
            "stale.safetensors",
        ]

    def test_links_become_files_and_folders_behind_links_stay(
        self, tmp_path: Path, source: Reader
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "vocab.txt").write_text("content")
        (tmp_path / "in" / "vocab.txt").symlink_to(outside / "vocab.txt")
        (tmp_path / "in" / "folder").symlink_to(outside)
        (tmp_path / "in" / "loop").symlink_to(".")
        (tmp_path / "in" / "dangling").symlink_to("nowhere")
        os.mkfifo(tmp_path / "in" / "pipe")
        writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
        write(writer, plans({"a": (1,)}))
        assert names(tmp_path / "out") == ["config.json", "model.safetensors", "vocab.txt"]
        assert not (tmp_path / "out" / "vocab.txt").is_symlink()
        assert (tmp_path / "out" / "vocab.txt").read_text() == "content"
        assert writer.left_out == ["dangling", "folder/", "loop/", "pipe"]

    def test_not_when_they_are_not_wanted(self, tmp_path: Path, crowded: Reader) -> None:
        writer = CheckpointFolder.writer(tmp_path / "out", crowded, replace=False)
        writer.copy_side_files = False
        write(writer, plans({"a": (1,)}))
        assert names(tmp_path / "out") == ["model.safetensors"]

    def test_not_from_beside_a_single_file(self, tmp_path: Path) -> None:
        path = shard(sharded(tmp_path / "in") / "single.safetensors", a=[1])
        with registry.get("formats", "safetensors").open(path) as source:
            writer = CheckpointFolder.writer(tmp_path / "out", source, replace=False)
            write(writer, plans({"a": (1,)}))
        assert names(tmp_path / "out") == ["model.safetensors"]
        assert not writer.left_out


def test_recognises(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert CheckpointFolder.recognises(tmp_path, b"")
    assert not CheckpointFolder.recognises(tmp_path / "file", b"")


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "model.packed.safetensors.index.json", "pytorch_model.bin"],
)
def test_a_checkpoint_is_told_from_a_folder_of_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "other.safetensors").write_bytes(b"")
    assert not is_checkpoint(tmp_path)
    (tmp_path / name).write_bytes(b"")
    assert is_checkpoint(tmp_path)


def test_found_by_name() -> None:
    assert registry.get("formats", "folder") is CheckpointFolder


class TestReplacing:
    """Only what an older run left may be replaced; what is somebody's own is never lost."""

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        output = tmp_path / "out"
        self.write(tmp_path, output)
        return output

    def write(self, tmp_path: Path, output: Path) -> None:
        source = tmp_path / "in"
        if not source.exists():
            source.mkdir()
            safetensors.numpy.save_file({"a": np.ones(4, np.float32)}, source / "model.safetensors")
            (source / "config.json").write_text("{}")
            (source / "tokenizer.json").write_text("{}")
        with CheckpointFolder.open(source) as reader:
            writer = CheckpointFolder.writer(output, reader, replace=True)
            plan = FilePlan("model.safetensors", {"a": PartSpec("F32", (4,), "rows")})
            writer.begin([plan])
            writer.write("a", 0, np.ones(4, np.float32))
            writer.commit({})

    def test_an_older_output_is_replaced(self, tmp_path: Path, output: Path) -> None:
        safetensors.numpy.save_file(
            {"a": np.ones(4)}, output / "model.packed-00001-of-00002.safetensors"
        )
        self.write(tmp_path, output)
        names = sorted(path.name for path in output.iterdir())
        assert names == ["config.json", "model.safetensors", "tokenizer.json"]

    @pytest.mark.parametrize(
        "foreign", ["notes.txt", "other/model.safetensors", ".env", "x.safetensors"]
    )
    def test_anything_else_in_it_stops_that(
        self, tmp_path: Path, output: Path, foreign: str
    ) -> None:
        (output / foreign).parent.mkdir(exist_ok=True)
        (output / foreign).write_text("mine")
        with pytest.raises(OutputExistsError, match="would be lost"):
            self.write(tmp_path, output)
        assert (output / foreign).read_text() == "mine"
