"""Numbers as tables print them. ``—`` stands for what does not apply."""

from __future__ import annotations

from compress_core.sizes import mib

NOTHING = "—"


def megabytes(count: int, *, exact: bool = True) -> str:
    """Bytes in MiB; ``≤`` before an upper bound."""
    return mib(count) if exact else f"≤{mib(count)}"


def ratio(before: int, after: int, *, exact: bool = True) -> str:
    """How many times smaller: ``2.67×``; at least that, where the bytes are an upper bound.

    Nothing, where there was nothing before: another name of a tensor that is stored by itself now.
    """
    if not after or not before:
        return NOTHING
    return f"{'' if exact else '≥'}{before / after:.2f}×"


def magnitude(value: float | None) -> str:
    """An error or a difference with three significant digits."""
    if value is None:
        return NOTHING
    return f"{value:#.3g}" if value else "0"


def decibels(value: float | None) -> str:
    """A ratio in dB."""
    return NOTHING if value is None else f"{value:.1f}"


def percent(part: int | None, whole: int) -> str:
    """``part`` of ``whole`` in percent."""
    return NOTHING if part is None or not whole else f"{100 * part / whole:.1f}"


def share(part: int | None, whole: int) -> str:
    """``percent``, but never 0 of something or 100 of less than all."""
    if part is None or not whole:
        return NOTHING
    if 0 < part / whole < 0.001:
        return "<0.1"
    return ">99.9" if 0.999 < part / whole < 1 else percent(part, whole)


def extreme(value: float | int | None) -> str:
    """The end of a range: integers whole as long as they are short."""
    if isinstance(value, int) and abs(value) < 10**6:
        return str(value)
    return magnitude(value)


def shape(sides: tuple[int, ...]) -> str:
    """``4096×11008``; a scalar has no sides."""
    return "×".join(map(str, sides)) or "scalar"
