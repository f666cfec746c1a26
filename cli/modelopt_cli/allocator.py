"""Ask the C library to keep the memory that a run frees and wants again at once.

NumPy frees a temporary array after each operation. By default glibc gives blocks of that size back
to the system, which then clears new pages for the next operation: on small machines that took more
time than the arithmetic. What a run holds at its peak is the same.
"""

from __future__ import annotations

# of malloc.h
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3

_MIB = 1024 * 1024


def keep_freed_memory() -> None:
    """Raise glibc's limits for this process; elsewhere nothing happens."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, 32 * _MIB)
    mallopt(_M_TRIM_THRESHOLD, 512 * _MIB)
    mallopt(_M_TOP_PAD, 16 * _MIB)
