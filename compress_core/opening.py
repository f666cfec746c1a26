"""Open what somebody points at: by content, and as what it means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compress_core import registry
from compress_core.container import Reader
from compress_core.errors import InputError, UnsupportedError
from compress_core.foreign import HEAD, name_foreign
from compress_core.formats.base import Format
from compress_core.inputs import InputFile

_TRAINING = (
    *("training_args.bin", "optimizer.bin", "scheduler.bin", "scaler.pt"),
    *("optimizer.pt", "scheduler.pt", "rng_state.pth"),
)
"""What trainers leave beside weights."""


def open_weights(path: Path | str, key: str | None = None) -> Reader:
    """The tensors that a file or folder holds, as they are stored; only headers are read.

    :param key: which set of weights, where a file holds several.
    :raises InputError: unreadable, corrupt, hostile or not supported.
    :raises UsageError: there is nothing to choose by ``key``, or not that.
    """
    path = Path(path)
    chosen = _format_of(path)
    lie = None if path.is_dir() else _lie(path, chosen)
    reader: Reader = chosen.open(path) if key is None else chosen.open_at(path, key)
    if lie is not None:
        reader.notes = [*reader.notes, lie]
    return reader


def keys_for(paths: Sequence[Path | str], key: str | None) -> list[str | None]:
    """``key`` for each of ``paths`` that may hold several sets of weights, ``None`` for others.

    :raises UsageError: none of them may.
    :raises InputError: one is unreadable, or nothing that is known here.
    """
    if key is None:
        return [None] * len(paths)
    found = [key if _takes_key(Path(path)) else None for path in paths]
    if not any(found):
        open_weights(paths[0], key).close()  # which refuses it, and says why
    return found


def _takes_key(path: Path) -> bool:
    return _format_of(path).takes_key(path)


def looks_like_weights(file: Path) -> bool:
    """Whether a file would be taken for weights, by its first bytes or its name.

    One that cannot be read is judged by its name, and so is what lies about in folders of weights:
    the state of a trainer, and pickles of anything.
    """
    if file.name in _TRAINING or file.suffix in (".pkl", ".pickle"):
        return False
    try:
        head = _head(file)
    except InputError:
        head = b""
    return _format_of_content(file, head) is not None or _format_of_suffix(file) is not None


def open_logical(path: Path | str, key: str | None = None) -> Reader:
    """The tensors that a file or folder stands for: decoded, if one of our layouts wrote it.

    :param key: which set of weights, where a file holds several.
    :raises InputError: unreadable, corrupt, hostile or not supported.
    :raises UsageError: there is nothing to choose by ``key``, or not that.
    """
    stored = open_weights(path, key)
    try:
        for layout in registry.all_of("layouts").values():
            logical: Reader | None = layout.open(stored)
            if logical is not None:
                return logical
    except BaseException:
        stored.close()
        raise
    return stored


def _format_of(path: Path) -> type[Format]:
    """By content. Of unknown content, the format of the suffix tells what is wrong with it."""
    head = b"" if path.is_dir() else _head(path)
    found = _format_of_content(path, head)
    if found is not None:
        return found
    foreign = name_foreign(head)
    if foreign is not None:
        said = f"{foreign.name}: not a kind of weights that is read here"
        raise UnsupportedError(said, where=str(path), hint=foreign.hint)
    found = _format_of_suffix(path)
    if found is not None:
        return found
    kinds = ", ".join(one.summary for one in _formats().values())
    raise UnsupportedError("not a weight file", where=str(path), hint=f"what is read: {kinds}")


def _lie(path: Path, chosen: type[Format]) -> str | None:
    """What is to be said of a suffix that promises another format.

    :raises UnsupportedError: it promises safetensors, which people take for safe to load anywhere.
    """
    promised = _format_of_suffix(path)
    if promised in (None, chosen):
        return None
    said = f"called {path.suffix}, and by its content it is {chosen.summary}"
    if promised is _formats()["safetensors"]:
        hint = "rename it, if that is what you expect"
        raise UnsupportedError(said, where=str(path), hint=hint)
    return said


def _formats() -> dict[str, type[Format]]:
    return registry.all_of("formats")


def _format_of_content(path: Path, head: bytes) -> type[Format] | None:
    return next((one for one in _formats().values() if one.recognises(path, head)), None)


def _format_of_suffix(path: Path) -> type[Format] | None:
    suffix = path.suffix.lower()
    return next((one for one in _formats().values() if suffix in one.suffixes), None)


def _head(path: Path) -> bytes:
    file = InputFile(path)
    try:
        return file.read(0, min(file.size, HEAD))
    finally:
        file.close()
