"""How the elements of a tensor lie in some bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """Where each element of a tensor stands; checked by whoever makes it.

    :ivar shape: as the tensor's info has it.
    :ivar strides: elements from one index to the next, a dimension each; 0 repeats, never negative.
    :ivar start: byte of the source where the first element stands.
    :ivar swapped: whether elements are big-endian.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    swapped: bool = False

    @classmethod
    def contiguous(cls, shape: tuple[int, ...], start: int, *, swapped: bool = False) -> View:
        """The view of a tensor whose elements lie in C order."""
        return cls(shape, c_strides(shape), start, swapped)

    @property
    def reach(self) -> int:
        """Elements from the first to the last, both included; 0 when there are none."""
        if 0 in self.shape:
            return 0
        steps = ((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        return 1 + sum(steps)


def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of C order, in elements."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))
