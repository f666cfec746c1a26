"""What PyTorch makes of our files, and of the numbers in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress_core import Settings, compress, from_config, restore
from compress_core.kernels import floats

pytestmark = pytest.mark.oracle

PASSES = [
    {"pass": "prune", "structure": "2of4"},
    {"pass": "quantize", "bits": 4, "group_size": 32},
]
FORMATS = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


def loaded(path: Path) -> dict[str, Any]:
    """All tensors of a file, as PyTorch reads them."""
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(path)
    return tensors


@pytest.mark.parametrize("code", FORMATS)
def test_every_pattern_widens_as_in_torch(code: str) -> None:
    import torch

    patterns = np.arange(256 if code.startswith("F8") else 65536)
    raw = patterns.astype(np.uint8 if code.startswith("F8") else np.uint16)
    theirs = torch.from_numpy(raw).view(getattr(torch, FORMATS[code])).float().numpy()
    np.testing.assert_array_equal(floats.widen(raw, code), theirs)


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_rounding_is_that_of_torch(code: str) -> None:
    import torch

    values = np.random.default_rng(0).integers(0, 2**32, 1 << 20, dtype=np.uint32).view(np.float32)
    values = values[np.abs(values) < 60000]
    theirs = torch.from_numpy(values).to(getattr(torch, FORMATS[code])).view(torch.int16).numpy()
    np.testing.assert_array_equal(floats.narrow(values, code), theirs.view(np.uint16))


@pytest.mark.parametrize("to", ["bf16", "f16", "f32"])
@pytest.mark.parametrize("source", ["silero_vad_16k.safetensors", "fracast-bf16"])
def test_a_cast_is_that_of_torch(source: str, to: str, samples: Path, tmp_path: Path) -> None:
    import torch

    spec = from_config({"version": 1, "passes": [{"pass": "cast", "to": to}]})
    compress(samples / source, tmp_path / "out", spec)
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[to]
    folder = (samples / source).is_dir()
    shards = sorted((samples / source).glob("*.safetensors")) if folder else [samples / source]
    compared = 0
    for shard in shards:
        made = loaded(tmp_path / "out" / shard.name if folder else tmp_path / "out")
        for name, tensor in loaded(shard).items():
            wanted = tensor.to(dtype) if tensor.is_floating_point() else tensor
            assert made[name].dtype == wanted.dtype, name
            assert torch.equal(made[name], wanted), name
            compared += tensor.is_floating_point()
    assert compared >= 10


def test_dense_and_restored_files_are_the_same_weights_to_torch(
    samples: Path, tmp_path: Path
) -> None:
    import torch

    source = samples / "fracast-bf16"
    for layout in ("dense", "packed"):
        spec = from_config({"version": 1, "passes": PASSES, "output": {"layout": layout}})
        compress(source, tmp_path / layout, spec)
    restore(tmp_path / "packed", tmp_path / "restored")
    for shard in sorted((tmp_path / "dense").glob("*.safetensors")):
        dense, restored = loaded(shard), loaded(tmp_path / "restored" / shard.name)
        assert dense.keys() == restored.keys()
        assert all(torch.equal(dense[name], restored[name]) for name in dense)
        assert {tensor.dtype for tensor in dense.values()} == {torch.bfloat16}


def test_torch_opens_packed_files(samples: Path, tmp_path: Path) -> None:
    spec = from_config({"version": 1, "passes": PASSES})
    target = tmp_path / "packed.safetensors"
    report = compress(samples / "silero_vad_16k.safetensors", target, spec, Settings())
    tensors = loaded(target)
    stored = sum(tensor.element_size() * tensor.numel() for tensor in tensors.values())
    assert stored == report.totals.tensor_bytes_out
