"""One input and one spec make one file: in any process, in any order, at any time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compress_core import compress, from_config, registry
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
    found = []
    for layout in registry.names("layouts"):
        for name, cls in configs.PASSES.items():
            some = [{"pass": name, **config} for config in configs.covering(cls)[::7]]
            found += [{"version": 1, "passes": [one], "output": {"layout": layout}} for one in some]
    return found


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_with_other_hashes_writes_the_same_bytes(seed: str, tmp_path: Path) -> None:
    source = zoo.write(tmp_path / "in.safetensors", zoo.shapes(), zoo.METADATA)
    specs = _specs()
    assert len(specs) >= 8
    there, here = tmp_path / "there", tmp_path / "here.safetensors"
    there.mkdir()
    subprocess.run(
        [sys.executable, "-c", _CODE, source, there, *map(json.dumps, specs)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
    )
    for index, config in enumerate(specs):
        compress(source, here, from_config(config), Settings(jobs=1, replace=True))
        assert zoo.digest(here) == zoo.digest(there / f"{index}.safetensors"), config


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
