"""``quantization_config``: what a checkpoint says of its layers, to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from compress_core.errors import FormatError
from compress_core.layouts._served.quantization import KEYS
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.described import METHOD
from compress_core.layouts.compressed_tensors.inputs import inputs_of
from compress_core.layouts.compressed_tensors.patterns import Names, check_cost


@dataclass(frozen=True)
class Group:
    """Layers that are quantized alike.

    :ivar arguments: of their weights; ``None``: they are not quantized.
    :ivar format: as it is written; ``None``: the arguments say it.
    """

    targets: Names
    arguments: Arguments | None
    format: str | None
    inputs: str | None


class Groups:
    """All groups of a config.

    :raises FormatError: it is damaged.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        top = _format(config)
        self._top = None if top == "mixed-precision" else top
        given = config.get("config_groups")
        if not isinstance(given, Mapping) or not given:
            raise FormatError("quantization_config has no config_groups")
        self._groups = [_group(one) for one in given.values()]

    def of(self, modules: Sequence[str]) -> Iterator[tuple[str, Group]]:
        """The group of each module that has codes.

        :raises FormatError: no group means a module.
        """
        check_cost([group.targets for group in self._groups], len(modules))
        for module in modules:
            found = self._find(module)
            if found is None:
                raise FormatError("no group of quantization_config means it", where=module)
            yield module, replace(found, format=found.format or self._top)

    def _find(self, module: str) -> Group | None:
        """By its name, then by an expression, then by its class."""
        ways: tuple[Callable[[Names], bool], ...] = (
            lambda targets: targets.has(module),
            lambda targets: targets.matches(module),
            lambda targets: targets.has_class,
        )
        return next((one for way in ways for one in self._groups if way(one.targets)), None)


def quantization_of(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What a ``config.json`` says of codes of compressed-tensors; ``None``: it has none."""
    for key in KEYS:
        found = (config or {}).get(key)
        if isinstance(found, Mapping) and found.get("quant_method", METHOD) == METHOD:
            return found if "config_groups" in found else None
    return None


def beyond(config: Mapping[str, Any]) -> str | None:
    """What a ``quantization_config`` says that is not decoded here; ``None``: nothing."""
    if config.get("quantization_status", "compressed") != "compressed":
        return f"quantization_status {config['quantization_status']!s:.40}"
    if config.get("transform_config"):
        return "transforms of weights (transform_config)"
    sparsity = config.get("sparsity_config")
    if isinstance(sparsity, Mapping) and sparsity.get("format", "dense") != "dense":
        return f"sparsity_config {sparsity['format']!s:.40}"
    return None


def _group(given: Any) -> Group:
    if not isinstance(given, Mapping):
        raise FormatError(f"a group of quantization_config: {given!r:.80}")
    weights = given.get("weights")
    return Group(
        Names(given.get("targets")),
        None if weights is None else Arguments.read(weights),
        _format(given),
        inputs_of(given.get("input_activations")),
    )


def _format(given: Mapping[str, Any]) -> str | None:
    format_ = given.get("format")
    if format_ is not None and not isinstance(format_, str):
        raise FormatError(f"format of quantization_config: {format_!r:.80}")
    return format_
