"""What compressed-tensors and transformers make of our folders, and we of theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from compress_core import compress, diff, from_config, restore
from compress_core.layouts.compressed_tensors import CompressedTensors
from compress_core.limits import Limits
from compress_core.tensors import TensorInfo
from tests.oracles import readers
from tests.oracles.checkpoints import MODELS

pytestmark = [
    pytest.mark.oracle,
    # the libraries warn of themselves
    pytest.mark.filterwarnings("ignore"),
]

PRESETS: dict[str, dict[str, Any]] = {
    "W4A16": {"preset": "W4A16"},
    "W8A16": {"preset": "W8A16"},
    "W8A8": {"preset": "W8A8"},
    "FP8_DYNAMIC": {"preset": "FP8_DYNAMIC"},
    "FP8_BLOCK": {"preset": "FP8_BLOCK"},
    "NVFP4A16": {"preset": "NVFP4A16"},
    "MXFP4A16": {"preset": "MXFP4A16"},
    "int4 g32": {"preset": "W4A16", "group_size": 32},
    "int4 channel": {"preset": "W4A16", "group_size": "channel"},
    "mixed": {
        "preset": "W4A16",
        "rules": [{"match": [r"re:.*(o_proj|output\.dense)$"], "preset": "W8A8"}],
    },
}
"""Those that every reader takes."""

UNREAD: dict[str, dict[str, Any]] = {
    **{f"int{bits}": {"preset": f"W{bits}A16"} for bits in (2, 3, 5, 6, 7)},
    "asymmetric": {"preset": "W4A16_ASYM"},
    "asymmetric, 3 bits, channel": {
        "preset": "W3A16",
        "group_size": "channel",
        "symmetric": False,
    },
    "tensor": {"preset": "W4A16", "group_size": "tensor"},
}
"""Those that some reader refuses, and the library reads."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: model.save(folder / name) for name, model in MODELS.items()}


def compressed(source: Path, target: Path, options: dict[str, Any], **output: Any) -> Path:
    passes = [{"pass": "quantize", **options}]
    written = {"layout": "compressed-tensors", **output}
    compress(source, target, from_config({"version": 1, "passes": passes, "output": written}))
    return target


def restored(folder: Path) -> Path:
    target = folder.with_name(f"{folder.name} restored")
    restore(folder, target)
    return target


def check_restored(folder: Path, source: Path) -> dict[str, Any]:
    """``restore`` writes what the library decodes, rounded once; and what nobody changed."""
    ours, theirs = readers.tensors_of(restored(folder)), readers.decoded(folder)
    original = readers.tensors_of(source)
    assert theirs
    assert ours.keys() == original.keys()
    for name, tensor in original.items():
        assert ours[name].dtype == tensor.dtype
        assert same_weights(ours[name], theirs.get(name, tensor)), name
    same = (restored_config := folder.with_name(f"{folder.name} restored") / "config.json")
    assert same.read_bytes() == (source / "config.json").read_bytes(), restored_config
    return theirs


def same_weights(ours: Any, theirs: Any) -> bool:
    """Whether ours are theirs, rounded once; 4-bit floats they round to bfloat16 themselves."""
    import torch

    if theirs.dtype != torch.bfloat16:
        return bool(torch.equal(ours, theirs.to(ours.dtype)))
    # two roundings where ours are bfloat16 as well, one of each side
    apart = 2.0**-7 if ours.dtype == torch.bfloat16 else 2.0**-8
    return bool(torch.allclose(ours.float(), theirs.float(), rtol=apart, atol=0.0))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", MODELS)
def test_transformers_loads_it_and_computes_with_the_weights_that_restore_writes(
    name: str, preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    check_loaded(compressed(models[name], tmp_path / "out", PRESETS[preset]), models[name])


def check_loaded(folder: Path, source: Path) -> None:
    """Loading, decompressing and computing agree with ``restore`` and with the library."""
    import torch

    weights = check_restored(folder, source)
    model = readers.loaded(folder)
    state = model.state_dict()
    held = [one for one in state if one.endswith(readers.PARTS)]
    assert len({one.rpartition(".")[0] for one in held}) == len(weights)
    model.hf_quantizer.compressor.decompress_model(model)
    for one, weight in weights.items():
        torch.testing.assert_close(
            model.state_dict()[one].float(), weight.float(), rtol=2.0**-7, atol=2.0**-24
        )
    ours, wanted = (
        readers.outputs(model),
        readers.outputs(readers.dense_model(source, weights)),
    )
    assert torch.isfinite(ours).all()
    # activations are rounded to the dtype of the model, or to 8 bits
    assert (ours - wanted).abs().max() < 0.1 * wanted.abs().max()


@pytest.mark.parametrize("preset", ["W4A16", "W8A16", "W8A8", "int4 g32", "int4 channel"])
@pytest.mark.parametrize("name", MODELS)
def test_scales_below_zero_are_what_they_are_meant_to_be(
    name: str, preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    """To the library, to transformers and to us, though the layout writes none."""
    before = CompressedTensors.limits

    def limits(self: CompressedTensors, info: TensorInfo) -> Limits:
        return replace(before(self, info), negative_scale=True)

    with patch.object(CompressedTensors, "limits", limits):
        folder = compressed(models[name], tmp_path / "out", PRESETS[preset])
    scales = [
        scale for one, scale in readers.tensors_of(folder).items() if one.endswith("weight_scale")
    ]
    assert all((scale < 0).any() and (scale > 0).any() for scale in scales)
    check_loaded(folder, models[name])


@pytest.mark.parametrize("preset", UNREAD)
def test_the_library_decodes_what_other_readers_refuse(
    preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    name = "llama bf16, tied, odd, sharded"
    folder = compressed(models[name], tmp_path / "out", UNREAD[preset], allow_unread=True)
    check_restored(folder, models[name])


def test_a_two_shard_folder_is_complete(models: dict[str, Path], tmp_path: Path) -> None:
    source = models["llama f32, tied, sharded"]
    folder = compressed(source, tmp_path / "out", PRESETS["W4A16"])
    names = {path.name for path in folder.iterdir()}
    beside = {path.name for path in source.iterdir() if path.suffix == ".json"}
    assert beside <= names
    shards = set(
        __import__("json")
        .loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
        .values()
    )
    assert {one for one in names if one.endswith(".safetensors")} == shards
    before, after = readers.config_of(source), readers.config_of(folder)
    assert after.pop("quantization_config")
    assert after == before


THEIRS = (
    *("W4A16", "W4A16_ASYM", "W8A16", "W8A8", "W3A16", "W2A16"),
    *("FP8_DYNAMIC", "FP8_BLOCK", "NVFP4A16", "MXFP4A16"),
)


@pytest.mark.parametrize("preset", THEIRS)
@pytest.mark.parametrize("name", ["llama bf16", "bert f32, odd"])
def test_folders_that_the_library_wrote_are_read(
    name: str, preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = written_by_the_library(models[name], tmp_path / "theirs", preset)
    original = readers.tensors_of(models[name])
    ours, theirs = readers.tensors_of(restored(folder)), readers.decoded(folder)
    assert theirs
    assert ours.keys() == original.keys()
    for one, tensor in ours.items():
        assert tensor.dtype == original[one].dtype
        assert same_weights(tensor, theirs.get(one, original[one])), one
    assert diff(models[name], folder).measured is not None


def written_by_the_library(source: Path, target: Path, preset: str) -> Path:
    """A folder that the library itself packs and transformers saves."""
    import torch
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationConfig,
        QuantizationStatus,
        apply_quantization_config,
        preset_name_to_scheme,
    )
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    model = readers.loaded(source)
    dense = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and (module.in_features % 128 or "head" in name)
    ]
    scheme = preset_name_to_scheme(preset, ["Linear"])
    config = QuantizationConfig(config_groups={"group_0": scheme}, ignore=dense)
    apply_quantization_config(model, config)
    for module in model.modules():
        found = getattr(module, "quantization_scheme", None)
        if found is None:
            continue
        weight, arguments = module.weight.float(), found.weights
        low, high = extremes(weight, arguments)
        options = {}
        if arguments.strategy == "tensor_group":
            options["global_scale"] = generate_gparam(weight.amin(), weight.amax())
            module.weight_global_scale.data = options["global_scale"]
        scale, zero = calculate_qparams(low, high, arguments, **options)
        module.weight_scale.data = scale.to(module.weight_scale.dtype)
        if hasattr(module, "weight_zero_point"):
            module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype)
        module.quantization_status = QuantizationStatus.FROZEN
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(target)
    compressor.update_config(target)
    return target


def extremes(weight: Any, arguments: Any) -> tuple[Any, Any]:
    """The smallest and largest weight of each group, or block."""
    import torch

    if arguments.strategy != "block":
        groups = weight.reshape(len(weight), -1, arguments.group_size or weight.shape[1])
        return groups.amin(-1), groups.amax(-1)
    high, wide = arguments.block_structure
    rows, columns = weight.shape
    padded = torch.nn.functional.pad(weight, (0, -columns % wide, 0, -rows % high))
    blocks = padded.reshape(-1, high, padded.shape[1] // wide, wide)
    return blocks.amin((1, 3)), blocks.amax((1, 3))


@pytest.mark.parametrize(
    "preset", ["W4A16", "W8A16", "W8A8", "FP8_DYNAMIC", "FP8_BLOCK", "MXFP4A16"]
)
def test_without_a_search_every_part_is_that_of_the_library(
    preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    """In float32, where the library has no roundings of its own."""
    import torch

    source = models["bert f32, odd"]
    options = {"preset": preset, "scale_search": "none"}
    ours = readers.tensors_of(compressed(source, tmp_path / "ours", options))
    theirs = readers.tensors_of(written_by_the_library(source, tmp_path / "theirs", preset))
    quantized = [name for name in theirs if name.endswith("weight_scale")]
    assert quantized
    for name in quantized:
        module = name.rpartition(".")[0]
        for part in (one for one in theirs if one.rpartition(".")[0] == module):
            assert ours[part].dtype == theirs[part].dtype, part
            assert torch.equal(ours[part], theirs[part]), part
