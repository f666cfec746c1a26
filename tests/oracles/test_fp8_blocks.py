"""What transformers decodes of FP8 blocks as DeepSeek stores them, and what ``restore`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compress_core import restore
from tests.oracles import readers
from tests.oracles.checkpoints import Model

pytestmark = [
    pytest.mark.oracle,
    # the libraries warn of themselves
    pytest.mark.filterwarnings("ignore"),
]

CONFIG = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
    "modules_to_not_convert": ["lm_head"],
}


def in_blocks(folder: Path, *, powers_of_two: bool) -> Path:
    """The linear layers of a checkpoint as 8-bit floats in blocks of 128 × 128, by PyTorch."""
    import torch
    from safetensors.torch import save_file

    made: dict[str, Any] = {}
    for name, tensor in readers.tensors_of(folder).items():
        if not name.endswith("_proj.weight"):
            made[name] = tensor
            continue
        rows, columns = tensor.shape
        blocks = tensor.float().reshape(rows // 128, 128, columns // 128, 128)
        scale = blocks.abs().amax(dim=(1, 3)) / 448
        if powers_of_two:
            scale = scale.log2().ceil().exp2()
        codes = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
        made[name] = codes.reshape(rows, columns)
        made[f"{name}_scale_inv"] = scale.to(torch.float8_e8m0fnu) if powers_of_two else scale
    save_file(made, folder / "model.safetensors", {"format": "pt"})
    said = {**CONFIG, "scale_fmt": "ue8m0"} if powers_of_two else CONFIG
    config = readers.config_of(folder) | {"quantization_config": said}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("powers_of_two", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_restore_writes_what_transformers_decodes(
    dtype: str, powers_of_two: bool, tmp_path: Path
) -> None:
    import torch

    source = in_blocks(Model("llama", dtype).save(tmp_path / "m"), powers_of_two=powers_of_two)
    restore(source, tmp_path / "plain")
    ours = readers.tensors_of(tmp_path / "plain")
    theirs = readers.loaded(source).state_dict()
    assert ours.keys() == theirs.keys()
    compared = 0
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype == getattr(torch, dtype), name
        assert torch.equal(tensor, theirs[name]), name
        compared += name.endswith("_proj.weight")
    assert compared == 14
    assert torch.equal(
        readers.outputs(readers.loaded(tmp_path / "plain")), readers.outputs(readers.loaded(source))
    )
