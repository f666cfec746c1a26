"""Passes × layouts × odd inputs: whatever is registered keeps the promises of every run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from compress_core import registry
from tests.contracts import configs, zoo
from tests.contracts.promises import LAYOUTS as FOUND
from tests.contracts.promises import Trial, place, spec_of

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
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """``inputs(world, layout)``: its tensors in what the layout takes."""

    @cache
    def place_of(world: str, needs_config: bool) -> Path:
        layout = next(name for name, one in FOUND.items() if one.needs_config == needs_config)
        folder = tmp_path_factory.mktemp("zoo")
        return place(folder, world, layout, zoo.WORLDS[world](), zoo.METADATA)

    return lambda world, layout: place_of(world, FOUND[layout].needs_config)


@pytest.fixture(scope="module")
def carried_out() -> dict[tuple[str, str], int]:
    """(layout, world) → runs that were not refused."""
    return {}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("entry", COVERING)
def test_every_value_of_every_option_keeps_the_promises(
    entry: dict[str, Any], layout: str, inputs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    spec = spec_of([entry], layout)
    assert spec is not None
    done = Trial(inputs("shapes", layout), spec, tmp_path).run() is not None
    # layouts of other tools hold what their tools have
    assert done or FOUND[layout].needs_config, "refused"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("world", zoo.WORLDS)
def test_passes_one_after_another_keep_the_promises(
    world: str,
    layout: str,
    inputs: Callable[[str, str], Path],
    carried_out: dict[tuple[str, str], int],
) -> None:
    @DRAWN
    @seed(crc32(f"{world} {layout}".encode()))
    @given(configs.pipelines())
    def check(passes: list[dict[str, Any]]) -> None:
        spec = spec_of(passes, layout)
        assume(spec is not None)
        assert spec is not None
        with tempfile.TemporaryDirectory() as folder:
            report = Trial(inputs(world, layout), spec, Path(folder)).run()
        key = layout, world
        carried_out[key] = carried_out.get(key, 0) + (report is not None)

    check()
    least = 1 if FOUND[layout].needs_config else 3
    assert carried_out[layout, world] >= least, "nearly everything was refused"
