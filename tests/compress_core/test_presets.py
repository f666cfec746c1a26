"""Preset names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.presets import PRESETS, find, rule_of
from compress_core.wanted import Wanted


@pytest.mark.parametrize("bits", range(2, 9))
def test_a_weight_only_preset_for_every_width(bits: int) -> None:
    assert PRESETS[f"W{bits}A16"] == {"bits": bits, "group_size": 128, "symmetric": True}


def test_the_asymmetric_one() -> None:
    assert PRESETS["W4A16_ASYM"] == {"bits": 4, "group_size": 128, "symmetric": False}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FP8_DYNAMIC", "fp8 channel"),
        ("NF4", "nf4 g64"),
        ("MXFP4A16", "mxfp4 g32"),
        ("NVFP4A16", "nvfp4 g16"),
        ("MXFP8A16", "mxfp8 g32"),
    ],
)
def test_those_of_other_formats(name: str, said: str) -> None:
    scheme = registry.get("schemes", PRESETS[name]["scheme"])
    assert str(scheme.asked(Wanted(group_size=PRESETS[name]["group_size"]))) == said  # type: ignore[arg-type]
    assert rule_of(name) in scheme.rules


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_those_of_mlx(bits: int) -> None:
    assert PRESETS[f"MLX{bits}"] == {"scheme": "affine", "bits": bits, "group_size": 64}
    assert rule_of(f"MLX{bits}") == rule_of("MXFP8A16") == "mlx"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_options_of_quantize(name: str) -> None:
    quantize = registry.get("passes", "quantize")
    assert quantize.from_config(dict(PRESETS[name])).config()
    assert quantize(preset=name.lower()) == quantize(preset=name)


@pytest.mark.parametrize("name", ["w4a16_asym", "W4A16_ASYM", "W4a16_Asym"])
def test_case_does_not_matter(name: str) -> None:
    assert find(name) == "W4A16_ASYM"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("W4A17", "unknown preset: 'W4A17'", "did you mean W4A16?"),
        ("tiny", "unknown preset: 'tiny'", f"presets: {', '.join(PRESETS)}"),
        ("FP8", "needs scales of activations", "use FP8_DYNAMIC"),
        ("nvfp4", "needs scales of activations", "use NVFP4A16"),
        ("mxfp4", "unknown preset", "use MXFP4A16"),
        ("mxfp8", "unknown preset", "use MXFP8A16"),
        ("w4a4", "unknown preset", "use W4A16: weights of that width, activations as they are"),
        ("UNQUANTIZED", "unknown preset", "leave the pass quantize out"),
        ("", "unknown preset: ''", f"presets: {', '.join(PRESETS)}"),
    ],
)
def test_what_is_no_preset_is_refused_with_one_that_is(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find(name)
    assert (caught.value.where, caught.value.hint) == ("preset", hint)


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["W4A16"]["bits"] = 8  # type: ignore[index]


def test_presets_load_no_numpy(root: Path) -> None:
    code = "import sys; import compress_core.presets; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
