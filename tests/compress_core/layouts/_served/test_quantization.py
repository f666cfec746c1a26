"""Where a config describes codes."""

from __future__ import annotations

from typing import Any

import pytest

from compress_core.layouts._served.quantization import method_of, without_quantization


def test_a_config_of_plain_weights_describes_none() -> None:
    config = {"a": 1, "quantization_config": {}, "compression_config": {}, "b": 2}
    assert without_quantization(config) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("config", "method"),
    [
        (None, None),
        ({}, None),
        ({"quantization_config": 4}, None),
        ({"quantization_config": {}}, None),
        ({"quantization_config": {"quant_method": ["gptq"]}}, None),
        ({"quantization_config": {"quant_method": "gptq"}}, "gptq"),
    ],
)
def test_only_a_word_is_a_method(config: Any, method: str | None) -> None:
    assert method_of(config) == method
