"""``quantization`` in ``config.json``, read."""

from __future__ import annotations

from typing import Any

import pytest

from compress_core.errors import FormatError
from compress_core.layouts.mlx.arguments import Arguments, Quantization, quantization_of

FOUR: dict[str, Any] = {"group_size": 64, "bits": 4}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (FOUR, Arguments(4, 64, "affine")),
        ({}, Arguments(4, 64, "affine")),
        ({"mode": "mxfp8"}, Arguments(8, 32, "mxfp8")),
        ({"mode": "nvfp4", "bits": None}, Arguments(4, 16, "nvfp4")),
        ({**FOUR, "mode": "newer"}, Arguments(4, 64, "newer")),
    ],
)
def test_what_is_left_out_is_as_mlx_has_it(given: dict[str, Any], found: Arguments) -> None:
    assert Arguments.read(given) == found


@pytest.mark.parametrize(
    "change",
    [
        {"bits": "4"},
        {"bits": True},
        {"bits": 33},
        {"bits": -4},
        {"group_size": 2**40},
        {"group_size": -1},
        {"group_size": [64]},
        {"mode": 4},
    ],
)
def test_what_are_no_arguments_is_damage(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Arguments.read({**FOUR, **change})


def test_a_layer_may_have_arguments_of_its_own() -> None:
    found = Quantization({**FOUR, "a": {"bits": 8, "group_size": 32}, "b": True, "c": False})
    assert found.of("a") == Arguments(8, 32, "affine")
    assert found.of("b") == found.of("d") == Arguments(4, 64, "affine")
    with pytest.raises(FormatError, match="it has codes, and quantization says False"):
        found.of("c")


@pytest.mark.parametrize(
    ("config", "is_ours"),
    [
        ({"quantization": FOUR}, True),
        ({"quantization_config": FOUR}, True),
        ({"quantization_config": {**FOUR, "quant_method": "gptq"}}, False),
        ({"quantization": {"quant_algo": "NVFP4"}}, False),
        ({"quantization": [FOUR]}, False),
        ({}, False),
        (None, False),
    ],
)
def test_where_it_is_looked_for(config: Any, is_ours: bool) -> None:
    assert (quantization_of(config) is not None) is is_ours
