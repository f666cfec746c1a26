"""Cast: values in another float dtype, all of them or those that lose nothing by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from compress_core.dtypes import DTYPES, DType
from compress_core.errors import UnsupportedError, UsageError
from compress_core.fields import option
from compress_core.limits import Limits
from compress_core.passes.base import Pass, Settled, Survey, Target
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.tiles import Tile


@dataclass(frozen=True)
class Cast(Pass):
    """Store values in another float dtype."""

    id: ClassVar[str] = "cast"
    summary: ClassVar[str] = "store values in another float dtype, all or those that lose nothing"
    least_ndim: ClassVar[int] = 0
    takes_nonfinite: ClassVar[bool] = True

    to: str | None = option(
        "dtype of the result",
        str,
        choices=("bf16", "f16", "f32"),
        aliases=(
            (r"(?i:(torch\.)?bfloat16)", "bf16"),
            (r"(?i:fp16|(torch\.)?(float16|half))", "f16"),
            (r"(?i:fp32|(torch\.)?(float32|float))", "f32"),
        ),
        otherwise="required",
    )
    lossless_only: bool = option(
        "leave a tensor as it is unless the dtype holds all of its values exactly",
        bool,
        default=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.to is None:
            raise UsageError("cast needs a dtype", where="to", hint="try --to bf16")

    @property
    def _dtype(self) -> DType:
        return DTYPES[str(self.to).upper()]

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form | Refusal:
        if not self.lossless_only or all(self._holds(one) for one in form.outcomes):
            return self._cast(info, form)
        if form.scheme is not None:
            return form  # what codes are decoded to was never anybody's number
        if form.maybe is not None:
            raise UsageError(
                f"two casts may or may not take {info.name}",
                hint="give each its own match, or one of them without lossless_only",
            )
        return replace(form, maybe=self._dtype)

    def _holds(self, form: Form) -> bool:
        """Whether the dtype holds whatever a form can hold."""
        return form.scheme is None and (
            form.dtype == self._dtype or form.dtype.bits < self._dtype.bits
        )

    def _cast(self, info: TensorInfo, form: Form) -> Form:
        back = form.scheme is None and (form.cast or form.maybe is not None)
        return replace(
            form,
            dtype=self._dtype,
            cast=self._dtype != info.dtype,
            moved=form.moved or back,
            maybe=None,
        )

    def group(self, info: TensorInfo) -> str | None:
        return info.name if self.lossless_only else None

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        is_open = targets[0].form.maybe is not None
        return Exactness(self._dtype) if is_open and found is None else None

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        coded = self.lossless_only and targets[0].before.scheme is not None
        lossy = isinstance(found, Exactness) and not found.exact
        return Casting(None if coded or lossy else self._dtype)


class Exactness(Survey):
    """Whether a dtype holds every value of a tensor.

    :ivar exact: so far it does.
    """

    def __init__(self, dtype: DType) -> None:
        self._dtype = dtype
        self.exact = True

    def observe(self, tile: Tile) -> bool:
        from compress_core.kernels import floats, precision

        values = floats.native(tile.stored(), tile.dtype.code)
        return precision.fits(values.reshape(-1), self._dtype.code)

    def absorb(self, info: TensorInfo, start: int, partial: bool) -> None:
        self.exact &= partial


class Casting(Settled):
    """Casts one tile after another.

    :param dtype: of the result; ``None``: of whatever the tensor has.
    """

    def __init__(self, dtype: DType | None) -> None:
        self._dtype = dtype

    def apply(self, tile: Tile) -> None:
        if self._dtype is None:
            return
        try:
            tile.cast(self._dtype)
        except UnsupportedError as error:
            wider = "--to bf16 has the range, and " if self._dtype.code == "F16" else ""
            hint = f"{wider}--lossless-only leaves such tensors as they are"
            raise UnsupportedError(error.message, hint=hint) from error

    def dtype(self, info: TensorInfo, before: DType) -> DType:
        return self._dtype or before
