"""Many tensors on few lines."""

from __future__ import annotations

import pytest

from modelopt_cli.render.folding import folded, pattern_of, short, unfolded

MIB = 1024**2

Item = tuple[str, str, int]


def labels(items: list[Item]) -> list[tuple[str, int]]:
    groups = folded(items, name=lambda i: i[0], kind=lambda i: i[1], size=lambda i: i[2])
    return [(group.label, len(group.members)) for group in groups]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("layers.0.mlp.up_proj.weight", "layers.*.mlp.up_proj"),
        ("layers.3.mlp.experts.17.up_proj.weight", "layers.*.mlp.experts.*.up_proj"),
        ("layers.0.mlp.up_proj.bias", "layers.*.mlp.up_proj.bias"),
        ("conv1.weight", "conv1"),
        ("12", "*"),
        ("", '""'),
        (".weight", '""'),
    ],
)
def test_numbers_become_stars(name: str, pattern: str) -> None:
    assert pattern_of(name) == pattern


def test_only_the_last_weight_goes() -> None:
    assert short("weight.weight_norm.weight") == "weight.weight_norm"


def test_layers_fold_in_the_order_of_their_first() -> None:
    items = [("b.0.weight", "x", MIB), ("a.weight", "x", MIB), ("b.1.weight", "x", MIB)]
    assert labels(items) == [("b.*", 2), ("a", 1)]


def test_what_became_something_else_stands_alone() -> None:
    items = [("b.0.weight", "int4", MIB), ("b.1.weight", "kept", MIB), ("b.2.weight", "int4", MIB)]
    assert labels(items) == [("b.*", 2), ("b.1", 1)]


def test_small_groups_of_a_kind_share_the_last_line() -> None:
    items = [("n.bias", "kept", 10), ("a.weight", "int4", MIB), ("m.0.bias", "kept", 10)]
    assert labels(items) == [("a", 1), ("2 groups under 0.01 MiB", 2)]


def test_a_single_small_group_keeps_its_name() -> None:
    assert labels([("n.bias", "kept", 10), ("a", "int4", MIB)]) == [("n.bias", 1), ("a", 1)]


def test_a_small_file_shows_all() -> None:
    assert labels([("a", "kept", 10), ("b", "kept", 10)]) == [("a", 1), ("b", 1)]


def test_a_crowd_of_small_ones_is_one_line() -> None:
    items = [(f"t{number}", "kept", 10) for number in range(5000)]
    assert labels(items) == [("5000 groups under 0.01 MiB", 5000)]


def test_unfolded_shows_full_names() -> None:
    assert [group.label for group in unfolded(["a.0.weight", ""], str)] == ["a.0.weight", '""']
