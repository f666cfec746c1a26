"""What a layout can hold, as much of it as a pass may know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The room that a layout gives to one tensor.

    :ivar schemes: number formats that can be stored; ``None``: all.
    :ivar scale_dtypes: dtypes that a scale may have, the preferred one first; 8-bit floats are of
        the formats whose blocks have such scales.
    :ivar negative_scale: whether readers take a scale below zero.
    :ivar zero_point: whether asymmetric codes can be stored; ``center``: whether group means can.
    :ivar global_scale: whether one scale for a whole tensor can stand beside those of its groups.
    :ivar bits: widths of codes that can be stored.
    :ivar ragged_groups: whether the last group of a row may be shorter than the others.
    :ivar refusal: why no codes of this tensor can be stored; ``None``: they can.
    :ivar joined: the matrix that readers make of this tensor and others, by any name; ``None``:
        they leave it alone.
    :ivar scales_as_weights: whether readers cast scales to the dtype of the weights, so that others
        would not be what was fitted.
    """

    schemes: tuple[str, ...] | None = None
    scale_dtypes: tuple[str, ...] = ("F32", "F16", "BF16", "F8_E4M3", "F8_E8M0")
    negative_scale: bool = True
    zero_point: bool = True
    center: bool = True
    global_scale: bool = True
    bits: tuple[int, ...] = tuple(range(1, 9))
    ragged_groups: bool = True
    refusal: str | None = None
    joined: str | None = None
    scales_as_weights: bool = False
