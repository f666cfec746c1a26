"""What other distributions bring, and when ``importlib.metadata`` is asked for it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from compress_core.plugins import plugins

_POINTS = "[modelopt_cli.passes]\nfold = collections:OrderedDict\n"
_FACTS = "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"


@pytest.mark.parametrize(
    ("inside", "metadata"),
    [
        ("other-1.0.dist-info", "METADATA"),
        ("other.egg-info", "PKG-INFO"),
        ("other-1.0.egg/EGG-INFO", "PKG-INFO"),
    ],
)
def test_an_installed_distribution_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, metadata: str
) -> None:
    folder = tmp_path / inside
    folder.mkdir(parents=True)
    (folder / metadata).write_text(_FACTS)
    (folder / "entry_points.txt").write_text(_POINTS)
    # an egg is itself on the path
    monkeypatch.syspath_prepend(folder.parent)
    assert plugins("passes")["fold"].value == "collections:OrderedDict"
    assert "fold" not in plugins("layouts")


def test_one_in_an_archive_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "other.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("other-1.0.dist-info/METADATA", _FACTS)
        opened.writestr("other-1.0.dist-info/entry_points.txt", _POINTS)
    monkeypatch.syspath_prepend(archive)
    assert "fold" in plugins("passes")


def test_a_finder_of_somebody_else_may_know_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import Distribution, DistributionFinder

    class Elsewhere(Distribution):
        def read_text(self, filename: str) -> str | None:
            return {"entry_points.txt": _POINTS, "METADATA": _FACTS}.get(filename)

        def locate_file(self, path: object) -> Path:
            raise NotImplementedError

    class Finder(DistributionFinder):
        def find_distributions(self, context: object = None) -> list[Distribution]:
            return [Elsewhere()]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert "fold" in plugins("passes")


def test_where_nobody_brings_anything_nobody_is_asked(root: Path) -> None:
    code = (
        "import sys; from compress_core.plugins import plugins; assert plugins('passes') == {};"
        "assert 'importlib.metadata' not in sys.modules"
    )
    # without `site`, which finds what is installed and may import anything
    subprocess.run([sys.executable, "-S", "-c", code], cwd=root, check=True)
