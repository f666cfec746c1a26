"""NumPy's own files: one array (``.npy``), or several by name (``.npz``)."""

from __future__ import annotations

from pathlib import Path

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.formats.base import Format
from compress_core.formats.numpy.marks import MAGIC, SUFFIX
from compress_core.inputs import InputFile

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"


class Numpy(Format):
    """A ``.npy`` or ``.npz`` file with arrays of numbers; what is pickled is never read.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1.0 to
    3.0. It is only read: NumPy keeps no dtype of 16 or 8 bits that weights have (BF16, FP8), so
    results are better kept as safetensors.
    """

    id = "numpy"
    summary = "NumPy: .npy and .npz"
    suffixes = (".npy", ".npz")

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """By the magic of an array, or by the name of the first member of an archive."""
        if head.startswith(_EMPTY_ZIP):
            return path.suffix.lower() == ".npz"
        return head.startswith(MAGIC) or _first_member(head).endswith(SUFFIX.encode())

    @classmethod
    def suffixes_of(cls, head: bytes) -> tuple[str, ...]:
        return (".npy",) if head.startswith(MAGIC) else (".npz",)

    @classmethod
    def open(cls, path: Path) -> Reader:
        # every format is asked whether it knows a file; only the one that does needs its readers
        from compress_core.formats.numpy.array import open_array
        from compress_core.formats.numpy.arrays import open_arrays

        file = InputFile(path)
        try:
            magic = file.read(0, min(len(MAGIC), file.size))
            if magic == MAGIC:
                return open_array(file)
            if magic.startswith((_ZIP, _EMPTY_ZIP)):
                return open_arrays(file)
            raise FormatError("neither an array nor an archive of NumPy", where=str(path))
        except BaseException:
            file.close()
            raise


def _first_member(head: bytes) -> bytes:
    """The name of the first member of an archive, as its header has it; empty for other files."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length] if head.startswith(_ZIP) else b""
