"""Blocks of 8-bit floats: one scale for 128 rows of a group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compress_core import compress, from_config, open_logical
from compress_core.errors import FormatError, UsageError
from compress_core.passes.quantize import Quantize
from compress_core.schemes.fp8_block import Fp8Block
from compress_core.settings import Settings
from tests.contracts import zoo


def test_the_largest_of_a_block_decides() -> None:
    values = np.random.default_rng(1).standard_normal((300, 256)).astype(np.float32)
    scale = Fp8Block(8, 128).fit(values, None)["scale"]
    assert scale.shape == (300, 2)
    for rows in (slice(0, 128), slice(128, 256), slice(256, 300)):
        for group in range(2):
            largest = np.abs(values[rows, group * 128 : group * 128 + 128]).max()
            assert (scale[rows, group] == largest / np.float32(448)).all()


def test_tiles_never_part_a_block(tmp_path: Path) -> None:
    arrays: zoo.Arrays = {"0.fc1.weight": zoo.normal("BF16", (1000, 1280))}
    source = zoo.checkpoint(tmp_path / "in", arrays, {})
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "preset": "FP8_BLOCK"}]})
    digests = set()
    for jobs in (1, 2):
        compress(source, tmp_path / f"{jobs}", spec, Settings(jobs=jobs))
        digests.add(zoo.digest(tmp_path / f"{jobs}"))
    assert len(digests) == 1
    with open_logical(tmp_path / "1") as reader:
        assert str(reader.forms["0.fc1.weight"]) == "fp8 128x128 a8"
        whole = reader.read("0.fc1.weight", 0, 1000)
        assert zoo.same(reader.read("0.fc1.weight", 130, 400), whole[130:400])


def test_a_block_has_columns() -> None:
    for size in ("channel", "tensor"):
        with pytest.raises(UsageError, match="a block has"):
            Quantize(scheme="fp8-block", group_size=size)
        with pytest.raises(FormatError):
            Fp8Block(8, size).validate()
