"""What the layout holds of a tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import compress, from_config
from compress_core.layouts.compressed_tensors import CompressedTensors
from compress_core.layouts.packed import Packed
from tests.contracts import zoo


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "W4A16"},
        {"preset": "W4A16", "group_size": "tensor"},
        {"preset": "W2A16"},
        {"preset": "W8A8"},
    ],
)
def test_no_scale_is_below_zero(options: dict[str, Any], tmp_path: Path) -> None:
    source = zoo.checkpoint(tmp_path / "in", {"0.fc1.weight": zoo.normal("F32", (64, 256))}, {})
    smallest = {}
    for layout, part in ((CompressedTensors.id, "weight_scale"), (Packed.id, "weight.scale")):
        output = {"layout": layout, "allow_unread": True}
        spec = {"version": 1, "passes": [{"pass": "quantize", **options}], "output": output}
        compress(source, tmp_path / layout, from_config(spec))
        parts: zoo.Arrays = {}
        for file in (tmp_path / layout).glob("*.safetensors"):
            parts |= load_file(file)
        smallest[layout] = float(np.min(parts[f"0.fc1.{part}"]))
    assert smallest[CompressedTensors.id] > 0
    if options in ({"preset": "W4A16"}, {"preset": "W2A16"}):
        assert smallest[Packed.id] < 0
