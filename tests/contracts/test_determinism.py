"""One input and one spec make one file: in any process, in any order, at any time."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compress_core import compress, from_config, registry
from compress_core.kernels import native, twins
from compress_core.settings import Settings
from tests.contracts import configs, zoo

_CODE = """
import json, sys
from pathlib import Path
from compress_core import Settings, compress, from_config
source, folder, *specs = sys.argv[1:]
for index, text in enumerate(specs):
    compress(source, Path(folder, f"{index}.safetensors"), from_config(json.loads(text)),
             Settings(jobs=2))
"""


def _specs() -> list[dict[str, Any]]:
    """Every covering configuration, each with one of the layouts."""
    files = [name for name, found in registry.all_of("layouts").items() if not found.needs_config]
    layouts = itertools.cycle(files)
    return [
        {
            "version": 1,
            "passes": [{"pass": name, **config}],
            "output": {"layout": next(layouts)},
        }
        for name, cls in configs.PASSES.items()
        for config in configs.covering(cls)
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("determinism") / "in.safetensors"
    return zoo.write(path, zoo.shapes(), zoo.METADATA)


@pytest.fixture(scope="module")
def here(source: Path) -> list[str]:
    """Digests of what this process writes."""
    target = source.with_name("here.safetensors")
    found = []
    for config in _specs():
        compress(source, target, from_config(config), Settings(jobs=1, replace=True))
        found.append(zoo.digest(target))
    return found


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_another_process_with_other_hashes_writes_the_same_bytes(
    seed: str, source: Path, here: list[str], tmp_path: Path
) -> None:
    specs = _specs()
    subprocess.run(
        [sys.executable, "-c", _CODE, source, tmp_path, *map(json.dumps, specs)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
    )
    for index, (config, wanted) in enumerate(zip(specs, here, strict=True)):
        assert zoo.digest(tmp_path / f"{index}.safetensors") == wanted, config


@pytest.mark.parametrize("kernels", twins.CHOICES)
def test_both_kinds_of_kernels_write_the_same_bytes(
    kernels: str, source: Path, here: list[str], tmp_path: Path
) -> None:
    if kernels == "native" and native.library() is None:
        pytest.skip("built without a C compiler")
    twins.use(kernels)
    try:
        for config, wanted in zip(_specs(), here, strict=True):
            target = tmp_path / "out.safetensors"
            compress(source, target, from_config(config), Settings(jobs=2, replace=True))
            assert zoo.digest(target) == wanted, config
    finally:
        twins.use(None)


def test_neither_the_path_nor_the_clock_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for index, folder in enumerate(("a", "a much longer name")):
        (tmp_path / folder).mkdir()
        source = zoo.write(tmp_path / folder / f"{index}.safetensors", zoo.shapes(), {})
        monkeypatch.setattr("time.time", lambda index=index: 1e9 * (index + 1))
        target = tmp_path / folder / "out.safetensors"
        compress(source, target, from_config(_specs()[-1]))
        digests.add(zoo.digest(target))
    assert len(digests) == 1
