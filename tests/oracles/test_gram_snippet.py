"""The snippet in the documentation writes a Gram file of a model of PyTorch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from compress_core import compress, from_config

pytestmark = pytest.mark.oracle

PAGE = Path(__file__).parents[2] / "docs" / "gram.md"
SNIPPET = re.compile(r"^```py\n([^`]*)^```$", re.MULTILINE)


def test_it_writes_what_the_tool_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Twice(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.up = torch.nn.Linear(12, 30)
            self.down = torch.nn.Linear(30, 8)

        def forward(self, x: Any) -> Any:
            return self.down(torch.relu(self.up(x)))

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = Twice()
    batches = [{"x": torch.randn(5, 7, 12)} for _ in range(20)]
    (snippet,) = SNIPPET.findall(PAGE.read_text(encoding="utf-8"))
    exec(snippet, {"model": model, "batches": batches})

    found = load_file("model.gram.safetensors")
    rows = np.concatenate([one["x"].numpy().reshape(-1, 12) for one in batches]).astype(np.float64)
    np.testing.assert_allclose(found["up.gram"], rows.T @ rows / len(rows), rtol=1e-5, atol=1e-6)

    save_file({name: one.numpy() for name, one in model.state_dict().items()}, "m.safetensors")
    step = {"pass": "prune", "sparsity": 0.5, "method": "admm"}
    spec = from_config({"version": 1, "passes": [step], "gram": "model.gram.safetensors"})
    report = compress("m.safetensors", "o.safetensors", spec)
    assert sum(tensor.outputs is not None for tensor in report.tensors) == 2
