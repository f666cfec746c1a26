"""What gptqmodel and transformers make of our GPTQ folders, and we of theirs.

    pytest -m oracle tests/oracles/gptq_models.py

It is not among the tests that run by themselves: gptqmodel asks for another PyTorch than the extra
``oracle`` has, and runs with this one. ``.ci/gptq.txt`` lists what it needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compress_core import diff
from tests.oracles import folders, readers
from tests.oracles.checkpoints import MODELS

pytestmark = [
    pytest.mark.oracle,
    # the libraries warn of themselves
    pytest.mark.filterwarnings("ignore"),
]

# transformers reads GPTQ of language models whose blocks it finds
NAMES = [name for name, model in MODELS.items() if model.kind == "llama"]
BERT = "bert with head bf16"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: MODELS[name].save(folder / name) for name in (*NAMES, BERT)}


def compressed(source: Path, target: Path, **options: Any) -> Path:
    return folders.compressed(source, target, "gptq", **{"preset": "W4A16", **options})


def effective(model: Any) -> dict[str, Any]:
    """What layers with codes compute with: what they make of the unit matrix."""
    import torch

    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        if hasattr(module, "qzeros") or (
            hasattr(module, "in_features") and hasattr(module, "bits")
        ):
            unit = torch.eye(module.in_features, dtype=model.dtype)
            with torch.no_grad():
                product = module(unit)
            bias = getattr(module, "bias", None)
            found[f"{name}.weight"] = (product if bias is None else product - bias).T
    return found


WRITTEN: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in (*NAMES, BERT)),
    ("llama bf16", {"group_size": 32, "scale_search": "none"}),
    ("llama bf16", {"preset": "W8A16"}),
    ("llama f32, tied, sharded", {"preset": "W8A16", "group_size": "channel"}),
]


@pytest.mark.parametrize(("name", "options"), WRITTEN)
def test_transformers_loads_it_and_computes_with_the_weights_that_restore_writes(
    name: str, options: dict[str, Any], models: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    source = models[name]
    folder = compressed(source, tmp_path / "out", **options)
    ours, original = folders.restored(folder), readers.tensors_of(source)
    weights = folders.coded(folder)
    model = readers.loaded(folder, device_map="cpu")
    said = readers.outputs(model)
    theirs = effective(model)
    assert theirs.keys() == weights
    assert ours.keys() == original.keys()
    for one, tensor in original.items():
        assert ours[one].dtype == tensor.dtype
        if one not in weights:
            assert torch.equal(ours[one], tensor), one
            continue
        # kernels on a processor compute in 16 bits
        most = 2.0**-7 * ours[one].float().abs().max()
        assert (ours[one].float() - theirs[one].float()).abs().max() <= most, one
    before = (tmp_path / "out restored" / "config.json").read_bytes()
    assert before == (source / "config.json").read_bytes()
    dense = readers.dense_model(source, {one: ours[one] for one in weights})
    wanted = readers.outputs(dense)
    assert torch.isfinite(said).all()
    assert (said - wanted).abs().max() < 0.1 * wanted.abs().max()


def written_by_the_library(
    source: Path, target: Path, *, version: str, bits: int, sym: bool, act_order: bool
) -> dict[str, Any]:
    """A folder whose layers gptqmodel packs, and the weights that it unpacks from them.

    Group of a column: in its order, or (``act_order``) any.
    """
    import torch
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from safetensors.torch import save_file

    torch.manual_seed(3)
    tensors, decoded = readers.tensors_of(source), {}
    for name in [one for one in tensors if "_proj" in one and tensors[one].shape[1] % 128 == 0]:
        weight = tensors.pop(name).float()
        rows, columns = weight.shape
        module = name.removesuffix(".weight")
        groups = torch.arange(columns) // 128
        if act_order:
            groups = groups[torch.randperm(columns)]
        top = 2**bits - 1
        members = [weight[:, groups == index] for index in range(columns // 128)]
        if sym:
            scale = torch.stack([one.abs().amax(1) for one in members], 1) / (top // 2)
            zero = torch.full_like(scale, (top + 1) // 2)
        else:
            low = torch.stack([one.amin(1).clamp(max=0) for one in members], 1)
            high = torch.stack([one.amax(1).clamp(min=0) for one in members], 1)
            scale = (high - low) / top
            zero = (-low / scale).round().clamp(1, top)
        scale = scale.half().float()
        linear = torch.nn.Linear(columns, rows, bias=False)
        codes = ((weight / scale[:, groups]).round() + zero[:, groups]).clamp(0, top)
        linear.weight.data = (codes - zero[:, groups]) * scale[:, groups]
        decoded[name] = linear.weight.data.clone()
        layer = TorchLinear(
            bits=bits,
            group_size=128,
            sym=sym,
            desc_act=act_order,
            in_features=columns,
            out_features=rows,
            bias=False,
            pack_dtype=torch.int32,
        )
        layer.pack_original(linear, scale, zero, groups.int())
        parts = {
            part: getattr(layer, part).contiguous().clone()
            for part in ("qweight", "qzeros", "scales", "g_idx")
        }
        if version == "gptq":
            parts["qzeros"] -= {4: 0x11111111, 8: 0x01010101}[bits]
        tensors |= {f"{module}.{part}": one for part, one in parts.items()}
    target.mkdir()
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    said = {"quant_method": "gptq", "bits": bits, "group_size": 128, "sym": sym}
    said |= {"desc_act": act_order, "checkpoint_format": version}
    config = readers.config_of(source) | {"quantization_config": said}
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return decoded


@pytest.mark.parametrize("act_order", [False, True])
@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("version", ["gptq", "gptq_v2"])
def test_folders_that_the_library_packed_are_read(
    version: str, bits: int, sym: bool, act_order: bool, models: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    source = models["llama bf16"]
    folder = tmp_path / "theirs"
    theirs = written_by_the_library(
        source, folder, version=version, bits=bits, sym=sym, act_order=act_order
    )
    ours, original = folders.restored(folder), readers.tensors_of(source)
    assert theirs.keys() == folders.coded(folder)
    assert ours.keys() == original.keys()
    for one, tensor in original.items():
        assert torch.equal(ours[one], theirs.get(one, tensor).to(tensor.dtype)), one
    assert diff(source, folder).measured is not None


def test_the_folder_is_one_of_gptqmodel_itself(models: dict[str, Path], tmp_path: Path) -> None:
    from gptqmodel.quantization import QuantizeConfig

    folder = compressed(models["llama bf16"], tmp_path / "out")
    config = QuantizeConfig.from_pretrained(str(folder))
    assert (config.bits, config.group_size, config.sym) == (4, 128, True)
    assert str(getattr(config.format, "value", config.format)) == "gptq"
