"""How the parameters of groups are chosen. It is no part of a file: codes tell nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

RULES = ("absmax", "compressed-tensors", "bitsandbytes", "mlx")
SEARCHES = ("none", "mse")


@dataclass(frozen=True)
class Fitting:
    """The way from the values of a group to its parameters.

    :ivar rule: whose formula gives parameters and codes: ``absmax`` (ours), or that of a library,
        so that float32 weights get the very numbers that its own packing gives them.
    :ivar search: ``none``: the formula's scale; ``mse``: the one of least squared error among many,
        never worse than the formula's.
    :ivar negative_scale: whether a scale may be negative, which gives the extra code of integers to
        the largest weight, whatever its sign.
    """

    rule: str = "absmax"
    search: str = "none"
    negative_scale: bool = False

    @property
    def searches(self) -> bool:
        """Whether parameters are searched for."""
        return self.search == "mse"


FORMULA = Fitting()
"""Our own formula and nothing else."""
