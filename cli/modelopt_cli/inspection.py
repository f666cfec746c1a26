"""What a file holds, as far as headers tell, and on request what its values are like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compress_core
from compress_core.model import quantized_as, role
from compress_core.sizes import human

if TYPE_CHECKING:
    from compress_core import Settings
    from compress_core.container import Reader
    from compress_core.statistics import TensorStatistics


@dataclass(frozen=True)
class TensorContents:
    """One tensor.

    :ivar dtype: of the values that a reader gets.
    :ivar form: how this tool stores it, such as ``int4 g128``; ``tied`` for another name of a
        tensor, ``None`` for plain values.
    :ivar nbytes: bytes of all its parts in the file.
    :ivar error: the error that the file records for it.
    :ivar tied_to: the tensor that it is another name of.
    :ivar statistics: of its values, as a reader gets them; ``None`` if only headers were read.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    form: str | None
    nbytes: int
    role: str
    error: float | None
    tied_to: str | None = None
    statistics: TensorStatistics | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        said: dict[str, Any] = {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "form": self.form,
            "bytes": self.nbytes,
            "role": self.role,
            "error": self.error,
            "tied_to": self.tied_to,
        }
        return said if self.statistics is None else {**said, "stats": self.statistics.to_json()}


@dataclass(frozen=True)
class Contents:
    """A file or a folder.

    :ivar nbytes: bytes of all weight files, headers included.
    :ivar metadata: name of a weight file (empty for a single file) → its metadata.
    :ivar quantized_as: the scheme of weights that are codes already.
    """

    path: str
    nbytes: int
    tensors: tuple[TensorContents, ...]
    metadata: Mapping[str, Mapping[str, str]]
    quantized_as: str | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "path": self.path,
            "bytes": self.nbytes,
            "quantized_as": self.quantized_as,
            "metadata": {file: dict(strings) for file, strings in self.metadata.items()},
            "notes": list(self.notes),
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


def contents_of(path: Path, key: str | None = None, stats: Settings | None = None) -> Contents:
    """Read the headers of ``path``.

    :param key: which set of weights, where a file holds several.
    :param stats: how to read the data as well; without it they are left alone.
    :raises InputError: it is no weight file that can be read.
    """
    with (
        compress_core.open_weights(path, key) as stored,
        compress_core.open_logical(path, key) as logical,
    ):
        strings = {key: value for one in stored.metadata.values() for key, value in one.items()}
        known = {} if stats is None else _measured(logical, stats)
        return Contents(
            path=str(path),
            nbytes=stored.size(),
            tensors=tuple(_tensor(name, logical, known.get(name)) for name in logical.infos),
            metadata=logical.metadata,
            quantized_as=quantized_as(stored.infos, strings, stored.config),
            notes=(*logical.notes, *_savings(known.values())),
        )


def _measured(logical: Reader, settings: Settings) -> dict[str, TensorStatistics]:
    from compress_core.measuring import measure  # a look at headers has no use for it

    return measure(logical, settings)


def _savings(known: Iterable[TensorStatistics]) -> list[str]:
    fitting = [one for one in known if one.fits]
    if not fitting:
        return []
    said = "1 tensor has" if len(fitting) == 1 else f"{len(fitting)} tensors have"
    saved = human(sum(one.saves for one in fitting))
    return [f"{said} only values that a narrower dtype holds exactly: {saved} to save without loss"]


def _tensor(name: str, logical: Reader, statistics: TensorStatistics | None) -> TensorContents:
    info, recorded = logical.infos[name], logical.errors.get(name)
    return TensorContents(
        name=name,
        dtype=info.dtype.code,
        shape=info.shape,
        form=_form(name, logical),
        nbytes=logical.stored_bytes(name),
        role=role(info, logical.config),
        error=None if recorded is None else recorded.error,
        tied_to=logical.aliases.get(name),
        statistics=statistics,
    )


def _form(name: str, logical: Reader) -> str | None:
    if name in logical.aliases:
        return "tied"
    return str(logical.forms[name]) if name in logical.forms else None
