"""From flags to specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.errors import UsageError
from compress_core.spec import Spec, from_config
from modelopt_cli.options import Selecting, Storing
from modelopt_cli.request import narrowed, spec_asked, spec_from_flags


def preset(**step: object) -> Spec:
    return from_config({"version": 1, "passes": [{"pass": "quantize", "preset": "W4A16", **step}]})


def test_flags_are_a_spec() -> None:
    spec = spec_from_flags("prune", {"sparsity": 0.5})
    assert spec == from_config({"version": 1, "passes": [{"pass": "prune", "sparsity": 0.5}]})


@pytest.mark.parametrize(
    ("name", "chosen", "where"),
    [
        ("prune", {}, "--sparsity"),
        ("prune", {"structure": "2of4", "sparsity": 0.5}, "--sparsity"),
        ("quantize", {}, "--bits"),
        ("quantize", {"bits": 4, "symmetric": False, "center": "mean"}, "--center"),
    ],
)
def test_what_does_not_go_together_names_the_flag(
    name: str, chosen: dict[str, object], where: str
) -> None:
    with pytest.raises(UsageError) as raised:
        spec_from_flags(name, chosen)
    assert raised.value.where == where


def test_match_replaces_and_ignore_adds() -> None:
    spec = from_config({"version": 1, "select": {"match": ["a"], "ignore": ["b"]}})
    narrower = narrowed(spec, Selecting(match=("c",), ignore=("d",)), Storing())
    assert narrower.config()["select"] == {"match": ["c"], "ignore": ["b", "d"]}


def test_nothing_given_changes_nothing() -> None:
    spec = from_config({"version": 1, "select": {"ignore": ["b"]}, "output": {"layout": "dense"}})
    assert narrowed(spec, Selecting(), Storing()) == spec


def test_flags_of_storage_win() -> None:
    spec = from_config({"version": 1, "output": {"layout": "dense", "copy_side_files": False}})
    stored = narrowed(spec, Selecting(), Storing(layout="packed", shard_size=4096)).output
    assert (stored.layout, stored.shard_size, stored.copy_side_files) == ("packed", 4096, False)


def test_pass_and_file_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    asked = spec_asked(["prune sparsity=0.5", "quantize bits=4"], None)
    file.write_text(asked.to_yaml())
    assert spec_asked([], file) == asked


def test_one_of_pass_and_spec() -> None:
    assert spec_asked([], None) == from_config({"version": 1})
    with pytest.raises(UsageError, match="exclude each other"):
        spec_asked(["prune sparsity=0.5"], Path("s.yaml"))
