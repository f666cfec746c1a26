"""Name the files that people take for weights: a download gone wrong, or another tool's format."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 4096


@dataclass(frozen=True)
class Foreign:
    """What a file is instead, and what to do about it."""

    name: str
    hint: str | None = None


_DENSE = "give the checkpoint that it was made from: safetensors or PyTorch"
_PAGE = "the server answered with a page: log in or check the address, and download it again"
_KERAS = "save the arrays from Keras: numpy.savez('weights.npz', *model.get_weights())"

_SIGNATURES = (
    (0, b"version https://git-lfs", Foreign("a Git LFS pointer", "fetch it: git lfs pull")),
    (0, b"GGUF", Foreign("a GGUF file", _DENSE)),
    (0, b"\x1f\x8b", Foreign("compressed with gzip", "unpack it first: gunzip FILE")),
    (0, b"\x28\xb5\x2f\xfd", Foreign("compressed with zstd", "unpack it first: zstd -d FILE")),
    (0, b"\xfd7zXZ\x00", Foreign("compressed with xz", "unpack it first: unxz FILE")),
    (0, b"BZh", Foreign("compressed with bzip2", "unpack it first: bunzip2 FILE")),
    (0, b"\x89HDF\r\n\x1a\n", Foreign("an HDF5 file (Keras)", _KERAS)),
    (4, b"TFL3", Foreign("a TensorFlow Lite file", _DENSE)),
    (257, b"ustar", Foreign("a tar archive", "unpack it first: tar -xf FILE")),
)


def name_foreign(head: bytes) -> Foreign | None:
    """What a file is that no format here recognises, as far as its first bytes tell.

    :param head: its first ``HEAD`` bytes.
    """
    for offset, magic, foreign in _SIGNATURES:
        if head.startswith(magic, offset):
            return foreign
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return Foreign("an HTML page", _PAGE)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    # protobuf: field 1 (ir_version, below 32), then field 2 (producer) or 7 (the graph)
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x3a"):
        return Foreign("an ONNX model", _DENSE)
    return None


def _zip(head: bytes) -> Foreign:
    length = int.from_bytes(head[26:28], "little")
    keras = head[30 : 30 + length] in (b"metadata.json", b"config.json", b"model.weights.h5")
    return Foreign("a Keras archive", _KERAS) if keras else Foreign("a zip archive")
