"""The way back: a reader of the logical tensors of a compressed-tensors folder.

No NumPy here, but for the two numbers of each ``weight_shape``: what the tensors are is known from
headers and ``config.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress_core.container import Reader
from compress_core.layouts._served.reader import ServedReader
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.compressed_tensors.groups import (
    Groups,
    beyond,
    quantization_of,
    without_quantization,
)
from compress_core.layouts.compressed_tensors.weights import (
    SCALE,
    coded_weight,
    modules_of,
    parts_of_inputs,
)
from compress_core.logical import located

RECORDER = Recorder("compressed-tensors")


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    config = quantization_of(stored.config)
    if config is None or not modules_of(stored):
        # with tensors that are pruned and nothing else, the record is all there is
        own = config is None and RECORDER.is_in(stored.metadata)
        return _read(stored, None) if own else None
    said = beyond(config)
    if said is None:
        try:
            return _read(stored, config)
        except NotDecodedError as error:
            said = str(error)
    stored.undecoded = said
    stored.notes = [*stored.notes, f"compressed-tensors, and not decoded here: {said}"]
    return None


def _read(stored: Reader, config: Mapping[str, Any] | None) -> Reader:
    with located(stored.path):
        coded = {} if config is None else _decodable(stored, Groups(config))
        before = None if stored.config is None else without_quantization(stored.config)
        left_out = parts_of_inputs(stored, stored.config or {})
        return ServedReader(stored, coded, RECORDER, before, left_out)


def _decodable(stored: Reader, groups: Groups) -> dict[str, CodedWeight]:
    """The weights with codes. Their dtype is the one that the file records; in files of other
    tools, that of :func:`usual_dtype`.
    """
    recorded = RECORDER.read(stored.metadata)
    modules = modules_of(stored)
    usual = usual_dtype(stored, {f"{name}{SCALE}" for name in modules})
    found: dict[str, CodedWeight] = {}
    for name, group in groups.of(list(modules)):
        weight = f"{name}.weight"
        dtype = recorded.dtypes.get(weight, usual)
        found[weight] = coded_weight(modules[name], group, dtype)
    return found
