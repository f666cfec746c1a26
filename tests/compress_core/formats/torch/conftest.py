"""Files in a folder of their own, opened as PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compress_core.container import Reader
from compress_core.formats.torch import Torch

Open = Callable[..., Reader]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open bytes as a PyTorch file, at a key if one is given."""
    readers: list[Reader] = []

    def open_bytes(content: bytes, key: str | None = None) -> Reader:
        path = tmp_path / "model.pt"
        path.write_bytes(content)
        reader = Torch.open(path) if key is None else Torch.open_at(path, key)
        readers.append(reader)
        return reader

    yield open_bytes
    for reader in readers:
        reader.close()
