"""Write a checkpoint folder: shards, their index, and what lies beside the source's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core import registry
from compress_core.atomic import (
    PartFile,
    PartFolder,
    check_folder,
    check_space,
    refuse_nested,
    write_text,
)
from compress_core.container import FilePlan, Reader, Writer
from compress_core.errors import OutputError, OutputExistsError
from compress_core.formats.folder.config import CONFIG, config_text, read_config
from compress_core.formats.folder.contents import (
    DESCRIPTIONS,
    NAMINGS,
    SideFiles,
    first_foreign,
    side_files,
)
from compress_core.formats.folder.index import index_name, index_text, is_shard_name
from compress_core.inputs import InputFile

if TYPE_CHECKING:
    import numpy as np

_AT_ONCE = 1 << 24


class FolderWriter(Writer):
    """A folder at ``target``, built beside it, visible after ``commit``; the index comes last."""

    def __init__(self, target: Path, source: Reader, *, replace: bool) -> None:
        self._target = target
        self._source = source
        self._replace = replace
        self._folder: PartFolder | None = None
        self._files: Sequence[FilePlan] = ()
        self._writers: dict[str, Writer] = {}
        self._writer_of: dict[str, Writer] = {}

    def measure(self, files: Sequence[FilePlan]) -> dict[str, int]:
        """Bytes of every shard, and of the index when there is more than one."""
        sizes: dict[str, int] = {}
        for plan in files:
            sizes |= self._single(self._target, plan).measure([plan])
        if len(files) > 1:
            sizes[_index_of(files)] = len(index_text(files).encode("utf-8"))
        return sizes

    def check(self) -> None:
        """Refuse a target that overlaps with the input, or cannot be replaced."""
        refuse_nested(self._target, self._source.path)
        check_folder(self._target, replace=self._replace)
        own = set() if self._own_config() is None else {Path(CONFIG)}
        foreign = first_foreign(self._target, {*self._beside().copied, *own})
        if foreign is not None:
            raise OutputExistsError(
                f"the output is a folder that also holds {foreign}, which would be lost",
                where=str(self._target),
                hint="choose another output, or move that away",
            )

    def begin(self, files: Sequence[FilePlan]) -> None:
        """Check the target, open all shards, copy what goes along."""
        self.check()
        beside = self._beside()
        needed = sum(self.measure(files).values()) + sum(beside.copied.values())
        self._files = files
        self._folder = PartFolder(self._target, replace=self._replace)
        try:
            with self._named():
                check_space(self._folder.path, needed, temporary=self._source.spooled())
                for plan in files:
                    self._begin_shard(self._folder.path, plan)
                config = self._own_config()
                for path in beside.copied:
                    if config is None or path != Path(CONFIG):
                        _copy(self._source.path / path, self._folder.path / path)
                if config is not None:
                    write_text(self._folder.path / CONFIG, config, replace=False)
        except BaseException:
            self.abort()
            raise

    def write(self, part: str, first_row: int, data: np.ndarray[Any, Any]) -> None:
        """Write rows of a part; see :class:`Writer`."""
        with self._named():
            self._writer_of[part].write(part, first_row, data)

    def write_columns(self, part: str, first_column: int, data: np.ndarray[Any, Any]) -> None:
        """Write columns of a part; see :class:`Writer`."""
        with self._named():
            self._writer_of[part].write_columns(part, first_column, data)

    def write_bytes(self, part: str, offset: int, data: bytes) -> None:
        """Write raw bytes of a part; see :class:`Writer`."""
        with self._named():
            self._writer_of[part].write_bytes(part, offset, data)

    def append(self, part: str, data: np.ndarray[Any, Any], nbits: int) -> None:
        """Append bits to a part; see :class:`Writer`."""
        with self._named():
            self._writer_of[part].append(part, data, nbits)

    def commit(self, metadata: Mapping[str | None, Mapping[str, str]]) -> None:
        """Finish all shards, write the index, put the folder in its place."""
        if self._folder is None:
            raise RuntimeError("commit before begin")
        with self._named():
            for writer in self._writers.values():
                writer.commit(metadata)
            if len(self._files) > 1:
                index = self._folder.path / _index_of(self._files)
                write_text(index, index_text(self._files), replace=False)
        self._folder.commit()

    def abort(self) -> None:
        """Remove everything that was built."""
        for writer in self._writers.values():
            writer.abort()
        if self._folder is not None:
            self._folder.abort()

    def _begin_shard(self, folder: Path, plan: FilePlan) -> None:
        writer = self._single(folder, plan)
        self._writers[str(plan.name)] = writer
        self._writer_of |= dict.fromkeys(plan.parts, writer)
        writer.begin([plan])

    def _single(self, folder: Path, plan: FilePlan) -> Writer:
        name = plan.name or ""
        if not is_shard_name(name):
            raise RuntimeError(f"{name}: no name of a weight file")
        single_file = registry.get("formats", "safetensors")
        writer: Writer = single_file.writer(folder / name, self._source, replace=False)
        return writer

    def _beside(self) -> SideFiles:
        if not self.copy_side_files or not self._source.path.is_dir():
            return SideFiles()
        found = side_files(self._source.path)
        if self._source.forms:
            found = _without(found, DESCRIPTIONS)
        read = {*self._source.shards.values(), *(naming.index for naming in NAMINGS)}
        wrong = [name for name in self._source.described_in if Path(name) in found.copied]
        self.left_out = [*(path for path in found.left_out if path not in read), *wrong]
        copied = {path: size for path, size in found.copied.items() if str(path) not in wrong}
        return replace(found, copied=copied)

    def _own_config(self) -> str | None:
        """``config.json`` where it is to say something else than the source's."""
        if self.config is None or self.config == read_config(self._source.path)[0]:
            return None
        return config_text(self.config)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the file as it will be called, not the unfinished folder that holds it."""
        try:
            yield
        except OutputError as error:
            if self._folder is not None and error.where is not None:
                error.where = error.where.replace(str(self._folder.path), str(self._target))
            raise


def _index_of(files: Sequence[FilePlan]) -> str:
    return index_name([str(plan.name) for plan in files])


def _without(found: SideFiles, names: Sequence[str]) -> SideFiles:
    """What goes along but for files of these names: codes that they describe are decoded."""
    gone = [path for path in found.copied if str(path) in names]
    copied = {path: size for path, size in found.copied.items() if path not in gone}
    return SideFiles(copied, (*found.left_out, *map(str, gone)))


def _copy(source: Path, target: Path) -> None:
    """Copy content, not modes or times: links become the files they stand for."""
    target.parent.mkdir(parents=True, exist_ok=True)
    file = InputFile(source)
    try:
        with PartFile(target, replace=False) as out:
            for start in range(0, file.size, _AT_ONCE):
                out.pwrite(file.read(start, min(start + _AT_ONCE, file.size)), start)
            out.commit()
    finally:
        file.close()
