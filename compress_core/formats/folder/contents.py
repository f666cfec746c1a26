"""What lies in a checkpoint folder: which files are the weights, which go along, which do not."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from compress_core.errors import InputError
from compress_core.formats.folder.index import SAFETENSORS, Index, read_index
from compress_core.inputs import unreadable


@dataclass(frozen=True)
class Naming:
    """What weight files of a folder are called: ``<stem><suffix>``, or shards and their index.

    :ivar format: the format that each file is read as, whatever its content looks like.
    """

    stem: str
    suffix: str
    format: str

    @property
    def single(self) -> str:
        """The name of weights in one file."""
        return self.stem + self.suffix

    @property
    def index(self) -> str:
        """The name of the index of shards."""
        return f"{self.single}.index.json"

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has weights that are called so."""
        return any(os.path.lexists(folder / name) for name in (self.single, self.index))


# the first that is found is read; ``model.packed`` is what this tool calls weights that no other
# loader may take for plain ones
NAMINGS = (
    Naming("model", SAFETENSORS, "safetensors"),
    Naming("model.packed", SAFETENSORS, "safetensors"),
    Naming("pytorch_model", ".bin", "torch"),
)

_WEIGHTS = (
    *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"),
    *(".onnx", ".gguf", ".npz", ".npy", ".tflite", ".ot", ".index.json"),
)
_TORCH = (".pt", ".pth", ".bin")

DESCRIPTIONS = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
"""Files that describe codes beside ``config.json``, to loaders of some quantized folders."""

# what an output's own weight files are called, however many there were
_OUTPUT = re.compile(
    r"model(\.packed)?(-\d{5,}-of-\d{5,})?\.safetensors|model(\.packed)?\.safetensors\.index\.json"
)


@dataclass
class Weights:
    """The weight files of a folder.

    :ivar format: what they are read as.
    :ivar single: the one file, or ``None`` when there is an index.
    :ivar notes: what was found and not used.
    """

    format: str
    single: str | None = None
    index: Index | None = None
    index_path: Path | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SideFiles:
    """What goes along with weights, and what does not.

    :ivar copied: path below the folder → bytes.
    :ivar left_out: paths below the folder; a folder ends in ``/``.
    """

    copied: Mapping[Path, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def is_checkpoint(folder: Path) -> bool:
    """Whether the files of a folder belong together, as those of one model."""
    return any(naming.is_in(folder) for naming in NAMINGS)


def find_weights(folder: Path) -> Weights:
    """Choose the weights of a folder; data are not touched.

    Safetensors are preferred to PyTorch, and an index to a single file beside it, as long as all
    its shards are there.

    :raises InputError: there are none, or the index breaks the rules.
    """
    namings = [naming for naming in NAMINGS if naming.is_in(folder)]
    if not namings:
        raise _no_weights(folder)
    found = _named(folder, namings[0])
    found.notes += [f"{other.single} is not read: {namings[0].single} is" for other in namings[1:]]
    return found


def side_files(folder: Path) -> SideFiles:
    """Sort the files of a folder, all levels: tokenizer and config go along, weights do not.

    Links to files count as the files; links to folders are not followed.

    :raises InputError: a folder cannot be listed.
    """
    copied: dict[Path, int] = {}
    left_out: list[str] = []
    for path, is_folder in _walk(folder, Path()):
        size = None if is_folder or _stays(path.name) else _regular_size(folder / path)
        if size is None:
            left_out.append(f"{path}/" if is_folder else str(path))
        else:
            copied[path] = size
    return SideFiles(copied, tuple(left_out))


def first_foreign(folder: Path, expected: Set[Path]) -> str | None:
    """The first file of an older output that is neither weights of ours nor among ``expected``.

    Such a file is somebody's own: replacing the folder would lose it. ``None``: there is none.
    """
    if not folder.is_dir():
        return None
    found = (path for path, is_folder in _walk(folder, Path()) if not _is_output(path, is_folder))
    return next((str(path) for path in found if path not in expected), None)


def _is_output(path: Path, is_folder: bool) -> bool:
    return not is_folder and _OUTPUT.fullmatch(str(path)) is not None


def _named(folder: Path, naming: Naming) -> Weights:
    single, index_path = naming.single, folder / naming.index
    if not os.path.lexists(index_path):
        return Weights(naming.format, single)
    index = read_index(index_path, naming.suffix)
    if not os.path.lexists(folder / single):
        return Weights(naming.format, None, index, index_path)
    missing = [shard for shard in set(index.weight_map.values()) if not (folder / shard).exists()]
    if missing:
        note = f"{index_path.name} is not used: {len(missing)} of its shards are missing"
        return Weights(naming.format, single, notes=[note])
    note = f"{single} is not read: {index_path.name} is"
    return Weights(naming.format, None, index, index_path, [note])


def _no_weights(folder: Path) -> InputError:
    others = [name for name in sorted(_listed(folder)) if name.endswith((SAFETENSORS, *_TORCH))]
    hint = f"give the file itself: {folder / others[0]}" if others else None
    names = " and no ".join(naming.single for naming in NAMINGS if naming.stem != "model.packed")
    return InputError(f"no {names} in it, and no index of such", where=str(folder), hint=hint)


def _walk(top: Path, below: Path) -> Iterator[tuple[Path, bool]]:
    """Every file below ``top``, sorted, and (with ``True``) every folder that is not entered."""
    for name in sorted(_listed(top / below)):
        path = below / name
        if not (top / path).is_dir():
            yield path, False
        elif name.startswith(".") or (top / path).is_symlink():
            yield path, True
        else:
            yield from _walk(top, path)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise unreadable(error, folder) from error


def _stays(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(_WEIGHTS)


def _regular_size(path: Path) -> int | None:
    """Bytes of a regular file or of the one that a link stands for; ``None`` for anything else."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
