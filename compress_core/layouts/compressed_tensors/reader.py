"""The way back: a reader of the logical tensors of a compressed-tensors folder.

No NumPy here, but for the two numbers of each ``weight_shape``: what the tensors are is known from
headers and ``config.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress_core.container import Reader
from compress_core.layouts._served.opening import open_coded, open_recorded
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.compressed_tensors.groups import Groups, beyond, quantization_of
from compress_core.layouts.compressed_tensors.weights import (
    SCALE,
    coded_weight,
    modules_of,
    parts_of_inputs,
)

RECORDER = Recorder("compressed-tensors")


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    config = quantization_of(stored.config)
    if config is None:
        return open_recorded(stored, RECORDER)
    if not modules_of(stored):
        return None
    left_out = parts_of_inputs(stored, stored.config or {})
    return open_coded(stored, RECORDER, lambda: _decodable(stored, config), left_out)


def _decodable(stored: Reader, config: Mapping[str, Any]) -> dict[str, CodedWeight]:
    """The weights with codes. Their dtype is the one that the file records; in files of other
    tools, that of :func:`usual_dtype`.
    """
    said = beyond(config)
    if said is not None:
        raise NotDecodedError(said)
    recorded = RECORDER.read(stored.metadata)
    modules = modules_of(stored)
    usual = usual_dtype(stored, {f"{name}{SCALE}" for name in modules})
    found: dict[str, CodedWeight] = {}
    for name, group in Groups(config).of(list(modules)):
        weight = f"{name}.weight"
        dtype = recorded.dtypes.get(weight, usual)
        found[weight] = coded_weight(modules[name], group, dtype)
    return found
