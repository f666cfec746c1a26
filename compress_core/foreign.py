"""Name the files that people take for weights: a download gone wrong, or another tool's format."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

HEAD = 4096


@dataclass(frozen=True)
class Foreign:
    """What a file is instead, and what to do about it.

    :ivar advice: ``{file}`` stands for its path, ``{unpacked}`` for that of what is packed in it.
    :ivar suffixes: how such files are usually called.
    """

    name: str
    advice: str | None = None
    suffixes: tuple[str, ...] = ()

    def hint(self, path: Path) -> str | None:
        """The advice for the file at ``path``, to be typed as it is."""
        if self.advice is None:
            return None
        file = str(path)
        own = next((one for one in self.suffixes if file.lower().endswith(one)), None)
        unpacked = f"{file}.unpacked" if own is None else file[: -len(own)]
        return self.advice.format(file=shlex.quote(file), unpacked=shlex.quote(unpacked))


_DENSE = "give the checkpoint that it was made from: safetensors or PyTorch"
_SAVE = "save the arrays from Keras: numpy.savez('weights.npz', *model.get_weights())"

_LFS = Foreign("a Git LFS pointer", "fetch it: git lfs pull")
_GGUF = Foreign("a GGUF file", _DENSE, (".gguf",))
_GZIP = Foreign(
    # gunzip itself refuses what is not called .gz
    "compressed with gzip",
    "unpack it first: gunzip < {file} > {unpacked}",
    (".gz", ".tgz"),
)
_ZSTD = Foreign("compressed with zstd", "unpack it first: zstd -d < {file} > {unpacked}", (".zst",))
_XZ = Foreign("compressed with xz", "unpack it first: unxz < {file} > {unpacked}", (".xz",))
_BZIP = Foreign(
    "compressed with bzip2", "unpack it first: bunzip2 < {file} > {unpacked}", (".bz2",)
)
_HDF = Foreign("an HDF5 file (Keras)", _SAVE, (".h5", ".hdf5"))
_KERAS = Foreign("a Keras archive", _SAVE, (".keras",))
_LITE = Foreign("a TensorFlow Lite file", _DENSE, (".tflite",))
_TAR = Foreign("a tar archive", "unpack it first: tar -xf {file}", (".tar",))
_ONNX = Foreign("an ONNX model", _DENSE, (".onnx",))
_ZIP = Foreign("a zip archive", suffixes=(".zip",))
_PAGE = Foreign(
    "an HTML page",
    "the server answered with a page: log in or check the address, and download it again",
    (".html", ".htm"),
)

_KINDS = (_LFS, _GGUF, _GZIP, _ZSTD, _XZ, _BZIP, _HDF, _KERAS, _LITE, _TAR, _ONNX, _ZIP, _PAGE)
SUFFIXES = frozenset(suffix for kind in _KINDS for suffix in kind.suffixes)
"""Of files that are no weights here."""

_SIGNATURES = (
    (0, b"version https://git-lfs", _LFS),
    (0, b"GGUF", _GGUF),
    (0, b"\x1f\x8b", _GZIP),
    (0, b"\x28\xb5\x2f\xfd", _ZSTD),
    (0, b"\xfd7zXZ\x00", _XZ),
    (0, b"BZh", _BZIP),
    (0, b"\x89HDF\r\n\x1a\n", _HDF),
    (4, b"TFL3", _LITE),
    (257, b"ustar", _TAR),
)


def name_foreign(head: bytes) -> Foreign | None:
    """What a file is that no format here recognises, as far as its first bytes tell.

    :param head: its first ``HEAD`` bytes.
    """
    for offset, magic, foreign in _SIGNATURES:
        if head.startswith(magic, offset):
            return foreign
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _PAGE
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    # protobuf: field 1 (ir_version, below 32), then field 2 (producer) or 7 (the graph)
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x3a"):
        return _ONNX
    return None


def _zip(head: bytes) -> Foreign:
    length = int.from_bytes(head[26:28], "little")
    keras = head[30 : 30 + length] in (b"metadata.json", b"config.json", b"model.weights.h5")
    return _KERAS if keras else _ZIP
