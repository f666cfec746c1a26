"""How a run is carried out. Nothing here changes what is done to the weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MOST_JOBS = 4


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    :ivar stage: what it does, such as ``survey`` or ``write``.
    :ivar done: bytes of weights read in this stage, of ``total``.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Settings:
    """Limits of a run and what it does when something is in the way.

    :ivar jobs: threads; ``None`` = the cores there are, at most four.
    :ivar max_memory: bytes that the process may use, the interpreter included.
    :ivar replace: whether an existing output may be replaced.
    :ivar key: which set of weights, in files that hold several.
    :ivar on_unmatched: what a written pattern is that matches no tensor.
    :ivar on_nonfinite: what a tensor with NaN or infinity is; ``keep`` costs one more sweep.
    :ivar requantize: whether weights that are codes already are decoded first, instead of refused.
    :ivar progress: called often, from one thread.
    """

    jobs: int | None = None
    max_memory: int = 200 * 1024**2
    replace: bool = False
    key: str | None = None
    on_unmatched: Literal["error", "warn", "ignore"] = "error"
    on_nonfinite: Literal["error", "keep"] = "error"
    requantize: bool = False
    progress: Callable[[Progress], None] | None = None

    @property
    def threads(self) -> int:
        """The number of threads to use."""
        return self.jobs if self.jobs is not None else min(MOST_JOBS, os.cpu_count() or 1)
