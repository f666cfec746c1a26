"""Opening: by content and as what it means."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import compress, from_config, open_logical, open_weights
from compress_core.errors import FormatError, InputError, UnsupportedError, UsageError
from compress_core.layouts.packed import Packed
from compress_core.opening import looks_like_weights, refuse_misnamed, stem
from tests.compress_core.formats.torch.assembler import SIX, mapping, tensor, zipped

QUANTIZE = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    rng = np.random.default_rng(1)
    save_file({"a.weight": rng.standard_normal((16, 64), dtype=np.float32)}, path)
    return path


@pytest.fixture
def packed(weights: Path, tmp_path: Path) -> Path:
    target = tmp_path / "small.safetensors"
    compress(weights, target, QUANTIZE)
    return target


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_file_is_known_by_its_content(weights: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "model.weights"
    weights.rename(renamed)
    with open_weights(str(renamed)) as reader:
        assert list(reader.infos) == ["a.weight"]


def test_a_folder_is_opened_as_a_checkpoint(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    shutil.move(weights, folder / "model.safetensors")
    (folder / "config.json").write_text('{"vocab_size": 5}')
    with open_weights(folder) as reader:
        assert reader.config == {"vocab_size": 5}
        assert dict(reader.shards) == {"a.weight": "model.safetensors"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGUF\x03\x00\x00\x00" + bytes(40), "GGUF"),
        (b"", "not a weight file"),
        (b"hello", "not a weight file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    ],
)
def test_what_nobody_recognises_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.xyz"
    path.write_bytes(content)
    for opened in (open_weights, open_logical):
        with pytest.raises((FormatError, UnsupportedError), match=said):
            opened(path)


def test_what_is_not_there_is_an_input_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_weights(tmp_path / "absent.safetensors")
    assert "absent.safetensors" in str(caught.value)


def test_stored_and_logical_tensors_are_two_views_of_one_file(packed: Path) -> None:
    with open_weights(packed) as stored, open_logical(packed) as logical:
        assert all(name.startswith("a.weight.") for name in stored.infos)
        assert list(logical.infos) == ["a.weight"]
        assert logical.infos["a.weight"].shape == (16, 64)
        assert str(logical.forms["a.weight"]).startswith("int4")
        assert logical.size() == stored.size() == packed.stat().st_size


def test_plain_weights_are_their_own_logical_tensors(weights: Path) -> None:
    with open_logical(weights) as reader:
        assert dict(reader.forms) == {}
        assert list(reader.infos) == ["a.weight"]


@pytest.mark.parametrize("opened", [open_weights, open_logical])
def test_closing_gives_the_files_back(opened: object, weights: Path, packed: Path) -> None:
    before = open_files()
    for path in (weights, packed):
        with opened(path) as reader:  # type: ignore[operator]
            reader.read("a.weight", 0, 1) if "a.weight" in reader.infos else None
            assert open_files() > before
    assert open_files() == before


def test_a_damaged_record_is_refused_and_the_file_is_closed(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(reader: object) -> None:
        raise FormatError("damaged")

    before = open_files()
    monkeypatch.setattr(Packed, "open", damaged)
    with pytest.raises(FormatError, match="damaged"):
        open_logical(packed)
    assert open_files() == before


def test_weights_are_told_from_other_files_by_content_or_name(
    weights: Path, tmp_path: Path
) -> None:
    assert looks_like_weights(weights)
    assert looks_like_weights(weights.rename(tmp_path / "renamed"))
    (tmp_path / "damaged.safetensors").write_bytes(b"")
    assert looks_like_weights(tmp_path / "damaged.safetensors")
    assert looks_like_weights(tmp_path / "absent.safetensors")
    (tmp_path / "README.md").write_text("about them")
    assert not looks_like_weights(tmp_path / "README.md")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.onnx", "npz", "called .onnx, and by its content it is NumPy: .npy and .npz"),
        ("i.h5", "pt", "called .h5, and by its content it is PyTorch"),
        ("d.npz", "npy", "called .npz, and by its content it is like .npy"),
        ("d.NPY", "npz", "called .NPY, and by its content it is like .npz"),
        ("t.pth.tar", "npz", "called .pth.tar, and by its content it is NumPy"),
        ("m.safetensors.gz", "safetensors", "called .gz, and by its content it is one safetensors"),
        ("t.pth.tar", "pt", None),
        ("t.v2", "pt", None),
        (".npz", "npy", None),
        ("d.npz", "npz", None),
        ("d.npy", "npy", None),
        ("d", "npy", None),
    ],
)
def test_a_suffix_that_promises_something_else_is_told(
    tmp_path: Path, weights: Path, name: str, content: str, said: str | None
) -> None:
    floats = np.zeros((2, 3), np.float32)
    path = tmp_path / name
    with path.open("wb") as file:
        if content == "npz":
            np.savez(file, a=floats)
        elif content == "npy":
            np.save(file, floats)
        elif content == "pt":
            file.write(zipped(mapping({"a": tensor()}), {"0": SIX}))
        else:
            file.write(weights.read_bytes())
    with open_weights(path) as reader:
        notes = [note for note in reader.notes if note.startswith("called")]
    assert len(notes) == (said is not None)
    assert all(note.startswith(said or "") for note in notes)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("y.npy", "y.safetensors"),
        ("a b/x.bin", "'a b/x.safetensors'"),
        ("t.pth.tar", "t.safetensors"),
        ("m.onnx", "m.safetensors"),
    ],
)
def test_an_output_is_not_called_like_another_kind(name: str, better: str) -> None:
    with pytest.raises(UsageError, match="be a safetensors file") as caught:
        refuse_misnamed(Path(name))
    assert (caught.value.where, caught.value.hint) == (name, f"-o {better}")


@pytest.mark.parametrize(
    "name", ["y.safetensors", "Y.SAFETENSORS", "y", "y.v2", ".bin", "y.weights"]
)
def test_any_other_name_will_do(name: str) -> None:
    refuse_misnamed(Path(name))


@pytest.mark.parametrize(
    ("name", "short"),
    [("a.pth.tar", "a"), ("a.b.pt", "a.b"), ("a.v2", "a"), ("a", "a"), (".bin", ".bin")],
)
def test_the_stem_of_a_name(name: str, short: str) -> None:
    assert stem(Path("x") / name) == short
