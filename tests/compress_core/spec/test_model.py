"""Specs as values: what is checked, and what their canonical dictionary says."""

from __future__ import annotations

import pytest

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.pipeline import Pipeline, Step
from compress_core.select import Pattern, Selector
from compress_core.sizes import parse_size
from compress_core.spec import Output, Spec


def test_a_spec_without_words_copies() -> None:
    assert Spec().config() == {"version": 1}
    assert Spec().to_yaml() == "version: 1\n"
    assert Spec().output == Output("auto", None, True, "error")


def test_the_canonical_dictionary_says_what_differs_and_version_first() -> None:
    prune = registry.get("passes", "prune")
    step = Step(prune(sparsity=0.5), Selector(match=(Pattern("*.mlp.*"),)))
    spec = Spec(
        Pipeline((step,), Selector(ignore=(Pattern("lm_head"),))),
        "edge",
        Output(shard_size=4 * 2**30),
    )
    assert spec.config() == {
        "version": 1,
        "name": "edge",
        "select": {"ignore": ["lm_head"]},
        "passes": [{"pass": "prune", "sparsity": 0.5, "match": ["*.mlp.*"]}],
        "output": {"shard_size": "4 GiB"},
    }
    assert list(spec.config()) == ["version", "name", "select", "passes", "output"]
    assert next(iter(spec.config()["passes"][0])) == "pass"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 B"),
        (4097, "4097 B"),
        (64 * 1024, "64 KiB"),
        (25_000_000, "25 MB"),
        (4 * 2**30, "4 GiB"),
        (2**40, "1 TiB"),
        (5_000_000_000, "5 GB"),
        (2**63 - 1, "9223372036854775807 B"),
    ],
)
def test_sizes_are_exact_texts(count: int, text: str) -> None:
    assert Output(shard_size=count).config() == {"shard_size": text}


@pytest.mark.parametrize("count", [1, 4097, 25_000_000, 2**40, 10**18 - 1])
def test_size_texts_are_read_again(count: int) -> None:
    assert parse_size(Output(shard_size=count).config()["shard_size"]) == count


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"layout": "no-such"}, "layout"),
        ({"layout": ""}, "layout"),
        ({"shard_size": 0}, "shard_size"),
        ({"shard_size": "4 GiB"}, "shard_size"),
        ({"copy_side_files": 1}, "copy_side_files"),
        ({"on_exists": "skip"}, "on_exists"),
        ({"on_exists": None}, "on_exists"),
    ],
)
def test_an_output_is_checked(options: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        Output.from_config(options)
    assert caught.value.where == where


@pytest.mark.parametrize("layout", ["auto", *registry.names("layouts")])
def test_every_layout_is_accepted(layout: str) -> None:
    assert Output(layout=layout).layout == layout


@pytest.mark.parametrize("name", ["edge", "W4A16", "a b", "größe", "x" * 100, "v1.2"])
def test_names(name: str) -> None:
    assert Spec(name=name).name == name


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".hidden", "a\\b", "a\nb", " a", "x" * 101, "a:b"]
)
def test_a_name_can_be_part_of_a_file_name(name: str) -> None:
    with pytest.raises(UsageError, match="is no name") as caught:
        Spec(name=name)
    assert caught.value.where == "name"
