"""What a ``quantization_config`` of anybody says, and what none may say."""

from __future__ import annotations

import time
from typing import Any

import pytest

from compress_core.errors import FormatError
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.groups import Groups, beyond, quantization_of
from compress_core.layouts.compressed_tensors.inputs import inputs_of
from compress_core.layouts.compressed_tensors.patterns import Names

INT4 = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}


def group(*targets: str, **others: Any) -> dict[str, Any]:
    return {"targets": list(targets), "weights": INT4, **others}


def formats(config: dict[str, Any], *modules: str) -> list[str | None]:
    return [found.format for _, found in Groups(config).of(modules)]


def test_a_name_goes_before_an_expression_and_that_before_a_class() -> None:
    config = {
        "format": "mixed-precision",
        "config_groups": {
            "a": group("Linear", format="of the class"),
            "b": group("re:.*fc1$", format="by expression"),
            "c": group("1.fc1", format="by name"),
        },
    }
    found = formats(config, "0.fc1", "1.fc1", "1.fc2")
    assert found == ["by expression", "by name", "of the class"]


def test_a_group_without_a_format_has_that_of_the_config() -> None:
    groups = {"a": group("Linear")}
    assert formats({"format": "pack-quantized", "config_groups": groups}, "x") == ["pack-quantized"]
    assert formats({"format": "mixed-precision", "config_groups": groups}, "x") == [None]
    assert formats({"config_groups": groups}, "x") == [None]


def test_codes_that_no_group_means_are_damage() -> None:
    with pytest.raises(FormatError, match="no group"):
        formats({"config_groups": {"a": group("0.fc1")}}, "0.fc2")


@pytest.mark.parametrize(
    ("given", "strategy", "groups"),
    [
        (INT4, "group", 128),
        ({"num_bits": 8, "group_size": -1, "strategy": "channel"}, "channel", "channel"),
        ({"num_bits": 8}, "tensor", "tensor"),
        ({"num_bits": 4, "group_size": 32}, "group", 32),
        ({"num_bits": 8, "group_size": -1}, "channel", "channel"),
        ({"strategy": "block", "block_structure": [128, 64]}, "block", None),
        ({"strategy": "block", "block_structure": "128x64"}, "block", None),
    ],
)
def test_arguments(given: dict[str, Any], strategy: str, groups: Any) -> None:
    found = Arguments.read(given)
    assert (found.strategy, found.groups) == (strategy, groups)
    assert found.block == ((128, 64) if strategy == "block" else None)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {**INT4, "num_bits": "4"},
        {**INT4, "num_bits": 0},
        {**INT4, "num_bits": True},
        {**INT4, "type": "complex"},
        {**INT4, "group_size": 0},
        {**INT4, "group_size": 2**40},
        {**INT4, "group_size": None},
        {**INT4, "symmetric": "yes"},
        {**INT4, "strategy": ["group"]},
        {**INT4, "strategy": "channel"},
        {"strategy": "block"},
        {"strategy": "block", "block_structure": [128]},
        {"strategy": "block", "block_structure": [0, 128]},
        {"strategy": "block", "block_structure": "128x-1"},
        {"strategy": "block", "block_structure": {"a": 1}},
        {"strategy": "tensor", "block_structure": [1, 1]},
    ],
)
def test_arguments_that_are_none(given: Any) -> None:
    with pytest.raises(FormatError):
        Arguments.read(given)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config_groups": []},
        {"config_groups": {}},
        {"config_groups": {"a": 1}},
        {"config_groups": {"a": {"targets": "Linear", "weights": INT4}}},
        {"config_groups": {"a": {"targets": [1], "weights": INT4}}},
        {"config_groups": {"a": group("Linear", format=4)}},
        {"config_groups": {"a": group("Linear", input_activations=[])}},
        {"config_groups": {"a": group("Linear")}, "format": {}},
    ],
)
def test_configs_that_are_damaged(config: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Groups(config)


@pytest.mark.parametrize(
    "expression",
    ["(", "(a+)+$", "(a|b)*c", "(?=a)b", "a" * 501, ".*.*.*.*.*x", "[", "(a{1,9}){9}"],
)
def test_expressions_that_are_wrong_or_could_take_for_ever_are_refused(expression: str) -> None:
    with pytest.raises((FormatError, NotDecodedError)):
        Names([f"re:{expression}"])


@pytest.mark.parametrize("expression", [".*.*.*.*x", "(a|a)" * 60 + "x", "a?" * 200 + "x"])
def test_no_name_makes_an_expression_slow(expression: str) -> None:
    start = time.monotonic()
    names = Names([f"re:{expression}"])
    with pytest.raises(NotDecodedError, match="not tried"):
        names.matches("a" * 3000)
    assert time.monotonic() - start < 5


def test_expressions_of_other_tools_are_tried() -> None:
    names = Names(["re:.*self_attn\\.(q|k|v|o)_proj$", "re:model\\.layers\\.\\d+\\.mlp.*"])
    assert names.matches("model.layers.0.self_attn.q_proj")
    assert names.matches("model.layers.11.mlp.down_proj")
    assert not names.matches("model.layers.0.self_attn.x_proj")


def test_too_many_expressions_are_not_tried() -> None:
    groups = {"a": group(*(f"re:.*{index}$" for index in range(2000)))}
    with pytest.raises(NotDecodedError, match="too many"):
        formats({"config_groups": groups}, *map(str, range(1000)))


def test_which_configs_are_ours() -> None:
    own = {"quant_method": "compressed-tensors", "config_groups": {}}
    assert quantization_of({"quantization_config": own}) == own
    assert quantization_of({"compression_config": {"config_groups": {}}}) is not None
    others: tuple[Any, ...] = (None, {}, {"quantization_config": 4}, {"quantization_config": {}})
    for other in others:
        assert quantization_of(other) is None
    assert quantization_of({"quantization_config": {"quant_method": "gptq"}}) is None


def test_what_is_beyond_decoding_is_named() -> None:
    assert beyond({"quantization_status": "compressed", "sparsity_config": {}}) is None
    assert "frozen" in str(beyond({"quantization_status": "frozen"}))
    assert "transform" in str(beyond({"transform_config": {"config_groups": {}}}))
    assert "sparse-24" in str(beyond({"sparsity_config": {"format": "sparse-24-bitmask"}}))


def test_inputs_are_named_after_their_format() -> None:
    assert inputs_of(None) is None
    assert inputs_of({"num_bits": 8, "type": "int"}) == "int8"
    assert inputs_of({"num_bits": 8, "type": "float"}) == "fp8"
