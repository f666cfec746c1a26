"""Whether a layout has room for codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_core.limits import Limits
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from compress_core.schemes.base import Scheme


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
