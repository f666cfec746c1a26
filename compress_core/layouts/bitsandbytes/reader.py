"""The way back: a reader of the logical tensors of weights that bitsandbytes reads.

``quant_state`` says all there is to know of a weight, so a single file is read as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from compress_core.container import Reader
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.opening import open_coded, open_recorded
from compress_core.layouts._served.quantization import method_of
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.bitsandbytes.described import METHOD
from compress_core.layouts.bitsandbytes.weights import coded_weight, modules_of, scales_in

RECORDER = Recorder(METHOD)


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    if method_of(stored.config) not in (None, METHOD):
        return None
    modules = modules_of(stored)
    if not modules:
        return open_recorded(stored, RECORDER)
    return open_coded(stored, RECORDER, lambda: _decodable(stored, modules))


def _decodable(stored: Reader, modules: Mapping[str, Module]) -> dict[str, CodedWeight]:
    """The weights with codes. Their dtype is the one that the file records, or else that of the
    library's own record; eight bits have none, and get that of :func:`usual_dtype`.
    """
    recorded = RECORDER.read(stored.metadata)
    usual = usual_dtype(stored, scales_in(modules))
    return {
        f"{name}.weight": coded_weight(module, recorded.dtypes.get(f"{name}.weight"), usual)
        for name, module in modules.items()
    }
