"""What MLX has no codes for: refused before anything is written, with what to ask for instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress_core import compress, from_config
from compress_core.errors import UsageError
from tests.contracts import zoo

PRUNE = {"pass": "prune", "sparsity": 0.5}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: zoo.Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (16, 128)),
        "0.fc1.bias": zoo.normal("BF16", (16,)),
        "conv.weight": zoo.normal("F32", (16, 64, 3)),
        "norm.weight": np.ones(128, np.float32),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


def run(source: Path, *passes: dict[str, Any]) -> None:
    spec = from_config({"version": 1, "passes": list(passes), "output": {"layout": "mlx"}})
    compress(source, source.with_name("out"), spec)


def quantize(**options: Any) -> dict[str, Any]:
    return {"pass": "quantize", **options}


@pytest.mark.parametrize(
    ("passes", "said", "hint"),
    [
        ([quantize(preset="W4A16_ASYM")], "a zero point times its scale", "--preset MLX4"),
        ([quantize(bits=4)], "groups of 32, 64 or 128 columns for integer", "--group-size 64"),
        ([quantize(scheme="affine", bits=4, group_size=16)], "not g16", "--group-size 64"),
        ([quantize(scheme="mxfp4", group_size=64)], "groups of 32 columns", "--group-size 32"),
        ([quantize(scheme="nvfp4", group_size=32)], "groups of 16 columns", "--group-size 16"),
        ([quantize(preset="W8A8", group_size=64)], "asks for int8 inputs", "--inputs none"),
        ([PRUNE, quantize(preset="MLX4")], "0 is no value of affine codes", "--scheme integer"),
        ([quantize(preset="MLX4"), PRUNE], "0 is no value of affine codes", "--scheme integer"),
        ([quantize(preset="NF4")], "holds no nf4 codes", "--layout packed"),
        ([quantize(scheme="affine", bits=7)], "holds no 7-bit codes", "--layout packed"),
        ([quantize(bits=4, group_size=32, center="mean")], "no group means", "--layout packed"),
        (
            [quantize(bits=4, group_size=32, match=["conv.weight"])],
            "only linear layers and embeddings",
            "--layout packed",
        ),
    ],
)
def test_what_is_refused(passes: list[dict[str, Any]], said: str, hint: str, source: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        run(source, *passes)
    assert hint in str(caught.value.hint)
    assert not source.with_name("out").exists()


def test_a_single_file_is_refused(source: Path) -> None:
    with pytest.raises(UsageError, match="servers read it from a checkpoint folder"):
        run(source / "model.safetensors", quantize(scheme="affine", bits=4))


@pytest.mark.parametrize(
    "options", [{"preset": "W4A16", "group_size": 32}, {"preset": "MXFP4A16"}], ids=str
)
def test_what_is_pruned_can_be_codes_that_hold_zero(options: dict[str, Any], source: Path) -> None:
    run(source, PRUNE, quantize(**options))
    assert source.with_name("out").exists()
