"""From flags to specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.errors import UsageError
from compress_core.spec import Spec, from_config
from modelopt_cli.options import Selecting, Storing
from modelopt_cli.request import for_source, narrowed, spec_asked, spec_from_flags


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


def test_a_preset_is_for_the_linear_layers_of_a_folder(tmp_path: Path) -> None:
    step = for_source(preset(), tmp_path).config()["passes"][0]
    assert step == {"pass": "quantize", "preset": "W4A16", "where": {"role": "linear"}}


def test_a_preset_takes_all_of_a_file(tmp_path: Path) -> None:
    assert for_source(preset(), tmp_path / "model.safetensors") == preset()


@pytest.mark.parametrize(
    "spec",
    [
        preset(where={"ndim": 2}),
        from_config(
            {
                "version": 1,
                "select": {"where": {"ndim": 2}},
                "passes": [{"pass": "quantize", "preset": "W4A16"}],
            }
        ),
        from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]}),
        from_config({"version": 1, "passes": [{"pass": "prune", "sparsity": 0.5}]}),
    ],
)
def test_a_written_condition_stands(tmp_path: Path, spec: Spec) -> None:
    assert for_source(spec, tmp_path) == spec


def test_pass_and_file_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    asked = spec_asked(["prune sparsity=0.5", "quantize bits=4"], None)
    file.write_text(asked.to_yaml())
    assert spec_asked([], file) == asked


def test_one_of_pass_and_spec() -> None:
    with pytest.raises(UsageError, match="nothing to do"):
        spec_asked([], None)
    with pytest.raises(UsageError, match="exclude each other"):
        spec_asked(["prune sparsity=0.5"], Path("s.yaml"))
