"""A checkpoint folder as model hubs have it: config, tokenizer, weights in one or more shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress_core import registry
from compress_core.container import Reader
from compress_core.formats.base import Format

if TYPE_CHECKING:  # every format is asked whether it knows a file; the one that does needs readers
    from compress_core.formats.folder.reader import FolderReader
    from compress_core.formats.folder.writer import FolderWriter


class CheckpointFolder(Format):
    """A folder with ``model.safetensors``, or an index and its shards, and usually ``config.json``.

    ``model.packed.safetensors`` (and its index) are read as well: so this tool calls weights that
    other loaders must not take for plain ones. Where there are no safetensors,
    ``pytorch_model.bin`` or its shards are read.
    """

    id = "folder"
    summary = "a checkpoint folder: one file or shards with an index, safetensors or PyTorch"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Every folder: what is missing in one is said when it is opened."""
        return not head and path.is_dir()

    @classmethod
    def open(cls, path: Path) -> FolderReader:
        from compress_core.formats.folder.reader import FolderReader

        return FolderReader(path)

    @classmethod
    def takes_key(cls, path: Path) -> bool:
        from compress_core.formats.folder.contents import find_weights

        single_file: type[Format] = registry.get("formats", find_weights(path).format)
        return single_file.takes_key(path)

    @classmethod
    def open_at(cls, path: Path, key: str) -> FolderReader:
        from compress_core.formats.folder.reader import FolderReader

        return FolderReader(path, key)

    @classmethod
    def writer(cls, target: Path, source: Reader, *, replace: bool) -> FolderWriter:
        from compress_core.formats.folder.writer import FolderWriter

        return FolderWriter(target, source, replace=replace)
