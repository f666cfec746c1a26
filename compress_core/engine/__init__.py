"""The sweeps: survey what the passes need to know, count what stays, then write or measure
everything once.

All are one primitive, :func:`sweep`: a function over tiles in threads, results in order.
"""

from compress_core.engine.run import Run
from compress_core.engine.sweep import sweep

__all__ = ["Run", "sweep"]
