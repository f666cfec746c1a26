"""Real files, and what torch reads from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from compress_core.formats.torch import Torch
from compress_core.opening import open_weights
from tests.compress_core.formats.torch.assembler import tensor, zipped

# name → dtype, shape and the first 16 digits of the SHA-256 of the elements, as torch reads them
RECORDED = json.loads(
    (Path(__file__).parents[3] / "corpus" / "corpus_tensors.json").read_text(encoding="utf-8")
)
SAMPLES = ("lpips_v0.0_alex.pth", "lpips_v0.1_squeeze.pth", "crepe_tiny.pth")
EXPECTED = {name: RECORDED[name] for name in SAMPLES}


def described(path: Path) -> dict[str, Any]:
    found = {}
    with Torch.open(path) as reader:
        for name, info in reader.infos.items():
            data = reader.read(name, 0, info.matrix[0]).tobytes()
            assert data == reader.read_bytes(name, 0, info.nbytes)
            digest = hashlib.sha256(data).hexdigest()[:16]
            found[name] = [info.dtype.code, list(info.shape), digest]
    return found


@pytest.mark.parametrize("file", EXPECTED)
def test_as_torch_reads_them(samples: Path, file: str) -> None:
    found = described(samples / file)
    assert found == EXPECTED[file]
    assert list(found) == list(EXPECTED[file])


@pytest.mark.parametrize("file", EXPECTED)
def test_recognised(samples: Path, file: str) -> None:
    with open_weights(samples / file) as reader:
        assert reader.metadata == {"": {"format": "pt"}}
        assert not reader.notes
        assert not reader.aliases
        assert reader.size() == (samples / file).stat().st_size


def test_heads() -> None:
    path = Path("x")
    assert all(Torch.recognises(path, bytes([0x80, protocol])) for protocol in range(2, 6))
    assert Torch.recognises(path, zipped(tensor())[:4096])
    flat = zipped(tensor()).replace(b"archive/", b"archive_")
    for head in (b"", b"\x80", b"\x80\x06", b"PK", flat):
        assert not Torch.recognises(path, head)
    assert Torch.takes_key(path)
