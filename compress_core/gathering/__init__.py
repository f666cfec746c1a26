"""Make a Gram file: run a model over texts, and sum up what its linear layers get.

The one part of the package that a framework is needed for: the extra ``torch``. What is needed of
it stands in :mod:`compress_core.gathering.framework`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress_core import model
from compress_core.atomic import refuse_input
from compress_core.container import Reader
from compress_core.errors import InputError, UnsupportedError, UsageError
from compress_core.gathering.gram_file import GramFile
from compress_core.gathering.texts import Texts
from compress_core.opening import open_weights
from compress_core.settings import Progress

if TYPE_CHECKING:
    from compress_core.gathering.framework import Layer

Tell = Callable[[Progress], None]

MATRIX_MEMORY = 4 * 1024**3


@dataclass(frozen=True)
class Gathering:
    """How a Gram file is made.

    :ivar held_out: share of the texts that the held-out moments are of; 0: there are none.
    :ivar max_length: tokens of a text beyond which it is cut off.
    :ivar batch_size: texts of one length that run through the model together.
    :ivar matrix_memory: bytes of matrices that are summed at once; for more the texts run again.
    :raises UsageError: a number is out of its range.
    """

    held_out: float = 0.2
    max_length: int = 512
    batch_size: int = 8
    matrix_memory: int = MATRIX_MEMORY

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 1:
            raise UsageError("a share of 0 or more and less than 1 can be held out")
        if self.max_length < 1 or self.batch_size < 1:
            raise UsageError("texts have a token at least, and a batch a text")


@dataclass(frozen=True)
class Gathered:
    """What a Gram file was made of.

    :ivar texts: how many; ``held_out``: how many of them.
    :ivar layers: names of the layers that are in the file.
    :ivar notes: what must be said.
    """

    texts: int
    held_out: int
    layers: tuple[str, ...]
    notes: tuple[str, ...]


def gather(
    source: Path | str,
    texts: Path | str,
    target: Path | str,
    gathering: Gathering | None = None,
    *,
    replace: bool = False,
    progress: Tell | None = None,
) -> Gathered:
    """Write the Gram file of a checkpoint folder of transformers.

    Nothing is downloaded, and no code of the folder is run.

    :param texts: a file with one text a line, in UTF-8.
    :raises UsageError: the extra ``torch`` is not installed, or the target must not be replaced.
    :raises InputError: the checkpoint or the texts cannot be used.
    :raises OutputError: ``target`` cannot be written.
    """
    from compress_core.gathering.framework import open_network, require

    require()
    gathering = gathering or Gathering()
    refuse_input(Path(target), Path(texts))
    refuse_input(Path(target), Path(source))
    with open_weights(source) as reader:
        _refuse_others(reader)
        network = open_network(reader.path)
        chosen = Texts.read(Path(texts), gathering.held_out)
        layers, notes = _matched(network.layers, reader)
        tokens = network.tokens(chosen.lines, gathering.max_length)
        with GramFile(Path(target), layers, replace=replace) as file:
            written: list[str] = []
            groups = list(_groups(layers, gathering))
            for index, group in enumerate(groups):
                told = _share(progress, index, len(groups))
                found = network.moments(group, chosen.batches(tokens, gathering.batch_size), told)
                for name, samples in found.items():
                    written += [name] if file.append(name, samples) else []
            if not written:
                raise InputError("no layer of the model got anything", where=str(source))
            file.commit()
    idle = [one.name for one in layers if one.name not in written]
    if idle:
        notes.append(f"no text got to {counted(idle)}: left out")
    return Gathered(len(chosen.lines), chosen.held_out_count, tuple(written), tuple(notes))


def _refuse_others(reader: Reader) -> None:
    """Only folders of plain weights are run."""
    where = str(reader.path)
    if not reader.path.is_dir() or reader.config is None:
        raise UnsupportedError(
            "only checkpoint folders of transformers can be run, with a config.json",
            where=where,
            hint="for other models, see docs/gram.md",
        )
    strings = {key: value for own in reader.metadata.values() for key, value in own.items()}
    scheme = model.quantized_as(reader.infos, strings, reader.config)
    if scheme is not None:
        raise UnsupportedError(
            f"already quantized: {scheme}", where=where, hint="start from the original weights"
        )


def _matched(layers: Sequence[Layer], reader: Reader) -> tuple[list[Layer], list[str]]:
    """The layers whose weights are in the checkpoint as passes see them, and what of the rest."""
    found, turned, absent = [], [], []
    for layer in layers:
        info = reader.infos.get(f"{layer.name}.weight")
        if layer.turned:
            turned.append(layer.name)
        elif info is None or info.matrix[1] != layer.columns:
            absent.append(layer.name)
        else:
            found.append(layer)
    notes = []
    if turned:
        notes.append(f"left out {counted(turned)}: its weight is stored as (in, out)")
    if absent:
        notes.append(f"left out {counted(absent)}: the checkpoint has no such weight of its own")
    if not found:
        raise UnsupportedError(
            "no linear layer of the model has a weight (out, in) in the checkpoint",
            where=str(reader.path),
        )
    return found, notes


def _groups(layers: Sequence[Layer], gathering: Gathering) -> Iterator[list[Layer]]:
    """Layers whose matrices, in float64, fit the memory together; one at the least."""
    samples = 2 if gathering.held_out else 1
    group: list[Layer] = []
    taken = 0
    for layer in layers:
        needed = 8 * samples * layer.columns**2
        if group and taken + needed > gathering.matrix_memory:
            yield group
            group, taken = [], 0
        group.append(layer)
        taken += needed
    yield group


def _share(progress: Tell | None, index: int, groups: int) -> Tell | None:
    """Tells of one run through the texts as a part of all of them."""
    if progress is None:
        return None
    return lambda news: progress(
        Progress(news.stage, index * news.total + news.done, groups * news.total)
    )


def counted(names: Sequence[str]) -> str:
    """The first name, and how many more there are."""
    return f"{names[0]} and {len(names) - 1} more" if names[1:] else names[0]
