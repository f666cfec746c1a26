"""Open what somebody points at: by content, and as what it means."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from compress_core import registry
from compress_core.container import Reader
from compress_core.errors import InputError, UnsupportedError, UsageError
from compress_core.foreign import HEAD, SUFFIXES, name_foreign
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
    head = _head_of(path)
    chosen = _format_of(path, head)
    lie = None if path.is_dir() else _lie(path, chosen, head)
    reader: Reader = chosen.open(path) if key is None else chosen.open_at(path, key)
    if lie is not None:
        reader.notes = [*reader.notes, lie]
    return reader


def keys_for(paths: Sequence[Path | str], key: str | None) -> list[str | None]:
    """``key`` for each of ``paths`` that may hold several sets of weights, ``None`` for others.

    :raises UsageError: none of them may.
    """
    found = [key_for(path, key) for path in paths]
    if key is not None and paths and not any(found):
        open_weights(paths[0], key).close()  # which refuses it, and says why
    return found


def key_for(path: Path | str, key: str | None) -> str | None:
    """``key``, if there may be several sets of weights at ``path``.

    What cannot be read may be anything, and says so when it is opened.
    """
    path = Path(path)
    try:
        fits = key is not None and _format_of(path, _head_of(path)).takes_key(path)
    except InputError:
        fits = True
    return key if fits else None


def stem(path: Path) -> str:
    """The name of a file without its suffix, of which one like ``.pth.tar`` counts as one."""
    return path.name[: len(path.name) - len(_suffix(path))]


def refuse_misnamed(target: Path) -> None:
    """Refuse to give a safetensors file a name that promises another kind of file.

    :raises UsageError: it does.
    """
    promised = _format_of_suffix(target)
    if promised is None and not _is_foreign(target):
        return
    if promised is None or not promised.trusted:
        better = target.with_name(f"{stem(target)}.safetensors")
        raise UsageError(
            f"the output would be called {_suffix(target)}, and be a safetensors file",
            where=str(target),
            hint=f"-o {shlex.quote(str(better))}",
        )


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
    """The tensors that a file or folder stands for: decoded, if it is of one of our layouts or of a
    convention of other tools that is read.

    :param key: which set of weights, where a file holds several.
    :raises InputError: unreadable, corrupt, hostile or not supported.
    :raises UsageError: there is nothing to choose by ``key``, or not that.
    """
    stored = open_weights(path, key)
    try:
        for kind in ("layouts", "conventions"):
            for found in registry.all_of(kind).values():
                logical: Reader | None = found.open(stored)
                if logical is not None:
                    return logical
    except BaseException:
        stored.close()
        raise
    return stored


def _format_of(path: Path, head: bytes) -> type[Format]:
    """By content. Of unknown content, the format of the suffix tells what is wrong with it."""
    found = _format_of_content(path, head)
    if found is not None:
        return found
    foreign = name_foreign(head)
    if foreign is not None:
        said = f"{foreign.name}: not a kind of weights that is read here"
        raise UnsupportedError(said, where=str(path), hint=foreign.hint(path))
    found = _format_of_suffix(path)
    if found is not None:
        return found
    kinds = "; ".join(one.summary for one in _formats().values())
    raise UnsupportedError("not a weight file", where=str(path), hint=f"what is read: {kinds}")


def _lie(path: Path, chosen: type[Format], head: bytes) -> str | None:
    """What is to be said of a suffix that promises something else.

    :raises UnsupportedError: it promises what people take for safe to load anywhere.
    """
    promised, own = _format_of_suffix(path), chosen.suffixes_of(head)
    if _ends_in(path, own) or (promised is None and not _is_foreign(path)):
        return None
    kind = f"like {' or '.join(own)}" if promised is chosen else chosen.summary
    said = f"called {_suffix(path)}, and by its content it is {kind}"
    if promised is not None and promised.trusted:
        hint = "rename it, if that is what you expect"
        raise UnsupportedError(said, where=str(path), hint=hint)
    return said


def _formats() -> dict[str, type[Format]]:
    return registry.all_of("formats")


def _format_of_content(path: Path, head: bytes) -> type[Format] | None:
    return next((one for one in _formats().values() if one.recognises(path, head)), None)


def _format_of_suffix(path: Path) -> type[Format] | None:
    return next((one for one in _formats().values() if _ends_in(path, one.suffixes)), None)


def _is_foreign(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _ends_in(path: Path, suffixes: Sequence[str]) -> bool:
    """Whether that is more than its whole name."""
    return any(len(path.name) > len(one) for one in suffixes if path.name.lower().endswith(one))


def _suffix(path: Path) -> str:
    """The end of a name that says what a file is, such as ``.pth.tar``."""
    known = (suffix for one in _formats().values() for suffix in one.suffixes)
    fitting = (suffix for suffix in known if _ends_in(path, [suffix]))
    length = len(max(fitting, key=len, default=path.suffix))
    return path.name[len(path.name) - length :]


def _head_of(path: Path) -> bytes:
    return b"" if path.is_dir() else _head(path)


def _head(path: Path) -> bytes:
    file = InputFile(path)
    try:
        return file.read(0, min(file.size, HEAD))
    finally:
        file.close()
