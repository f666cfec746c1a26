"""What bitsandbytes and transformers make of our folders, and we of theirs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from compress_core import diff, open_logical, restore
from compress_core.errors import UnsupportedError
from tests.oracles import folders, readers
from tests.oracles.checkpoints import MODELS

pytestmark = [
    pytest.mark.oracle,
    # the libraries warn of themselves
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: model.save(folder / name) for name, model in MODELS.items()}


def compressed(source: Path, target: Path, **options: Any) -> Path:
    return folders.compressed(source, target, "bitsandbytes", **{"preset": "NF4", **options})


def effective(model: Any) -> dict[str, Any]:
    """The weights that the library computes with, of layers with codes: name → decoded weight.

    4 bits: in float32, times a scale. 8 bits: a product in float32 as well.
    """
    import bitsandbytes as bnb
    import torch

    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        weight: Any = getattr(module, "weight", None)
        if isinstance(module, bnb.nn.Linear4bit):
            state = copy.copy(weight.quant_state)
            state.dtype = torch.float32
            found[f"{name}.weight"] = bnb.functional.dequantize_4bit(weight.data, state)
        elif isinstance(module, bnb.nn.Linear8bitLt):
            found[f"{name}.weight"] = bnb.functional.int8_vectorwise_dequant(weight, weight.SCB)
    return found


@pytest.mark.parametrize("options", [{}, {"double_quant": True}])
@pytest.mark.parametrize("name", MODELS)
def test_transformers_loads_it_and_computes_with_the_weights_that_restore_writes(
    name: str, options: dict[str, Any], models: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    source = models[name]
    folder = compressed(source, tmp_path / "out", **options)
    ours, original = folders.restored(folder), readers.tensors_of(source)
    model = readers.loaded(folder)
    theirs = effective(model)
    said = readers.outputs(model)  # which packs codes another way
    assert theirs.keys() == folders.coded(folder)
    assert ours.keys() == original.keys()
    for one, tensor in original.items():
        assert ours[one].dtype == tensor.dtype
        expected = theirs.get(one, tensor).to(tensor.dtype)
        assert torch.equal(ours[one], expected), one
    before = (tmp_path / "out restored" / "config.json").read_bytes()
    assert before == (source / "config.json").read_bytes()
    wanted = readers.outputs(readers.dense_model(source, theirs))
    assert torch.isfinite(said).all()
    # activations are rounded to the dtype of the model
    assert (said - wanted).abs().max() < 0.1 * wanted.abs().max()


@pytest.mark.parametrize("block", [32, 64, 128])
@pytest.mark.parametrize(
    "name", ["llama bf16", "llama f16, odd", "bert f32, odd", "bert bf16, sharded"]
)
def test_without_a_search_every_part_is_that_of_the_library(
    name: str, block: int, models: dict[str, Path], tmp_path: Path
) -> None:
    import bitsandbytes as bnb
    import torch

    folder = compressed(models[name], tmp_path / "ours", scale_search="none", group_size=block)
    ours, original = readers.tensors_of(folder), readers.tensors_of(models[name])
    weights = folders.coded(folder)
    assert weights
    for weight in weights:
        codes, state = bnb.functional.quantize_4bit(
            original[weight], blocksize=block, quant_type="nf4"
        )
        theirs = {"": codes} | {f".{part}": one for part, one in state.as_dict(packed=True).items()}
        parts = {one.removeprefix(weight) for one in ours if one.startswith(weight)}
        assert parts == theirs.keys()
        for part, tensor in theirs.items():
            own = ours[f"{weight}{part}"]
            assert own.dtype == tensor.dtype
            assert torch.equal(own, tensor), f"{weight}{part}"


@pytest.mark.parametrize("name", ["llama bf16", "bert f32, odd"])
def test_with_double_quantization_all_but_the_offset_is_that_of_the_library(
    name: str, models: dict[str, Path], tmp_path: Path
) -> None:
    """Its offset is a sum of float32 in an order of its own: scales may be a code apart."""
    import bitsandbytes as bnb
    import torch

    folder = compressed(models[name], tmp_path / "ours", scale_search="none", double_quant=True)
    ours, original = readers.tensors_of(folder), readers.tensors_of(models[name])
    for weight in folders.coded(folder):
        codes, state = bnb.functional.quantize_4bit(
            original[weight], quant_type="nf4", compress_statistics=True
        )
        theirs = {"": codes} | {f".{part}": one for part, one in state.as_dict(packed=True).items()}
        own = {one.removeprefix(weight): ours[one] for one in ours if one.startswith(weight)}
        assert own.keys() == theirs.keys()
        for part in ("", ".quant_map", ".nested_quant_map"):
            assert torch.equal(own[part], theirs[part]), f"{weight}{part}"
        torch.testing.assert_close(
            own[".nested_absmax"], theirs[".nested_absmax"], rtol=1e-6, atol=1e-7
        )
        apart = own[".absmax"].int() - theirs[".absmax"].int()
        assert apart.abs().max() <= 1
        name_of_state = ".quant_state.bitsandbytes__nf4"
        said, wanted = (json.loads(bytes(one[name_of_state].tolist())) for one in (own, theirs))
        assert list(said) == list(wanted)
        assert said.pop("nested_offset") == pytest.approx(wanted.pop("nested_offset"), rel=1e-6)
        assert said == wanted


KINDS: dict[str, dict[str, Any]] = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nf4, nested": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    },
    "nf4, kept as bfloat16": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_quant_storage": "bfloat16",
    },
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
    "int8": {"load_in_8bit": True},
}


def written_by_the_library(source: Path, target: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """A folder that transformers quantizes and saves, and the weights that it computes with."""
    from transformers import BitsAndBytesConfig

    model = readers.loaded(source, quantization_config=BitsAndBytesConfig(**KINDS[kind]))
    model.save_pretrained(target)
    return target, effective(model)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fp4"])
@pytest.mark.parametrize("name", ["llama bf16", "llama f32, tied, sharded", "bert bf16, sharded"])
def test_folders_that_the_library_wrote_are_read(
    name: str, kind: str, models: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    folder, theirs = written_by_the_library(models[name], tmp_path / "theirs", kind)
    ours, original = folders.restored(folder), readers.tensors_of(models[name])
    assert theirs.keys() == folders.coded(folder)
    assert ours.keys() == original.keys()
    for one, tensor in original.items():
        assert ours[one].dtype == tensor.dtype, one
        expected = theirs.get(one, tensor)
        # the product of eight bits has two roundings in the library, one of them to float32
        near = {"rtol": 2.0**-7 if kind == "int8" else 0.0, "atol": 0.0}
        torch.testing.assert_close(ours[one], expected.to(tensor.dtype), **near)
    assert diff(models[name], folder).measured is not None


def test_fp4_is_refused_by_name(models: dict[str, Path], tmp_path: Path) -> None:
    folder, _ = written_by_the_library(models["llama bf16"], tmp_path / "theirs", "fp4")
    with open_logical(folder) as reader:
        assert any("fp4 of model.layers" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="bitsandbytes"):
        restore(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
