"""The way back: a reader of the logical tensors of an MLX folder.

No NumPy here: what the tensors are is known from headers and ``config.json``.
"""

from __future__ import annotations

from compress_core.container import Reader
from compress_core.dtypes import DType
from compress_core.layouts._served.reader import ServedReader
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.mlx.arguments import Quantization, quantization_of
from compress_core.layouts.mlx.described import without_quantization
from compress_core.layouts.mlx.weights import SCALES, coded_weight, modules_of
from compress_core.logical import located

RECORDER = Recorder("mlx")


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    quantization = quantization_of(stored.config)
    if quantization is None or not modules_of(stored):
        # with tensors that are pruned and nothing else, the record is all there is
        own = quantization is None and RECORDER.is_in(stored.metadata)
        return _read(stored, None) if own else None
    try:
        return _read(stored, quantization)
    except NotDecodedError as error:
        stored.notes = [*stored.notes, f"mlx, and not decoded here: {error}"]
        return None


def _read(stored: Reader, quantization: Quantization | None) -> Reader:
    with located(stored.path):
        coded = {} if quantization is None else _decodable(stored, quantization)
        before = None if stored.config is None else without_quantization(stored.config)
        return ServedReader(stored, coded, RECORDER, before)


def _decodable(stored: Reader, quantization: Quantization) -> dict[str, CodedWeight]:
    """The weights with codes.

    Their dtype is the one that the file records; in files of other tools it is that of scales and
    biases, as MLX has it, or where scales are bytes that of :func:`usual_dtype`.
    """
    recorded = RECORDER.read(stored.metadata)
    modules = modules_of(stored)
    usual = usual_dtype(stored, {f"{name}{SCALES}" for name in modules})
    found: dict[str, CodedWeight] = {}
    for name, module in modules.items():
        weight = f"{name}.weight"
        scales: DType = module.info("scales").dtype
        dtype = recorded.dtypes.get(weight, scales if scales.is_weight else usual)
        symmetric = weight in recorded.symmetric
        found[weight] = coded_weight(module, quantization.of(name), dtype, symmetric=symmetric)
    return found
