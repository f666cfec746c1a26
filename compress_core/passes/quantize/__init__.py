"""Quantize: values become codes of a few bits and the parameters of their groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core import registry
from compress_core.dtypes import DType
from compress_core.errors import UsageError
from compress_core.fields import Scalar, option
from compress_core.fitting import RULES, SEARCHES, Fitting
from compress_core.limits import Limits
from compress_core.passes._damping import AUTO, Trial, damping_option
from compress_core.passes.base import DAMPING, Decided, Pass, Survey, Target, Waiting
from compress_core.passes.quantize.nearest import Encode
from compress_core.passes.quantize.room import unfit
from compress_core.passes.quantize.surveys import TensorFit, TensorSearch
from compress_core.presets import PRESETS, find, rule_of
from compress_core.tensors import Form, Refusal, TensorInfo
from compress_core.wanted import Wanted

if TYPE_CHECKING:
    from compress_core.schemes.base import Parameters, Scheme

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
    damping: float | str | None = damping_option()
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
    def needs_held_out(self) -> bool:
        return self.damping == AUTO

    @property
    def without_gram(self) -> str:
        return f"refine {self.refine} is rounding to the nearest there"

    def group(self, info: TensorInfo) -> str | None:
        return info.name if self._scheme(info.dtype).surveys or self.damping == AUTO else None

    def row_multiple(self, info: TensorInfo) -> int:
        return self._scheme(info.dtype).row_multiple(info.matrix[1])

    def joins(self, info: TensorInfo) -> bool:
        # one figure for all blocks, which the kernels of servers have once a matrix
        return any(kind.whole for kind in self._scheme(info.dtype).parameters().values())

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        scheme = targets[0].form.scheme
        if scheme is None:
            return None
        if isinstance(found, Trial):
            return found.next()
        if scheme.surveys and found is None:
            return TensorFit(scheme, self._fitting(targets[0]), 0, {})
        after = found.next() if isinstance(found, TensorFit) else None
        if after is None and self.damping == AUTO and self._by_gram(targets):
            return Trial(partial(self._refined, scheme, self._fitting(targets[0]), found))
        return after

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Decided:
        first = targets[0]
        if isinstance(found, Trial):
            return found.best()
        if self._by_gram(targets) and first.form.scheme is not None:
            damping = DAMPING if self.damping is None else float(self.damping)
            return self._refined(first.form.scheme, self._fitting(first), found, damping)
        return Encode(
            {one.info.name: (one.form.scheme, self._fitting(one)) for one in targets},
            _concluded(found),
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

    def _refined(
        self, scheme: Scheme, fitting: Fitting, found: Survey | None, damping: float
    ) -> Waiting:
        from compress_core.passes.quantize import refined

        return refined.WAYS[self.refine](scheme, fitting, _concluded(found), damping)

    def _fitting(self, target: Target) -> Fitting:
        return Fitting(self._rule, self.scale_search, target.limits.negative_scale)


def _concluded(found: Survey | None) -> Parameters | None:
    """What surveys found over the whole tensor; ``None``: nothing was looked for."""
    return found.conclude() if isinstance(found, TensorFit | TensorSearch) else None


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
