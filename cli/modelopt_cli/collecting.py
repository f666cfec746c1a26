"""When Python looks for garbage in cycles: not while it imports, and not at its end.

What modules bring lives as long as the process. To look through it again and again takes a tenth of
the time of a short run, and finds nothing.
"""

from __future__ import annotations

import gc


def pause() -> None:
    """Look for nothing: modules are about to be imported."""
    gc.disable()


def resume() -> None:
    """Look from now on, and pass over all that is there already."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def end() -> None:
    """Let the system take back what is there: the process is about to end."""
    gc.freeze()
