"""What is known of the inputs of layers: Gram files, and importance matrices of llama.cpp."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from compress_core.grams.base import SAMPLES, Grams, Sample
from compress_core.grams.gram_file import GramFile
from compress_core.grams.imatrix import Imatrix
from compress_core.tensors import TensorInfo

__all__ = ["SAMPLES", "Grams", "Sample", "open_grams"]


def open_grams(path: Path | str, infos: Iterable[TensorInfo]) -> Grams:
    """The file at ``path``, whose content tells what it is; no values are read.

    :param infos: the tensors of the model.
    :raises InputError: it cannot be read, or does not go with the shapes of the tensors.
    :raises UsageError: it is of another model.
    """
    imatrix = Imatrix.recognised(Path(path))
    return GramFile.open(path, infos) if imatrix is None else imatrix.of(infos)
