"""Name the files that people take for safetensors: a download gone wrong, or another format."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 4096


@dataclass(frozen=True)
class Foreign:
    """What a file is instead, and what to do about it."""

    name: str
    hint: str | None = None


_CONVERT = "save model.state_dict() with safetensors.torch.save_file and use that file"
_DENSE = "give the safetensors checkpoint that it was made from"
_AGAIN = "the server answered with a page: log in or check the address, and download it again"

_SIGNATURES = (
    (0, b"version https://git-lfs", Foreign("a Git LFS pointer", "fetch it: git lfs pull")),
    (0, b"GGUF", Foreign("a GGUF file", _DENSE)),
    (0, b"\x1f\x8b", Foreign("compressed with gzip", "unpack it first: gunzip FILE")),
    (0, b"\x28\xb5\x2f\xfd", Foreign("compressed with zstd", "unpack it first: zstd -d FILE")),
    (0, b"\xfd7zXZ\x00", Foreign("compressed with xz", "unpack it first: unxz FILE")),
    (0, b"\x89HDF\r\n\x1a\n", Foreign("an HDF5 file (Keras)")),
    (0, b"\x93NUMPY", Foreign("a NumPy array (.npy)")),
    (4, b"TFL3", Foreign("a TensorFlow Lite file", _DENSE)),
    (257, b"ustar", Foreign("a tar archive", "unpack it first: tar -xf FILE")),
)


def name_foreign(head: bytes) -> Foreign | None:
    """What a file is that is not safetensors, as far as its first bytes tell.

    :param head: its first ``HEAD`` bytes. Only meaningful after the safetensors rules refused the
        file: a right header of 559,903 bytes begins like gzip.
    """
    for offset, magic, foreign in _SIGNATURES:
        if head.startswith(magic, offset):
            return foreign
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return Foreign("an HTML page", _AGAIN)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Foreign("a pickle (PyTorch)", _CONVERT)
    # protobuf: field 1 (ir_version, below 32), then field 2 (producer) or 7 (the graph)
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x3a"):
        return Foreign("an ONNX model", _DENSE)
    return None


def _zip(head: bytes) -> Foreign:
    length = int.from_bytes(head[26:28], "little")
    member = head[30 : 30 + length]
    if member.endswith(b".npy"):
        return Foreign("a NumPy archive (.npz)")
    if member.endswith((b"data.pkl", b".format_version", b"/version", b"/byteorder")):
        return Foreign("a PyTorch archive", _CONVERT)
    return Foreign("a zip archive")
