"""What MLX and mlx-lm make of our folders, and we of theirs; and MLX's own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import Settings, compress, diff, from_config, open_logical, restore
from compress_core.fitting import Fitting
from compress_core.kernels import floats
from compress_core.kernels.bits import pack_words, unpack_words
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.affine import Affine
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.mxfp8 import Mxfp8
from compress_core.schemes.nvfp4 import Nvfp4
from tests.oracles import mlx_readers as readers
from tests.oracles.checkpoints import MODELS, Model

pytestmark = [
    pytest.mark.oracle,
    # the libraries warn of themselves
    pytest.mark.filterwarnings("ignore"),
]

CHECKPOINTS: dict[str, Model] = {
    "bf16": MODELS["llama bf16"],
    "f32, tied, sharded": MODELS["llama f32, tied, sharded"],
    "f16, odd": MODELS["llama f16, odd"],
}

OPTIONS: dict[str, dict[str, Any]] = {
    **{f"MLX{bits}": {"preset": f"MLX{bits}"} for bits in (2, 3, 4, 5, 6, 8)},
    "4 bits, g32": {"preset": "MLX4", "group_size": 32},
    "3 bits, g128, no search": {"preset": "MLX3", "group_size": 128, "scale_search": "none"},
    "mxfp4": {"preset": "MXFP4A16"},
    "mxfp8": {"preset": "MXFP8A16"},
    "nvfp4": {"preset": "NVFP4A16"},
    "symmetric integers": {"preset": "W4A16", "group_size": 64},
    "mixed": {
        "preset": "MLX4",
        "rules": [
            {"match": ["*.v_proj"], "preset": "MLX6"},
            {"match": ["*.o_proj"], "preset": "MXFP8A16"},
        ],
    },
    "embeddings too": {"scheme": "affine", "bits": 4, "match": ["*.weight"]},
    "embeddings of floats": {"scheme": "nvfp4", "match": ["*.weight"]},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: model.save(folder / name) for name, model in CHECKPOINTS.items()}


def compressed(source: Path, target: Path, options: dict[str, Any]) -> Path:
    passes = [{"pass": "quantize", **options}]
    output = {"layout": "mlx"}
    compress(source, target, from_config({"version": 1, "passes": passes, "output": output}))
    return target


def restored(folder: Path) -> Path:
    target = folder.with_name(f"{folder.name} restored")
    restore(folder, target)
    return target


def rounded(values: NDArray[np.float32], dtype: Any) -> NDArray[np.float32]:
    """Values rounded once to the dtype of an array of MLX."""
    import mlx.core as mx

    return readers.floats(mx.array(values).astype(dtype))


def check_weights(plain: Path, wanted: dict[str, NDArray[np.float32]], *, ulps: float) -> None:
    """Whether the weights of a folder are these, rounded once.

    :param ulps: last bits of float32, of the largest of a tensor, that may be lost in ``wanted``.
    """
    ours = readers.tensors_of(plain)
    assert wanted.keys() <= ours.keys()
    for name, values in wanted.items():
        found, theirs = readers.floats(ours[name]), rounded(values, ours[name].dtype)
        slack = ulps * 2.0**-24 * np.abs(values).max()
        off = np.abs(found - values) - np.abs(theirs - values)
        assert (off <= slack).all(), name


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_mlx_lm_loads_it_and_mlx_decodes_what_restore_writes(
    name: str, options: str, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = compressed(models[name], tmp_path / "out", OPTIONS[options])
    config = readers.config_of(folder)
    assert config["quantization"] == config["quantization_config"]
    plain, theirs = restored(folder), readers.decoded(folder)
    assert len(theirs) >= 12
    check_weights(plain, theirs, ulps=4)
    assert (plain / "config.json").read_bytes() == (models[name] / "config.json").read_bytes()
    ours, wanted = readers.outputs(folder), readers.outputs(plain)
    # activations are rounded to the dtype of the model, at other places than here
    assert np.abs(ours - wanted).max() < 0.1 * np.abs(wanted).max()


def test_a_tied_head_has_no_data_of_its_own(models: dict[str, Path], tmp_path: Path) -> None:
    folder = compressed(models["f32, tied, sharded"], tmp_path / "out", OPTIONS["embeddings too"])
    found = readers.tensors_of(folder)
    assert "model.embed_tokens.scales" in found
    assert not [name for name in found if "lm_head" in name]


@pytest.mark.parametrize("preset", ["W4A16", "MXFP4A16"])
def test_codes_of_compressed_tensors_are_stored_anew(
    preset: str, models: dict[str, Path], tmp_path: Path
) -> None:
    passes = [{"pass": "quantize", "preset": preset}]
    served, folder = tmp_path / "served", tmp_path / "out"
    compress(models["bf16"], served, from_config({"version": 1, "passes": passes}))
    spec = from_config({"version": 1, "output": {"layout": "mlx"}})
    assert compress(served, folder, spec, Settings(requantize=True)).totals.measured is not None
    check_weights(restored(served), readers.decoded(folder), ulps=0)
    ours, wanted = readers.outputs(folder), readers.outputs(restored(folder))
    assert np.abs(ours - wanted).max() < 0.1 * np.abs(wanted).max()


def _mixed(path: str, module: Any) -> Any:
    if "v_proj" in path:
        return {"group_size": 32, "bits": 8, "mode": "affine"}
    return "o_proj" not in path


THEIRS: dict[str, dict[str, Any]] = {
    **{
        f"affine {bits} g{group}": {"mode": "affine", "bits": bits, "group": group}
        for bits in (2, 3, 4, 5, 6, 8)
        for group in (32, 64, 128)
    },
    "mxfp4": {"mode": "mxfp4"},
    "mxfp8": {"mode": "mxfp8"},
    "nvfp4": {"mode": "nvfp4"},
    "mixed": {"mode": "affine", "bits": 4, "group": 64, "predicate": _mixed},
}


@pytest.mark.parametrize("options", THEIRS)
@pytest.mark.parametrize("name", ["bf16", "f32, tied, sharded"])
def test_folders_that_mlx_lm_wrote_restore_to_what_mlx_decodes(
    name: str, options: str, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = readers.written_by_mlx(models[name], tmp_path / "theirs", **THEIRS[options])
    original = readers.tensors_of(models[name])
    plain, theirs = restored(folder), readers.decoded(folder)
    assert "model.embed_tokens.weight" in theirs
    check_weights(plain, theirs, ulps=4)
    found = readers.tensors_of(plain)
    assert found.keys() == original.keys()
    assert {one: array.dtype for one, array in found.items()} == {
        one: array.dtype for one, array in original.items()
    }
    assert "quantization" not in readers.config_of(plain)
    assert diff(models[name], folder).measured is not None


def test_experts_that_mlx_lm_stacks_are_read(tmp_path: Path) -> None:
    import mlx.core as mx
    from mlx_lm.models.mixtral import Model as Mixtral
    from mlx_lm.models.mixtral import ModelArgs

    sizes: dict[str, Any] = {
        "model_type": "mixtral",
        "vocab_size": 64,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
    }
    mx.random.seed(3)
    model = Mixtral(ModelArgs.from_dict(sizes))
    folder = readers.saved(model, sizes, tmp_path / "theirs", 4, 32)
    theirs = readers.decoded(folder)
    stacked = [name for name, values in theirs.items() if values.ndim == 3]
    assert len(stacked) == 3
    check_weights(restored(folder), theirs, ulps=4)
    with open_logical(folder) as reader:
        assert [reader.infos[name].shape for name in stacked] == [
            theirs[name].shape for name in stacked
        ]


def weights(seed: int, dtype: Any) -> NDArray[np.float32]:
    """Normal numbers with rows of zeros, of one sign, of ties and of widely different sizes."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((48, 256)) * np.exp(rng.uniform(-9, 2, (48, 1)))
    values[0] = 0
    values[1] = np.abs(values[1])
    values[2] = -np.abs(values[2])
    values[3] = rng.integers(-15, 16, 256) / 2
    values[4, ::3] = 0
    values[5] = rng.standard_t(2, 256)
    values[6] = 0.5
    values[7] += 100
    values[8] *= 1e-6
    return values.astype(dtype).astype(np.float32)


DTYPES: dict[str, tuple[str, Any]] = {
    "F32": ("float32", np.float32),
    "F16": ("float16", np.float16),
    "BF16": ("bfloat16", ml_dtypes.bfloat16),
}
RULE = Fitting("mlx", "none", negative_scale=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_affine_codes_without_a_search_are_those_of_mlx(bits: int, group: int, dtype: str) -> None:
    import mlx.core as mx

    named, exact = DTYPES[dtype]
    for seed in range(3):
        values = weights(seed, exact)
        given = mx.array(values).astype(getattr(mx, named))
        theirs = mx.quantize(given, group_size=group, bits=bits)
        scheme = Affine(bits, group, dtype)
        found = scheme.fit(values, None, RULE)
        codes = scheme.encode(values, found, RULE)
        np.testing.assert_array_equal(pack_words(codes, bits).view("<u4"), np.array(theirs[0]))
        np.testing.assert_array_equal(found["scale"], readers.floats(theirs[1]))
        np.testing.assert_array_equal(found["bias"], readers.floats(theirs[2]))


@pytest.mark.parametrize(
    ("scheme", "dtype"),
    [
        (Mxfp4(4, 32), "F8_E8M0"),
        (Mxfp8(8, 32), "F8_E8M0"),
        (Nvfp4(4, 16, global_scale=False), "F8_E4M3"),
    ],
    ids=str,
)
def test_scales_of_floats_without_a_search_are_those_of_mlx(scheme: Scaled, dtype: str) -> None:
    """And so are the numbers, but for those half way between two: MLX takes the smaller one on a
    CPU, the even one on a GPU.
    """
    import mlx.core as mx

    for seed in range(3):
        values = weights(seed, np.float32)
        size, mode = scheme.group_size, scheme.id
        words, scales = mx.quantize(mx.array(values), size, scheme.bits, mode=mode)
        found = scheme.fit(values, None, RULE)
        np.testing.assert_array_equal(floats.narrow(found["scale"], dtype), np.array(scales))
        codes = unpack_words(np.array(words), scheme.bits, values.shape[1])
        ours, theirs = (
            scheme.decode(one, found) for one in (scheme.encode(values, found, RULE), codes)
        )
        ties = np.abs(ours - values) == np.abs(theirs - values)
        assert (ties | (ours == theirs)).all()
        assert (ours == theirs).mean() > 0.98
