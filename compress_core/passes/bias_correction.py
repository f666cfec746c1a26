"""Bias correction: what a layer gives keeps its mean, though its weight has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core import model
from compress_core.errors import UsageError
from compress_core.fields import option
from compress_core.limits import Limits
from compress_core.passes.base import Follower, Settled, Survey, Target
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile

    Shift = NDArray[np.float64]


@dataclass(frozen=True)
class BiasCorrection(Follower):
    """Add to the bias of a layer what the mean of its outputs has lost: b + (W − Ŵ) E[x].

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
    (2019), section 4.2, with E[x] from data.
    """

    id: ClassVar[str] = "bias-correction"
    summary: ClassVar[str] = "move biases so that what layers give keeps its mean, by --gram"
    least_ndim: ClassVar[int] = 1
    takes_nonfinite: ClassVar[bool] = True
    unled: ClassVar[str] = "there is no bias beside"

    always: bool = option(
        "correct a bias also where the error of held-out inputs does not fall",
        bool,
        default=False,
    )

    def leader(self, info: TensorInfo) -> str | None:
        return model.weight_beside(info.name)

    def misfit(self, info: TensorInfo, leader: TensorInfo) -> str | None:
        if info.shape == leader.matrix[:1] and len(leader.shape) > 1:
            return None
        return "it has not one element for each row of the weight beside it"

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form | Refusal:
        if form.scheme is not None:
            raise UsageError(
                f"{self.id} would undo the codes of {info.name}",
                hint=f"leave it out of the passes before: --ignore '{info.name}'",
            )
        return form if form.sparsity is not None else replace(form, moved=True)

    def follow(self, means: Mapping[str, Shift]) -> Survey:
        return Shifts(means)

    def survey(self, targets: Sequence[Target], found: Survey | None) -> Survey | None:
        return Trial(found) if isinstance(found, Shifts) else None

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        if not isinstance(found, Trial):
            raise RuntimeError(f"{self.id} has not seen {targets[0].info.name}")
        return Corrected(found.shift if found.helps(self.always) else None, found.remark)


class Shifts(Survey):
    """What the rows of a weight have lost of the mean of what they give.

    :param means: sample of inputs → their mean.
    """

    def __init__(self, means: Mapping[str, Shift]) -> None:
        self._means = means
        self._pieces: dict[str, list[Shift]] = {sample: [] for sample in means}

    def observe(self, tile: Tile) -> dict[str, Shift]:
        from compress_core.metrics import mean_shift

        return {sample: mean_shift(tile, mean) for sample, mean in self._means.items()}

    def absorb(self, info: TensorInfo, start: int, partial: dict[str, Shift]) -> None:
        for sample, piece in partial.items():
            self._pieces[sample].append(piece)

    def of(self, sample: str) -> Shift | None:
        """(W − Ŵ) E[x] over all rows; ``None``: the mean of such inputs is not known."""
        import numpy as np

        pieces = self._pieces.get(sample)
        return None if pieces is None else np.concatenate(pieces)


class Trial(Survey):
    """What correcting a bias does to the error of what its layer gives.

    With δ = b − b̂ the bias adds 2·δᵀ(W − Ŵ)E[x] + ‖δ‖² to it, δ with b̂ as it is stored.

    :ivar shift: what the correction adds to the bias.
    :ivar remark: what must be said of how it was judged.
    """

    def __init__(self, shifts: Shifts) -> None:
        shift, held_out = shifts.of("in_sample"), shifts.of("held_out")
        if shift is None:
            raise RuntimeError("the mean of the inputs is not known")
        self.shift = shift
        self._judge = shift if held_out is None else held_out
        self._is_held_out = held_out is not None
        self._gain = 0.0
        self._finite = True

    def observe(self, tile: Tile) -> tuple[float, bool]:
        import numpy as np

        moved = tile.renamed(tile.info)
        moved.move(corrected(tile, self.shift))
        losses = [self._loss(one) for one in (tile, moved)]
        return losses[0] - losses[1], bool(np.isfinite(moved.values).all())

    def _loss(self, tile: Tile) -> float:
        from compress_core.kernels.differences import change
        from compress_core.kernels.sums import ordered_sum

        codes = tile.info.dtype.code, tile.dtype.code
        gap = change(tile.raw[0], tile.stored()[0], codes)
        return float(ordered_sum(gap * (2 * self._judge + gap)))

    def absorb(self, info: TensorInfo, start: int, partial: tuple[float, bool]) -> None:
        gain, finite = partial
        self._gain += gain
        self._finite &= finite

    def helps(self, always: bool) -> bool:
        """Whether the bias is to be corrected."""
        return self._finite and (always or self._gain > 0)

    @property
    def remark(self) -> str | None:
        """What must be said where nothing was held out."""
        return None if self._is_held_out else "judged by the inputs that it is fitted to"


def corrected(tile: Tile, shift: Shift) -> Any:
    """The elements of a bias, (1, rows of the weight), with what was lost; in float32."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        return (tile.values + shift).astype(np.float32)


class Corrected(Settled):
    """Corrects the bias of one layer.

    :param shift: what is added; ``None``: it stays as it is.
    """

    def __init__(self, shift: Shift | None, remark: str | None) -> None:
        self._shift = shift
        self._remark = remark

    def apply(self, tile: Tile) -> None:
        if self._shift is not None:
            tile.move(corrected(tile, self._shift))

    @property
    def leaves_alone(self) -> bool:
        return self._shift is None

    @property
    def remark(self) -> str | None:
        left = "correcting it does not lower the error of what its layer gives"
        return left if self._shift is None else self._remark
