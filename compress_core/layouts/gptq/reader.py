"""The way back: a reader of the logical tensors of a folder in the container of GPTQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress_core.container import Reader
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.opening import open_coded, open_recorded
from compress_core.layouts._served.quantization import method_of
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.weight import CodedWeight, usual_dtype
from compress_core.layouts.gptq.arguments import Arguments
from compress_core.layouts.gptq.described import METHOD
from compress_core.layouts.gptq.weights import coded_weight, modules_of
from compress_core.layouts.gptq.words import SCALES

RECORDER = Recorder(METHOD)


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    method = method_of(stored.config)
    if method is None:
        return open_recorded(stored, RECORDER)
    modules = modules_of(stored)
    if method != METHOD or not modules or stored.config is None:
        return None
    config = stored.config["quantization_config"]
    return open_coded(stored, RECORDER, lambda: _decodable(stored, modules, config))


def _decodable(
    stored: Reader, modules: Mapping[str, Module], config: Mapping[str, Any]
) -> dict[str, CodedWeight]:
    """The weights with codes. Their dtype is the one that the file records; in files of other
    tools, that of :func:`usual_dtype`.
    """
    arguments = Arguments.read(config)
    recorded = RECORDER.read(stored.metadata)
    usual = usual_dtype(stored, {f"{name}.{SCALES}" for name in modules})
    return {
        f"{name}.weight": coded_weight(
            module, arguments, recorded.dtypes.get(f"{name}.weight", usual)
        )
        for name, module in modules.items()
    }
