"""What a layout can hold, as much of it as a pass may know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The room that a layout gives to one tensor.

    :ivar scale_dtypes: dtypes that a scale may have, the preferred one first.
    :ivar zero_point: whether asymmetric codes can be stored; ``center``: whether group means can.
    :ivar bits: widths of codes that can be stored.
    :ivar ragged_groups: whether the last group of a row may be shorter than the others.
    :ivar refusal: why no codes of this tensor can be stored; ``None``: they can.
    :ivar scales_as_weights: whether readers cast scales to the dtype of the weights, so that others
        would not be what was fitted.
    """

    scale_dtypes: tuple[str, ...] = ("F32", "F16", "BF16")
    zero_point: bool = True
    center: bool = True
    bits: tuple[int, ...] = tuple(range(1, 9))
    ragged_groups: bool = True
    refusal: str | None = None
    scales_as_weights: bool = False
