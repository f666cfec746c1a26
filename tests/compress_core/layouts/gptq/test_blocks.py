"""Layers in numbered blocks, by their names."""

from __future__ import annotations

import pytest

from compress_core.layouts.gptq.blocks import Place, only, place_of


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("model.layers.12.mlp.up_proj", Place("model.layers", 12, "mlp.up_proj")),
        ("0.fc", Place("", 0, "fc")),
        ("model.layers.1.experts.3.w1", Place("model.layers", 1, "experts.3.w1")),
        ("lm_head", None),
        ("model.fc1", None),
        ("blocks.0", None),
    ],
)
def test_the_first_number_is_that_of_the_block(module: str, place: Place | None) -> None:
    assert place_of(module) == place


def test_nothing_is_said_where_all_layers_of_blocks_have_codes() -> None:
    assert only(["layers.0.a", "layers.1.a"], ["lm_head", "others.0.b"]) is None


def test_layers_that_have_codes_in_all_blocks_are_named_once() -> None:
    dense = ["layers.0.mlp.fc2", "layers.1.mlp.fc2"]
    assert only(["layers.0.mlp.fc1", "layers.1.mlp.fc1"], dense) == ["mlp.fc1"]


@pytest.mark.parametrize(
    "dense", ["layers.10.mlp.fc1", "layers.0.other_mlp.fc1", "layers.0.mlp.fc10"]
)
def test_names_that_would_mean_a_dense_layer_have_the_number_of_their_block(dense: str) -> None:
    coded = ["layers.1.mlp.fc1", "layers.2.mlp.fc1"]
    assert only(coded, [dense]) == [".1.mlp.fc1", ".2.mlp.fc1"]


def test_numbers_that_would_mean_other_blocks_have_their_name() -> None:
    coded = ["text.layers.1.fc1"]
    assert only(coded, ["text.layers.2.fc1", "vision.layers.1.fc1"]) == coded


def test_layers_outside_of_blocks_have_their_own_names() -> None:
    coded = ["layers.0.fc1", "pooler.dense"]
    assert only(coded, ["layers.0.fc2"]) == ["fc1", "pooler.dense"]
