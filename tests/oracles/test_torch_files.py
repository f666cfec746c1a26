"""PyTorch files: what we read of them, and make of them, is what PyTorch itself reads.

PyTorch reads with ``weights_only=True`` wherever it can, and our conversions with safetensors.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from compress_core import compress, from_config
from compress_core.errors import UnsupportedError
from tests.oracles.readings import CODES, converted, flattened, of_torch, ours

pytestmark = pytest.mark.oracle

NOTHING = from_config({"version": 1})
WAYS = {
    f"{kind}-{protocol}": {
        "_use_new_zipfile_serialization": kind == "zip",
        "pickle_protocol": protocol,
    }
    for kind in ("zip", "legacy")
    for protocol in (2, 3, 4, 5)
}
UNTYPED = {name for name in CODES if name.startswith(("float8", "uint")) and name != "uint8"}
"""Dtypes that have no class of storages of their own: their files name the dtype itself."""


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    import torch

    torch.manual_seed(0)


def module() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Conv2d(3, 4, 3))


def views() -> Any:
    """Tensors whose elements do not stand in a row, or stand in that of another tensor."""
    import torch

    base = torch.randn(40, 30)
    return {
        "base": base,
        "tied": base,
        "equal but not tied": base.clone(),
        "parameter": torch.nn.Parameter(torch.randn(7, 5)),
        "rows": base[3:9],
        "block": base[3:9, 4:20],
        "every third": torch.arange(100)[::3],
        "transposed": base.t(),
        "transposed block": base.t()[2:5, 1:],
        "permuted": torch.randn(4, 5, 6, 7).permute(3, 1, 0, 2),
        "expanded": torch.randn(1, 6).expand(50, 6),
        "one element": torch.tensor(2.5).expand(3, 4),
        "as_strided": torch.arange(50, dtype=torch.int32).as_strided((10, 8), (3, 2), 5),
        "overlapping": torch.arange(9.0).as_strided((5, 5), (1, 1)),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
        "empty view": base[2:2],
        "channels last": torch.randn(8, 16, 3, 3).to(memory_format=torch.channels_last),
        "diagonal": torch.randn(9, 9).diagonal(),
        "size of one": torch.randn(5, 1, 6).transpose(0, 1),
        "wide, transposed": torch.randn(300, 400, dtype=torch.float64).t(),
    }


def dtypes(names: Iterable[str]) -> Any:
    """Each of them in a row, and as a transposed view that does not begin at the beginning."""
    import torch

    made = {}
    for name in names:
        data = torch.randint(0, 2 if name == "bool" else 100, (8, 6)).to(getattr(torch, name))
        made[name] = data
        made[f"{name} transposed"] = data.t()[1:4]
    return made


def trainer() -> Any:
    import torch

    net = module()
    optimizer = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer.step()
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    return {
        "epoch": 3,
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng_state": torch.get_rng_state(),
        "best": torch.tensor(0.5),
        "args": {
            "lr": 1e-3,
            "dims": [1, 2],
            "shape": torch.Size([1, 2]),
            "device": torch.device("cuda", 0),
            "dtype": torch.bfloat16,
        },
    }


def lightning() -> Any:
    found = trainer()
    return {
        "epoch": 1,
        "global_step": 7,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {f"net.{name}": value for name, value in found["model"].items()},
        "loops": {},
        "callbacks": {"checkpoint": {"best": found["best"]}},
        "optimizer_states": [found["optimizer"]],
        "lr_schedulers": [found["scheduler"]],
    }


def parallel() -> Any:
    """DistributedDataParallel and torch.compile put prefixes before every name; they stay."""
    state = module().state_dict()
    return {
        "state_dict": {f"module._orig_mod.{name}": value for name, value in state.items()},
        "epoch": 2,
    }


def nested() -> Any:
    import torch

    return {
        "encoder": {"w": torch.ones(2), "layers": [torch.zeros(3), torch.ones(4)]},
        "decoder": {"w": torch.ones(5), "deep": {"er": (torch.ones(1),)}},
    }


SAVED: dict[str, tuple[Callable[[], Any], str | None]] = {
    "views": (views, None),
    "dtypes": (lambda: dtypes(CODES.keys() - UNTYPED), None),
    "untyped": (lambda: dtypes(UNTYPED), None),
    "module": (lambda: module().state_dict(), None),
    "trainer": (trainer, "model"),
    "lightning": (lightning, "state_dict"),
    "parallel": (parallel, "state_dict"),
    "list": (lambda: list(module().parameters()), None),
    "one": (lambda: module()[0].weight, None),
    "nested": (nested, None),
    "many": (lambda: {f"layers.{n}.w": one for n, one in enumerate(scalars(3000))}, None),
}
"""What is saved, and which entry of it are the weights; ``None``: all of it."""


def scalars(count: int) -> Any:
    import torch

    return torch.arange(float(count)).unbind()


def save(value: Any, path: Path, way: str = "zip-2") -> Path:
    import torch

    torch.save(value, path, **WAYS[way])
    return path


def loaded(path: Path, way: str = "zip-2") -> Any:
    """What PyTorch reads.

    Its guarded reader does not know protocols 4 and 5; those files were made by the test itself.
    """
    import torch

    is_guarded = WAYS[way]["pickle_protocol"] < 4
    with warnings.catch_warnings():
        # it is made for protocol 2, and says so when it reads another
        warnings.filterwarnings("ignore", "Detected pickle protocol")
        return torch.load(path, weights_only=is_guarded, map_location="cpu")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", SAVED)
def test_generated(tmp_path: Path, what: str, way: str) -> None:
    make, key = SAVED[what]
    saved = make()
    path = save(saved, tmp_path / "x.bin", way)
    # torch 2.13 writes such files and does not read them: its UntypedStorage has no dtype
    value = saved if (what, way.partition("-")[0]) == ("untyped", "legacy") else loaded(path, way)
    expected = of_torch(flattened(value if key is None else value[key]))
    found = ours(path)
    assert found == expected
    assert list(found) == list(expected)
    compress(path, tmp_path / "y.safetensors", NOTHING)
    assert converted(tmp_path / "y.safetensors") == expected


@pytest.mark.parametrize("way", ["zip-2", "legacy-2"])
def test_every_part_of_a_trainers_checkpoint_by_its_key(tmp_path: Path, way: str) -> None:
    path = save(trainer(), tmp_path / "x.pt", way)
    value = loaded(path)
    assert ours(path, ".") == of_torch(flattened(value))
    assert ours(path, "optimizer") == of_torch(flattened(value["optimizer"]))
    assert ours(path, "optimizer.state.0") == of_torch(value["optimizer"]["state"][0])
    assert ours(path, "best") == of_torch({"tensor": value["best"]})


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_of_shards(tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    tensors = {**module().state_dict(), **views()}
    names, shards = list(tensors), ["pytorch_model-00001-of-00002.bin"] * 9
    shards += ["pytorch_model-00002-of-00002.bin"] * (len(names) - 9)
    index = {"weight_map": dict(zip(names, shards, strict=True))}
    for shard in set(shards):
        held = [name for name in names if index["weight_map"][name] == shard]
        save({name: tensors[name] for name in held}, source / shard, way)
    (source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (source / "config.json").write_text('{"model_type": "test"}')
    expected = of_torch({**loaded(source / shards[0], way), **loaded(source / shards[-1], way)})
    assert ours(source) == expected
    compress(source, target, NOTHING)
    assert converted(target) == expected
    made = json.loads((target / "model.safetensors.index.json").read_text())
    assert made["weight_map"].keys() == expected.keys()
    assert (target / "config.json").read_text() == '{"model_type": "test"}'


@pytest.mark.parametrize(
    "name", ["crepe_tiny.pth", "lpips_v0.0_alex.pth", "lpips_v0.1_squeeze.pth"]
)
def test_samples(samples: Path, tmp_path: Path, name: str) -> None:
    expected = of_torch(loaded(samples / name))
    assert ours(samples / name) == expected
    compress(samples / name, tmp_path / "y.safetensors", NOTHING)
    assert converted(tmp_path / "y.safetensors") == expected


def wrapped(make: Callable[[Any], Any]) -> Callable[[], Any]:
    """What to save: a state dict with one tensor that ``make`` gives."""

    def saved() -> Any:
        import torch

        return {"weight": make(torch)}

    return saved


def subclass(torch: Any) -> Any:
    from torch.testing._internal.two_tensor import TwoTensor

    return TwoTensor(torch.ones(2), torch.ones(2))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "conjugated": (wrapped(lambda torch: torch.ones(3, dtype=torch.complex64).conj()), "conj"),
    "negated": (wrapped(lambda torch: torch.ones(3, dtype=torch.complex64).conj().imag), "neg"),
    "sparse": (wrapped(lambda torch: torch.eye(3).to_sparse()), "a sparse tensor"),
    "sparse rows": (wrapped(lambda torch: torch.eye(3).to_sparse_csr()), "a sparse tensor"),
    "complex128": (wrapped(lambda torch: torch.ones(3, dtype=torch.complex128)), "complex128"),
    "quantized": (
        wrapped(lambda torch: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)),
        "a quantized tensor",
    ),
    "meta": (wrapped(lambda torch: torch.empty(3, device="meta")), "a meta tensor"),
    "nested tensor": (
        wrapped(lambda torch: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])),
        "a nested tensor",
    ),
    "4 bits": (
        wrapped(lambda torch: torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)),
        "the dtype float4_e2m1fn_x2",
    ),
    "subclass": (wrapped(subclass), "a tensor of a subclass"),
    "module": (module, r"torch\.nn\.modules\.container\.Sequential"),
    "NumPy's number": (
        lambda: {"model": module().state_dict(), "best": __import__("numpy").float64(1)},
        r"numpy\.\S*scalar",
    ),
    "two sets": (
        lambda: {"model": module().state_dict(), "ema": module().state_dict()},
        r"several sets of weights: model \(9 tensors\), ema \(9 tensors\)",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["zip-2", "legacy-2"])
@pytest.mark.parametrize("what", REFUSED)
def test_refused_by_name(tmp_path: Path, what: str, way: str) -> None:
    make, said = REFUSED[what]
    path = save(make(), tmp_path / "x.bin", way)
    with pytest.raises(UnsupportedError, match=said) as caught:
        ours(path)
    assert caught.value.where == str(path)


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused_by_name(tmp_path: Path) -> None:
    import torch

    torch.jit.script(module()).save(tmp_path / "x.pt")
    with pytest.raises(UnsupportedError, match="TorchScript"):
        ours(tmp_path / "x.pt")
