"""Bytes: read what people write, print what people read."""

from __future__ import annotations

import re

from compress_core.errors import UsageError

UNITS: dict[str, int] = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}

_SIZE = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)\s*")


def parse_size(text: str) -> int:
    """The number of bytes that ``text`` names: ``"4 GiB"``, ``"25MB"``, ``"4096"``.

    :raises UsageError: no size, an unknown unit, or a bare ``10M``, which could mean two things.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"not a size: {text!r}", hint="write a number and a unit, such as '4 GiB'")
    number, unit = found.groups()
    if not unit:
        if "." in number:
            raise UsageError(f"not a size: {text!r}", hint=f"add a unit: '{number} MiB'")
        return int(number)
    if unit not in UNITS:
        raise UsageError(f"unknown unit in size {text!r}", hint=_unit_hint(number, unit))
    whole, _, fraction = number.partition(".")
    scale = UNITS[unit]
    # integers only: '4.35 GiB' must not depend on how a float rounds
    return int(whole) * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)


def _unit_hint(number: str, unit: str) -> str:
    prefix = unit[0].upper()
    if unit.lower() in ("k", "m", "g", "t"):
        decimal = "kB" if prefix == "K" else f"{prefix}B"
        return f"'{number} {decimal}' is powers of 1000, '{number} {prefix}iB' powers of 1024"
    near = next((name for name in UNITS if name.lower() == unit.lower()), None)
    return f"write '{number} {near}'" if near else f"known units: {' '.join(UNITS)}"


def spelled(count: int) -> str:
    """Bytes as text that names them exactly: ``4 GiB``, ``25 MB``, ``4097 B``."""
    unit, size = max(
        (item for item in UNITS.items() if count % item[1] == 0), key=lambda item: item[1]
    )
    return f"{count // size} {unit}"


def mib(count: int) -> str:
    """``count`` bytes in MiB with two decimals, as tables print them."""
    return f"{count / 1024**2:.2f}"


def human(count: int, decimals: int = 2) -> str:
    """``count`` bytes with the binary unit that reads best: ``'4.75 MiB'``."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if round(value, decimals) < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.{decimals}f} {unit}"
