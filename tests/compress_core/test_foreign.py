"""What is no weight file is called by its name."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from compress_core import open_logical, open_weights
from compress_core.errors import InputError
from compress_core.foreign import name_foreign

ZIP = b"PK\x03\x04" + bytes(22)
NAMED = [
    (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer", "git lfs pull"),
    (b"\n<!DOCTYPE html><html>", "HTML page", "download it again"),
    (b"GGUF\x03\0\0\0" + bytes(24), "GGUF", "checkpoint"),
    (b"\x1f\x8b\x08\0" + bytes(24), "gzip", "gunzip"),
    (b"BZh91AY" + bytes(24), "bzip2", "bunzip2"),
    (b"\x89HDF\r\n\x1a\n" + bytes(24), "HDF5", "savez"),
    (bytes([28, 0, 0, 0]) + b"TFL3" + bytes(24), "TensorFlow Lite", "checkpoint"),
    (b"\x08\x08\x12\x07pytorch" + bytes(24), "ONNX", "checkpoint"),
    (bytes(257) + b"ustar\0", "tar archive", "tar -xf"),
    (ZIP + b"\x0d\0\0\0metadata.json", "Keras", "savez"),
    (ZIP + b"\x05\0\0\0a.txt", "zip archive", ""),
]


@pytest.mark.parametrize(("head", "name", "hint"), NAMED)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".npz", ".weights", ""])
def test_is_named(tmp_path: Path, head: bytes, name: str, hint: str, suffix: str) -> None:
    """By content, whatever the suffix promises."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(head)
    for opened in (open_weights, open_logical):
        with pytest.raises(InputError, match=name) as caught:
            opened(path)
        assert caught.value.where == str(path)
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("head", [b"", b"{}", bytes(4096), b"PK\x05\x06" + bytes(18), b"\x08"])
def test_what_is_not_known_has_no_name(head: bytes) -> None:
    assert name_foreign(head) is None


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a b.npz.gz", "gunzip < 'a b.npz.gz' > 'a b.npz'"),
        ("a b.npz", "gunzip < 'a b.npz' > 'a b.npz.unpacked'"),
    ],
)
def test_what_to_type_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(gzip.compress(b"weights"))
    with pytest.raises(InputError) as caught:
        open_weights(name)
    assert caught.value.hint == f"unpack it first: {command}"
    subprocess.run(command, shell=True, check=True)
    assert Path(command.rpartition("> ")[2].strip("'")).read_bytes() == b"weights"
