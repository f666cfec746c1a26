"""Ids are module names; whatever lies in a folder is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compress_core import registry
from compress_core.errors import UsageError

Bring = Callable[[str, str], None]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bring]:
    """Install a distribution that has one pass: its name and its target."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")

    def install(name: str, target: str) -> None:
        (info / "entry_points.txt").write_text(f"[modelopt_cli.passes]\n{name} = {target}\n")
        monkeypatch.syspath_prepend(tmp_path)
        _forget()

    yield install
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    registry._plugins.cache_clear()
    registry.get.cache_clear()


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_module_of_a_folder_is_found_by_its_id(kind: str) -> None:
    assert list(registry.names(kind)) == sorted(registry.names(kind))
    for name, cls in registry.all_of(kind).items():
        assert cls.id == name


def test_the_passes_are_there() -> None:
    assert {"prune", "quantize"} <= set(registry.names("passes"))


def test_base_modules_are_no_ids() -> None:
    assert "base" not in registry.names("passes")


@pytest.mark.parametrize(
    "name", ["prun", "", "base", "__init__", "../prune", "passes.prune", "Prune"]
)
def test_an_unknown_id_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown pass: "):
        registry.get("passes", name)


def test_an_unknown_id_names_the_nearest_and_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        registry.known("passes", "prun", where="pass")
    assert (caught.value.hint, caught.value.where) == ("did you mean prune?", "pass")


def test_a_plug_in_is_found(bring: Bring) -> None:
    bring("fold", "collections:OrderedDict")
    assert "fold" in registry.names("passes")
    assert registry.get("passes", "fold").__name__ == "OrderedDict"


def test_a_plug_in_does_not_replace_what_is_built_in(bring: Bring) -> None:
    bring("prune", "collections:OrderedDict")
    assert registry.get("passes", "prune").id == "prune"
    assert registry.names("passes").count("prune") == 1


@pytest.mark.parametrize("target", ["no_such_module:Pass", "collections:NoSuchClass"])
def test_a_plug_in_that_cannot_be_loaded_is_said(bring: Bring, target: str) -> None:
    bring("fold", target)
    with pytest.raises(UsageError, match="fold of another distribution cannot be loaded") as caught:
        registry.get("passes", "fold")
    assert caught.value.where == target


def test_a_module_without_its_class_is_a_fault_of_its_author() -> None:
    import compress_core.passes.base as module

    with pytest.raises(LookupError, match="defines no class with id = 'base'"):
        registry._defined(module, "base")


def test_names_import_nothing_and_passes_load_no_numpy(root: Path) -> None:
    code = (
        "import sys; from compress_core import registry; registry.names('passes');"
        "assert 'compress_core.passes.prune' not in sys.modules;"
        "registry.all_of('passes'); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
