"""Passes × layouts × odd inputs: whatever is registered keeps the promises of every run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from compress_core import registry
from tests.contracts import configs, zoo
from tests.contracts.promises import Trial, spec_of

LAYOUTS = registry.names("layouts")
COVERING = [
    pytest.param({"pass": name, **config}, id=f"{name}-{index}")
    for name, cls in configs.PASSES.items()
    for index, config in enumerate(configs.covering(cls))
]
DRAWN = settings(
    deadline=None,
    database=None,
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """World → a file with its tensors."""
    folder = tmp_path_factory.mktemp("zoo")
    return {
        name: zoo.write(folder / f"{name}.safetensors", make(), zoo.METADATA)
        for name, make in zoo.WORLDS.items()
    }


@pytest.fixture(scope="module")
def carried_out() -> dict[tuple[str, str], int]:
    """(layout, world) → runs that were not refused."""
    return {}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("entry", COVERING)
def test_every_value_of_every_option_keeps_the_promises(
    entry: dict[str, Any], layout: str, inputs: dict[str, Path], tmp_path: Path
) -> None:
    spec = spec_of([entry], layout)
    assert spec is not None
    assert Trial(inputs["shapes"], spec, tmp_path).run() is not None, "refused"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("world", zoo.WORLDS)
def test_passes_one_after_another_keep_the_promises(
    world: str, layout: str, inputs: dict[str, Path], carried_out: dict[tuple[str, str], int]
) -> None:
    @DRAWN
    @seed(crc32(f"{world} {layout}".encode()))
    @given(configs.pipelines())
    def check(passes: list[dict[str, Any]]) -> None:
        spec = spec_of(passes, layout)
        assume(spec is not None)
        assert spec is not None
        with tempfile.TemporaryDirectory() as folder:
            report = Trial(inputs[world], spec, Path(folder)).run()
        key = layout, world
        carried_out[key] = carried_out.get(key, 0) + (report is not None)

    check()
    assert carried_out[layout, world] >= 3, "nearly everything was refused"
