"""By what files of NumPy are known."""

from __future__ import annotations

MAGIC = b"\x93NUMPY"
"""How an array begins."""

SUFFIX = ".npy"
"""How the name of an array ends, also inside an archive."""
