"""The way back: a reader of the logical tensors of an MLX folder.

No NumPy here: what the tensors are is known from headers and ``config.json``.
"""

from __future__ import annotations

from collections.abc import Mapping

from compress_core.container import Reader
from compress_core.dtypes import DType
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.opening import open_coded, open_recorded
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.mlx.arguments import Quantization, quantization_of
from compress_core.layouts.mlx.described import KEYS
from compress_core.layouts.mlx.weights import SCALES, coded_weight, modules_of

RECORDER = Recorder("mlx")


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    quantization = quantization_of(stored.config)
    if quantization is None:
        return open_recorded(stored, RECORDER)
    modules = modules_of(stored)
    if not modules:
        return None
    return open_coded(
        stored, RECORDER, lambda: _decodable(stored, modules, quantization), keys=KEYS
    )


def _decodable(
    stored: Reader, modules: Mapping[str, Module], quantization: Quantization
) -> dict[str, CodedWeight]:
    """The weights with codes.

    Their dtype is the one that the file records; in files of other tools it is that of scales and
    biases, as MLX has it, or where scales are bytes that of :func:`usual_dtype`.
    """
    recorded = RECORDER.read(stored.metadata)
    usual = usual_dtype(stored, {f"{name}{SCALES}" for name in modules})
    found: dict[str, CodedWeight] = {}
    for name, module in modules.items():
        weight = f"{name}.weight"
        scales: DType = module.info("scales").dtype
        dtype = recorded.dtypes.get(weight, scales if scales.is_weight else usual)
        symmetric = weight in recorded.symmetric
        found[weight] = coded_weight(module, quantization.of(name), dtype, symmetric=symmetric)
    return found
