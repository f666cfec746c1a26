"""Read a checkpoint folder: all its shards as one container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core import registry
from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.formats.folder.config import read_config
from compress_core.formats.folder.contents import Weights, find_weights
from compress_core.formats.folder.index import Index
from compress_core.strict_json import shown
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np


class FolderReader(Reader):
    """The tensors of a folder: shard by shard in the order of their names, then of their headers.

    Only the weights, their index and ``config.json`` are opened; nothing else that lies there is.

    :param key: which set of weights of each file.
    :raises InputError: unreadable, corrupt, hostile or not supported; ``where`` names the shard.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = path
        found = find_weights(path)
        self.notes: list[str] = found.notes
        self._index_size = found.index.nbytes if found.index else 0
        self._readers: dict[str, Reader] = {}
        try:
            self._open_shards(found, key)
        except BaseException:
            self.close()
            raise
        opened = self._readers.items()
        self.metadata = {shard: reader.metadata[""] for shard, reader in opened}
        self.aliases = {
            name: first
            for shard, reader in opened
            for name, first in reader.aliases.items()
            # the index may take either name from another file
            if self.shards.get(name) == self.shards.get(first) == shard
        }
        self.notes += [f"{shard}: {note}" for shard, reader in opened for note in reader.notes]
        self.config, said = read_config(path)
        self.notes += [] if said is None else [said]

    def read(self, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Rows ``start:stop`` of the matrix view; see :class:`Reader`."""
        return self._readers[self.shards[name]].read(name, start, stop)

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start:stop`` of a tensor's data; see :class:`Reader`."""
        return self._readers[self.shards[name]].read_bytes(name, start, stop)

    def size(self) -> int:
        """Bytes of all shards that are read, and of their index."""
        return self._index_size + sum(reader.size() for reader in self._readers.values())

    def stored_bytes(self, name: str) -> int:
        """Bytes that a tensor takes in its shard."""
        if name in self.aliases:
            return 0
        reader = self._readers[self.shards[name]]
        # another name for what the index takes from elsewhere is the only one here
        return reader.infos[name].nbytes if name in reader.aliases else reader.stored_bytes(name)

    def spooled(self) -> int:
        """Bytes that reading all shards will still put into the folder of temporary files."""
        return sum(reader.spooled() for reader in self._readers.values())

    def close(self) -> None:
        """Give all file handles back."""
        for reader in self._readers.values():
            reader.close()

    def _open_shards(self, found: Weights, key: str | None) -> None:
        # as the names say, and never by content: an index must not lead from one format to another
        single_file = registry.get("formats", found.format)
        names = [found.single] if found.single else sorted(set(_mapped(found).values()))
        for name in names:
            file = self.path / name
            opened = single_file.open(file) if key is None else single_file.open_at(file, key)
            self._readers[name] = opened
        infos: dict[str, TensorInfo] = {}
        shards: dict[str, str] = {}
        for shard, reader in self._readers.items():
            for name, info in reader.infos.items():
                if found.index is None or found.index.weight_map.get(name) == shard:
                    infos[name], shards[name] = info, shard
        self.infos, self.shards = infos, shards
        if found.index is not None:
            self._check_against(found.index)

    def _check_against(self, index: Index) -> None:
        for name, shard in index.weight_map.items():
            if name not in self.infos:
                said = f"tensor {shown(name)} is not in it, though the index says so"
                raise FormatError(said, where=str(self.path / shard))
        unmapped = sum(len(reader.infos) for reader in self._readers.values()) - len(self.infos)
        if unmapped:
            said = "1 tensor is" if unmapped == 1 else f"{unmapped} tensors are"
            self.notes.append(f"{said} in a shard but not in the index: left out")
        held = sum(info.nbytes for info in self.infos.values())
        if index.total_size is not None and index.total_size != held:
            said = str(index.total_size)[:40]
            self.notes.append(f"total_size of the index is {said}; the tensors have {held} bytes")


def _mapped(found: Weights) -> Mapping[str, str]:
    return found.index.weight_map if found.index else {}
