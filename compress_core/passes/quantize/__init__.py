"""Quantize: values become codes of a few bits and the parameters of their groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core import registry
from compress_core.dtypes import DType
from compress_core.errors import UsageError
from compress_core.fields import Scalar, option
from compress_core.fitting import RULES, SEARCHES, Fitting
from compress_core.limits import Limits
from compress_core.passes.base import DAMPING, Pass, Settled, Survey, Target
from compress_core.presets import PRESETS, find, rule_of
from compress_core.tensors import Form, Refusal, TensorInfo
from compress_core.wanted import Wanted

if TYPE_CHECKING:
    from compress_core.schemes.base import Parameters, Scheme
    from compress_core.tiles import Tile

# ways to choose codes by what the layer gives → matrices of the size of its Gram matrix in memory
_BY_OUTPUT = {"gptq": 3, "cd": 3, "ste": 1}

_OF_SCHEMES = ("bits", "group_size", "symmetric", "center", "element")


@dataclass(frozen=True)
class Quantize(Pass):
    """Map the values of every group to the numbers of a narrow format."""

    id: ClassVar[str] = "quantize"
    summary: ClassVar[str] = "map values to integers or floats of a few bits, or to two values"

    preset: str | None = option(
        "a named set of the options below",
        str,
        choices=tuple(PRESETS),
        pattern=r"[\w.-]+",
        replaces=("scheme", *_OF_SCHEMES, "double_quant", "inputs"),
    )
    scheme: str | None = option(
        "number format of the codes",
        str,
        choices=registry.names("schemes"),
        aliases=(("(?i:int)", "integer"),),
        otherwise="integer; binary for 1 bit",
    )
    bits: int | None = option(
        "bits of a code; 1 is binary",
        int,
        minimum=1,
        maximum=8,
        otherwise="required for integers without a preset",
    )
    group_size: int | str | None = option(
        "columns that share a scale",
        int,
        choices=("channel", "tensor"),
        minimum=1,
        otherwise="channel; affine and nf4 64, mxfp4 and mxfp8 32, nvfp4 16",
    )
    symmetric: bool | None = option("no zero point", bool, otherwise="true")
    center: str | None = option(
        "subtract the group's mean first and add it back",
        str,
        choices=("none", "mean"),
        otherwise="none; mean for 1 bit",
    )
    element: str | None = option(
        "kind of 8-bit float", str, choices=("e4m3", "e5m2"), otherwise="e4m3"
    )
    double_quant: bool | None = option(
        "store scales of nf4 as 8-bit codes, as bitsandbytes can", bool, otherwise="false"
    )
    scale_rule: str | None = option(
        "whose formula gives a scale from its group",
        str,
        choices=RULES,
        otherwise="absmax; with a preset that of its library",
    )
    scale_search: str = option(
        "what a scale is searched for: none, or least squared error",
        str,
        choices=SEARCHES,
        default="mse",
    )
    scale_dtype: str = option(
        "dtype of scales and means; auto: f32, for groups a 16-bit float",
        str,
        choices=("auto", "f32", "f16", "bf16"),
        default="auto",
    )
    refine: str = option(
        "how codes are chosen by --gram: with feedback, coordinate descent besides,"
        " or training of latent weights; none: each is the nearest",
        str,
        choices=("none", *_BY_OUTPUT),
        default="none",
    )
    damping: float | None = option(
        "share of its mean that is added to the diagonal of a Gram matrix",
        float,
        minimum=0.001,
        maximum=10,
        otherwise=f"{DAMPING}",
    )
    inputs: str | None = option(
        "format that servers give to what a layer gets, token by token; weights do not change",
        str,
        choices=("none", "int8", "fp8"),
        otherwise="none",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset is not None:
            object.__setattr__(self, "preset", find(self.preset))
        if self.preset is None and self.scheme is None and self.bits is None:
            raise UsageError(
                "quantize needs bits, a scheme or a preset",
                where="bits",
                hint="try --bits 4 or --preset W4A16",
            )
        self._class.asked(self._wanted("F32"))
        if self.damping is not None and self.refine == "none":
            raise UsageError(
                "damping is for Gram matrices, and refine is none",
                where="damping",
                hint="drop damping, or use --refine cd",
            )
        if not self._has(self._rule):
            mean = " around a mean" if self._setting("center") == "mean" else ""
            raise UsageError(
                f"{self._rule} has no formula for {self._named} codes{mean}",
                where="scale_rule",
                hint="leave scale_rule out (--scale-rule absmax)",
            )

    def _setting(self, name: str, otherwise: Scalar = None) -> Any:
        own = getattr(self, name)
        if own is not None:
            return own
        return PRESETS[self.preset].get(name, otherwise) if self.preset is not None else otherwise

    @property
    def _named(self) -> str:
        binary = self._setting("bits") == 1
        return str(self._setting("scheme", "binary" if binary else "integer"))

    @property
    def _rule(self) -> str:
        """The rule that is asked for, or that of a preset where it has a formula."""
        if self.scale_rule is not None:
            return self.scale_rule
        known = "absmax" if self.preset is None else rule_of(self.preset)
        return known if self._has(known) else "absmax"

    def _has(self, rule: str) -> bool:
        own_only = self._setting("center") == "mean"
        return rule == "absmax" or (rule in self._class.rules and not own_only)

    @property
    def _class(self) -> type[Scheme]:
        found: type[Scheme] = registry.get("schemes", self._named)
        double = self._setting("double_quant")
        is_double = found.doubled == found.id
        if double in (None, is_double):
            return found
        if not double or found.doubled is None:
            raise UsageError(
                f"double_quant: {str(double).lower()} is not for {found.id} codes",
                where="double_quant",
                hint="leave double_quant out",
            )
        doubled: type[Scheme] = registry.get("schemes", found.doubled)
        return doubled

    def _wanted(self, dtype: str) -> Wanted:
        given = {name: self._setting(name) for name in _OF_SCHEMES}
        return Wanted(**given, scale_dtype=self.scale_dtype.upper(), dtype=dtype)

    def _scheme(self, dtype: DType, limits: Limits | None = None) -> Scheme:
        wanted = self._wanted(dtype.code)
        usual = self._class.asked(wanted)
        if limits is None:
            return usual
        scales = _scales_for(limits, usual, dtype)
        return self._class.asked(replace(wanted, scales=scales, global_scale=limits.global_scale))

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
        scheme = self._scheme(form.dtype, limits)
        reason = unfit(scheme, info, limits)
        if reason is not None:
            return Refusal(info.name, reason, _fitting_size(scheme, info))
        # a cast that is open changes no value: codes are decoded to the dtype that is certain
        return replace(form, scheme=scheme, moved=False, inputs=self._inputs, maybe=None)

    @property
    def _inputs(self) -> str | None:
        named = str(self._setting("inputs", "none"))
        return None if named == "none" else named

    @property
    def gram_matrices(self) -> int:
        return _BY_OUTPUT.get(self.refine, 0)

    @property
    def without_gram(self) -> str:
        return f"refine {self.refine} is rounding to the nearest there"

    def group(self, info: TensorInfo) -> str | None:
        return info.name if self._scheme(info.dtype).surveys else None

    def row_multiple(self, info: TensorInfo) -> int:
        return self._scheme(info.dtype).row_multiple(info.matrix[1])

    def joins(self, info: TensorInfo) -> bool:
        # one figure for all blocks, which the kernels of servers have once a matrix
        return any(kind.whole for kind in self._scheme(info.dtype).parameters().values())

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        scheme = targets[0].form.scheme
        if scheme is None or not scheme.surveys:
            return None
        if isinstance(found, TensorFit):
            return found.next()
        return TensorFit(scheme, self._fitting(targets[0]), 0, {}) if found is None else None

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        known = found.conclude() if isinstance(found, TensorFit | TensorSearch) else None
        first = targets[0]
        if self._by_gram(targets) and first.form.scheme is not None:
            return self._refined(first.form.scheme, self._fitting(first), known)
        return Encode(
            {one.info.name: (one.form.scheme, self._fitting(one)) for one in targets}, known
        )

    def _by_gram(self, targets: Sequence[Target]) -> bool:
        """Whether codes are chosen by Gram matrices.

        :raises UsageError: some of the tensors that decide together have one, and others have none.
        """
        missing = [one.info.name for one in targets if not one.has_gram]
        if not self.gram_matrices or len(missing) == len(targets):
            return False
        if missing:
            others = next(one.info.name for one in targets if one.has_gram)
            raise UsageError(
                f"{missing[0]} has no Gram matrix, and readers make one matrix of it and {others}",
                hint=f"add its matrix, which is the same, or --ignore '{missing[0]}'",
            )
        return True

    def _refined(self, scheme: Scheme, fitting: Fitting, known: Parameters | None) -> Settled:
        from compress_core.passes.quantize import refined

        damping = DAMPING if self.damping is None else self.damping
        return refined.WAYS[self.refine](scheme, fitting, known, damping)

    def _fitting(self, target: Target) -> Fitting:
        return Fitting(self._rule, self.scale_search, target.limits.negative_scale)


def _scales_for(limits: Limits, usual: Scheme, dtype: DType) -> str | None:
    """The dtype that scales must have in a layout; ``None``: that which they usually have."""
    if limits.scales_as_weights:
        return "F32" if dtype.bits > 32 else dtype.code
    fits = usual.parameters()["scale"].dtype in limits.scale_dtypes
    return None if fits else limits.scale_dtypes[0]


def _fitting_size(scheme: Scheme, info: TensorInfo) -> str | None:
    """What would fit a tensor whose width is no multiple of the group size."""
    if isinstance(scheme.group_size, int) and info.matrix[1] % scheme.group_size:
        common = math.gcd(scheme.group_size, info.matrix[1])
        return f"--group-size {common if common >= 16 else 'channel'}"
    return None


def unfit(scheme: Scheme, info: TensorInfo, limits: Limits) -> str | None:
    """Why there is no room for codes of a scheme; ``None``: there is."""
    stored = scheme.parameters()
    if limits.refusal is not None:
        return limits.refusal
    if limits.schemes is not None and scheme.id not in limits.schemes:
        return f"the layout holds no {scheme.id} codes"
    if scheme.bits not in limits.bits:
        return f"the layout holds no {scheme.bits}-bit codes"
    if "zero_point" in stored and not limits.zero_point:
        return "the layout holds no zero point"
    if "global_scale" in stored and not limits.global_scale:
        return "the layout holds no scale for a whole tensor"
    if "mean" in stored and not limits.center:
        return "the layout holds no group means"
    if not stored["scale"].bits and stored["scale"].dtype not in limits.scale_dtypes:
        return f"the layout holds no {stored['scale'].dtype} scales"
    size = scheme.group_size
    if isinstance(size, int) and info.matrix[1] % size and not limits.ragged_groups:
        return f"{info.matrix[1]} columns are no multiple of the group size {size}"
    return None


class TensorFit(Survey):
    """One round of fitting over a whole tensor."""

    def __init__(self, scheme: Scheme, fitting: Fitting, turn: int, found: Parameters) -> None:
        self._scheme = scheme
        self._fitting = fitting
        self._turn = turn
        self._found = found
        self._statistics: Parameters = {}

    def observe(self, tile: Tile) -> list[Parameters]:
        pieces = []
        for first in tile.grains():
            rows = slice(first, first + tile.grain)
            kept = None if tile.mask is None else ~tile.mask[rows]
            pieces.append(self._scheme.overview(self._turn, tile.values[rows], kept, self._found))
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
        return self._scheme.conclude(self._turn, self._statistics, self._found, self._fitting)

    def next(self) -> Survey | None:
        """The next round, if the scheme needs one; then the search, if there is one."""
        found = self.conclude()
        if self._turn + 1 < self._scheme.surveys:
            return TensorFit(self._scheme, self._fitting, self._turn + 1, found)
        if self._scheme.group_size != "tensor" or not self._fitting.searches:
            return None
        search = TensorSearch(self._scheme, self._fitting, found)
        return search if search.trials else None


class TensorSearch(Survey):
    """The squared error of a whole tensor with each of several sets of parameters."""

    def __init__(self, scheme: Scheme, fitting: Fitting, found: Parameters) -> None:
        self._scheme = scheme
        self._fitting = fitting
        self._found = found
        self.trials = list(scheme.trials(found, fitting))
        self._errors: list[float] = []

    def observe(self, tile: Tile) -> list[list[float]]:
        return [self._errors_of(tile, first) for first in tile.grains()]

    def _errors_of(self, tile: Tile, first: int) -> list[float]:
        rows = slice(first, first + tile.grain)
        values = tile.values[rows].reshape(1, -1)
        kept = None if tile.mask is None else ~tile.mask[rows].reshape(1, -1)
        errors = self._scheme.errors(values, kept, values.size, self._fitting)
        return [float(errors(self._found | one)[0, 0]) for one in ({}, *self.trials)]

    def absorb(self, info: TensorInfo, start: int, partial: list[list[float]]) -> None:
        for errors in partial:
            before = self._errors or [0.0] * len(errors)
            self._errors = [one + other for one, other in zip(before, errors, strict=True)]

    def conclude(self) -> Parameters:
        """The best parameters; those of the formula among equals."""
        best = min(range(len(self._errors)), key=self._errors.__getitem__)
        return self._found | [{}, *self.trials][best]


class Encode(Settled):
    """Give every tile its codes.

    :param schemes: tensor → its scheme and how the parameters of a group are chosen.
    :param surveyed: what was found over the whole tensor; ``None``: nothing was looked for.
    """

    def __init__(
        self, schemes: dict[str, tuple[Scheme | None, Fitting]], surveyed: Parameters | None
    ) -> None:
        self._schemes = schemes
        self._surveyed = surveyed

    def apply(self, tile: Tile) -> None:
        from compress_core.tiles import Quantized

        scheme, fitting = self._schemes[tile.info.name]
        if scheme is None:
            return
        found = self._surveyed
        if found is None or scheme.group_size != "tensor":
            found = scheme.fit(tile.values, tile.mask, fitting, found)
        tile.quantize(Quantized(scheme, scheme.encode(tile.values, found, fitting), found))
