"""With Gram matrices, one machine writes the same bytes in any tiling, with any number of threads
and in any process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compress_core import Settings, compress, from_config, registry
from compress_core.errors import UsageError
from tests.compress_core import gram_files
from tests.contracts import configs, zoo

_CODE = """
import json, sys
from compress_core import Settings, compress, from_config
source, target, text = sys.argv[1:]
compress(source, target, from_config(json.loads(text)), Settings(jobs=3, replace=True))
"""


def _by_gram() -> list[dict[str, Any]]:
    """Every covering configuration of every pass that needs a Gram matrix."""
    return [
        {"pass": name, **config}
        for name, cls in configs.PASSES.items()
        for config in configs.covering(cls)
        if cls.from_config(config).gram_matrices
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grams")
    arrays = gram_files.model(rows=5000, columns=40)
    gram_files.saved(folder / "g.safetensors", gram_files.grams(arrays))
    return gram_files.saved(folder / "model.safetensors", arrays)


def _spec(source: Path, step: dict[str, Any]) -> dict[str, Any]:
    gram = str(source.with_name("g.safetensors"))
    return {"version": 1, "passes": [step], "gram": gram, "output": {"layout": "dense"}}


@pytest.mark.parametrize("step", _by_gram(), ids=lambda step: json.dumps(step))
def test_neither_threads_nor_memory_change_a_byte(
    step: dict[str, Any], source: Path, tmp_path: Path
) -> None:
    digests, errors = set(), set()
    for index, settings in enumerate(
        (
            Settings(jobs=1),
            Settings(jobs=4),
            Settings(jobs=1, max_memory=73 * 1024**2),
            Settings(jobs=2, max_memory=120 * 1024**2),
        )
    ):
        target = tmp_path / f"{index}.safetensors"
        report = compress(source, target, from_config(_spec(source, step)), settings)
        digests.add(zoo.digest(target))
        assert report.totals.outputs is not None
        errors.add(report.totals.outputs)
    assert len(digests) == len(errors) == 1


def test_another_process_writes_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for step in _by_gram()[:6]:
        here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
        spec = _spec(source, step)
        compress(source, here, from_config(spec), Settings(replace=True))
        subprocess.run([sys.executable, "-c", _CODE, source, there, json.dumps(spec)], check=True)
        assert zoo.digest(here) == zoo.digest(there), step


def test_a_matrix_that_does_not_fit_the_memory_is_refused_by_name(
    tmp_path: Path,
) -> None:
    arrays = gram_files.model(rows=4, columns=2000)
    source = gram_files.saved(tmp_path / "model.safetensors", arrays)
    gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(arrays, held_out=False))
    spec = from_config(_spec(source, {"pass": "prune", "method": "admm", "sparsity": 0.5}))
    with pytest.raises(Exception, match=r"up\.weight") as caught:
        compress(source, tmp_path / "o.safetensors", spec, Settings(max_memory=80 * 1024**2))
    assert "--max-memory" in str(getattr(caught.value, "hint", ""))


def test_every_pass_says_what_it_does_without_one() -> None:
    for name, cls in registry.all_of("passes").items():
        for config in configs.covering(cls):
            try:
                made = cls.from_config(config)
            except UsageError:
                continue
            assert bool(made.gram_matrices) <= bool(made.without_gram), (name, config)
