"""What a file holds, as far as headers tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compress_core
from compress_core.model import quantized_as, role

if TYPE_CHECKING:
    from compress_core.container import Reader


@dataclass(frozen=True)
class TensorContents:
    """One tensor.

    :ivar dtype: of the values that a reader gets.
    :ivar form: how this tool stores it, such as ``int4 g128``; ``None`` for plain values.
    :ivar nbytes: bytes of all its parts in the file.
    :ivar error: the error that the file records for it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    form: str | None
    nbytes: int
    role: str
    error: float | None


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
        tensors = [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "form": tensor.form,
                "bytes": tensor.nbytes,
                "role": tensor.role,
                "error": tensor.error,
            }
            for tensor in self.tensors
        ]
        return {
            "path": self.path,
            "bytes": self.nbytes,
            "quantized_as": self.quantized_as,
            "metadata": {file: dict(strings) for file, strings in self.metadata.items()},
            "notes": list(self.notes),
            "tensors": tensors,
        }


def contents_of(path: Path) -> Contents:
    """Read the headers of ``path``.

    :raises InputError: it is no weight file that can be read.
    """
    with compress_core.open_weights(path) as stored, compress_core.open_logical(path) as logical:
        strings = {key: value for one in stored.metadata.values() for key, value in one.items()}
        return Contents(
            path=str(path),
            nbytes=stored.size(),
            tensors=tuple(_tensor(name, logical) for name in logical.infos),
            metadata=logical.metadata,
            quantized_as=quantized_as(stored.infos, strings, stored.config),
            notes=tuple(logical.notes),
        )


def _tensor(name: str, logical: Reader) -> TensorContents:
    info, recorded = logical.infos[name], logical.errors.get(name)
    return TensorContents(
        name=name,
        dtype=info.dtype.code,
        shape=info.shape,
        form=str(logical.forms[name]) if name in logical.forms else None,
        nbytes=logical.stored_bytes(name),
        role=role(info, logical.config),
        error=None if recorded is None else recorded.error,
    )
