"""A process that does not outlive the one that started it, whatever kills that."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # of sys/prctl.h
_GRACE = 10.0
"""Seconds to clean up in."""


def die_with_parent() -> None:
    """On Linux: have the system send SIGTERM when the parent dies. Elsewhere nothing happens.

    It does not help if the parent is dead already; :func:`watch` does.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def watch(until_closed: Callable[[], bool]) -> None:
    """Follow a pipe from the parent in a thread; end this process when it closes too early.

    :param until_closed: returns when nothing will come any more: ``True`` if that was announced.
    """

    def follow() -> None:
        if until_closed():
            return
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(128 + signal.SIGTERM)  # the main thread hangs, in a read for instance

    threading.Thread(target=follow, daemon=True).start()
