"""Open what somebody points at: by content, and as what it means."""

from __future__ import annotations

from pathlib import Path

from compress_core import registry
from compress_core.container import Reader
from compress_core.errors import InputError
from compress_core.inputs import InputFile

_HEAD = 4096


def open_weights(path: Path | str) -> Reader:
    """The tensors that a file or folder holds, as they are stored; only headers are read.

    :raises InputError: unreadable, corrupt, hostile or not supported.
    """
    path = Path(path)
    head = b"" if path.is_dir() else _head(path)
    formats = registry.all_of("formats")
    # a file that nobody recognises goes to safetensors, which names what people take for it
    found = next((one for one in formats.values() if one.recognises(path, head)), None)
    opened: Reader = (found or formats["safetensors"]).open(path)
    return opened


def looks_like_weights(file: Path) -> bool:
    """Whether a file would be taken for weights, by its first bytes or its name.

    One that cannot be read is judged by its name.
    """
    try:
        head = _head(file)
    except InputError:
        head = b""
    return any(one.recognises(file, head) for one in registry.all_of("formats").values())


def open_logical(path: Path | str) -> Reader:
    """The tensors that a file or folder stands for: decoded, if one of our layouts wrote it.

    :raises InputError: unreadable, corrupt, hostile or not supported.
    """
    stored = open_weights(path)
    try:
        for layout in registry.all_of("layouts").values():
            logical: Reader | None = layout.open(stored)
            if logical is not None:
                return logical
    except BaseException:
        stored.close()
        raise
    return stored


def _head(path: Path) -> bytes:
    file = InputFile(path)
    try:
        return file.read(0, min(file.size, _HEAD))
    finally:
        file.close()
