"""Read one array: ``.npy``."""

from __future__ import annotations

from pathlib import Path

from compress_core.formats.numpy.header import read_header
from compress_core.inputs import InputFile
from compress_core.strict_json import is_text
from compress_core.views import Placed, ViewReader


def open_array(file: InputFile) -> ViewReader:
    """The array of a file, as a tensor with the name of the file.

    :raises InputError: unreadable, corrupt, hostile or not supported.
    """

    def beginning(count: int) -> bytes:
        return file.read(0, min(count, file.size))

    header = read_header(beginning, file.size, "", str(file.path))
    placed = Placed(header.info(_name(file.path)), header.view(0))
    return ViewReader(file.path, file, [placed])


def _name(path: Path) -> str:
    """``weights`` for ``weights.npy``; of a name that is no UTF-8 no header could be made."""
    return path.stem if is_text(path.stem) else "array"
