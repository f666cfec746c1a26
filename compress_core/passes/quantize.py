"""Quantize: values become codes of a few bits and the parameters of their groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.errors import UsageError
from compress_core.fields import Scalar, option
from compress_core.limits import Limits
from compress_core.passes.base import Pass, Settled, Survey, Target
from compress_core.presets import PRESETS, find
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.schemes.base import Parameters, Scheme
    from compress_core.tiles import Tile


@dataclass(frozen=True)
class Quantize(Pass):
    """Map the values of every group to integers, or to two values."""

    id: ClassVar[str] = "quantize"
    summary: ClassVar[str] = "map values to integers of a few bits, or to two values"

    preset: str | None = option(
        "a named set of the options below",
        str,
        choices=tuple(PRESETS),
        pattern=r"[\w.-]+",
        replaces=("bits", "group_size", "symmetric", "center", "inputs"),
    )
    bits: int | None = option(
        "bits of a code; 1 is binary",
        int,
        minimum=1,
        maximum=8,
        otherwise="required without a preset",
    )
    group_size: int | str | None = option(
        "columns that share a scale",
        int,
        choices=("channel", "tensor"),
        minimum=1,
        otherwise="channel",
    )
    symmetric: bool | None = option("no zero point", bool, otherwise="true")
    center: str | None = option(
        "subtract the group's mean first and add it back",
        str,
        choices=("none", "mean"),
        otherwise="none; mean for 1 bit",
    )
    scale_rule: str = option(
        "how a scale follows from its group", str, choices=("absmax",), default="absmax"
    )
    scale_search: str = option(
        "what a scale is searched for", str, choices=("none",), default="none"
    )
    scale_dtype: str = option(
        "dtype of scales and means; auto: f32, for groups a 16-bit float",
        str,
        choices=("auto", "f32", "f16", "bf16"),
        default="auto",
    )
    inputs: str | None = option(
        "format that servers give to what a layer gets, token by token; weights do not change",
        str,
        choices=("none", "int8"),
        otherwise="none",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset is not None:
            object.__setattr__(self, "preset", find(self.preset))
        if self.bits is None and self.preset is None:
            raise UsageError(
                "quantize needs bits or a preset",
                where="bits",
                hint="try --bits 4 or --preset W4A16",
            )
        if self._center == "mean" and not self._symmetric:
            raise UsageError(
                "center: mean is for symmetric codes; an asymmetric range has its own offset",
                where="center",
                hint="leave center out (--center none), or symmetric",
            )
        if self._bits == 1 and not self._symmetric:
            raise UsageError(
                "1 bit is sign and scale: there is no asymmetric form",
                where="symmetric",
                hint="use --bits 2, or leave symmetric out",
            )

    def _setting(self, name: str, otherwise: Scalar) -> Any:
        own = getattr(self, name)
        if own is not None:
            return own
        return PRESETS[self.preset].get(name, otherwise) if self.preset is not None else otherwise

    @property
    def _bits(self) -> int:
        return int(self._setting("bits", None))

    @property
    def _symmetric(self) -> bool:
        return bool(self._setting("symmetric", True))

    @property
    def _center(self) -> str:
        return str(self._setting("center", "mean" if self._bits == 1 else "none"))

    @property
    def _group_size(self) -> Any:
        return self._setting("group_size", "channel")

    @property
    def meant_for(self) -> str | None:
        # the presets of other tools are for linear layers
        return "linear" if self.preset is not None else None

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form | Refusal:
        if form.scheme is not None:
            raise UsageError(
                f"two passes quantize {info.name}",
                hint="give each its own match, or one pass rules",
            )
        scheme = self._scheme(info, limits)
        reason = _unfit(scheme, info, limits)
        if reason is not None:
            return Refusal(info.name, reason, _fitting(scheme, info))
        return replace(form, scheme=scheme, moved=False, inputs=self._inputs)

    @property
    def _inputs(self) -> str | None:
        named = str(self._setting("inputs", "none"))
        return None if named == "none" else named

    def _scheme(self, info: TensorInfo, limits: Limits) -> Scheme:
        from compress_core import registry

        dtype = self._scale_dtype(info, limits)
        common = {"group_size": self._group_size, "center": self._center, "scale_dtype": dtype}
        if self._bits == 1:
            binary: Scheme = registry.get("schemes", "binary")(bits=1, **common)
            return binary
        integer: Scheme = registry.get("schemes", "integer")(
            bits=self._bits, symmetric=self._symmetric, **common
        )
        return integer

    def _scale_dtype(self, info: TensorInfo, limits: Limits) -> str:
        if self.scale_dtype != "auto":
            return self.scale_dtype.upper()
        if limits.scales_as_weights:
            return info.dtype.code if info.dtype.bits <= 32 else "F32"
        if not isinstance(self._group_size, int):
            return "F32"
        return info.dtype.code if info.dtype.code in ("F16", "BF16") else "F16"

    def group(self, info: TensorInfo) -> str | None:
        return info.name if self._group_size == "tensor" else None

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        if found is None:
            scheme = targets[0].form.scheme
            return TensorFit(scheme, 0, {}) if scheme is not None else None
        return found.next() if isinstance(found, TensorFit) else None

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        parameters = found.conclude() if isinstance(found, TensorFit) else None
        return Encode({target.info.name: target.form.scheme for target in targets}, parameters)


def _fitting(scheme: Scheme, info: TensorInfo) -> str | None:
    """What would fit a tensor whose width is no multiple of the group size."""
    if isinstance(scheme.group_size, int) and info.matrix[1] % scheme.group_size:
        common = math.gcd(scheme.group_size, info.matrix[1])
        return f"--group-size {common if common >= 16 else 'channel'}"
    return None


def _unfit(scheme: Scheme, info: TensorInfo, limits: Limits) -> str | None:
    stored = scheme.parameters()
    if limits.refusal is not None:
        return limits.refusal
    if scheme.bits not in limits.bits:
        return f"the layout holds no {scheme.bits}-bit codes"
    if "zero_point" in stored and not limits.zero_point:
        return "the layout holds no zero point"
    if "mean" in stored and not limits.center:
        return "the layout holds no group means"
    if stored["scale"].dtype not in limits.scale_dtypes:
        return f"the layout holds no {stored['scale'].dtype} scales"
    size = scheme.group_size
    if isinstance(size, int) and info.matrix[1] % size and not limits.ragged_groups:
        return f"{info.matrix[1]} columns are no multiple of the group size {size}"
    return None


class TensorFit(Survey):
    """One round of fitting a single group that is the whole tensor."""

    def __init__(self, scheme: Scheme, turn: int, found: Parameters) -> None:
        self._scheme = scheme
        self._turn = turn
        self._found = found
        self._statistics: Parameters = {}

    def observe(self, tile: Tile) -> list[Parameters]:
        pieces = []
        for first in tile.grains():
            rows = slice(first, first + tile.grain)
            values = tile.values[rows].reshape(1, 1, -1)
            kept = None if tile.mask is None else ~tile.mask[rows].reshape(1, 1, -1)
            pieces.append(self._scheme.observe(self._turn, values, kept, self._found))
        return pieces

    def absorb(self, info: TensorInfo, start: int, partial: list[Parameters]) -> None:
        import numpy as np

        combine = {"sum": np.add, "min": np.minimum, "max": np.maximum}
        for piece in partial:
            for name, value in piece.items():
                so_far = self._statistics.get(name)
                how = combine[self._scheme.reductions[name]]
                self._statistics[name] = value if so_far is None else how(so_far, value)

    def conclude(self) -> Parameters:
        """The parameters known after this round."""
        return self._scheme.conclude(self._turn, self._statistics, self._found)

    def next(self) -> TensorFit | None:
        """The next round, if the scheme needs one."""
        if self._turn + 1 == self._scheme.rounds:
            return None
        return TensorFit(self._scheme, self._turn + 1, self.conclude())


class Encode(Settled):
    """Give every tile its codes.

    :param parameters: of the one group that is the whole tensor; ``None``: fitted row by row.
    """

    def __init__(self, schemes: dict[str, Scheme | None], parameters: Parameters | None) -> None:
        self._schemes = schemes
        self._parameters = parameters

    def apply(self, tile: Tile) -> None:
        from compress_core.tiles import Quantized

        scheme = self._schemes[tile.info.name]
        if scheme is None:
            return
        parameters = self._parameters
        if parameters is None:
            parameters = scheme.fit(tile.values, tile.mask)
        tile.quantize(Quantized(scheme, scheme.encode(tile.values, parameters), parameters))
