"""Make neural-network weight files small, and know what that cost.

    >>> from compress_core import compress, from_config
    >>> spec = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    >>> report = compress("model.safetensors", "small.safetensors", spec)
    >>> report.totals.ratio

The names below are the whole public surface; each is imported when it is first used.
"""

from __future__ import annotations

__version__ = "0.1.0"

_HOMES = {
    "Check": "gates",
    "Difference": "difference",
    "Gate": "gates",
    "ModelOptError": "errors",
    "Pipeline": "pipeline",
    "Progress": "settings",
    "Report": "report",
    "Settings": "settings",
    "Spec": "spec",
    "check": "checking",
    "compress": "operations",
    "diff": "comparison",
    "from_config": "spec",
    "load_spec": "spec",
    "open_logical": "opening",
    "open_weights": "opening",
    "plan": "operations",
    "plan_restore": "operations",
    "restore": "operations",
}

__all__ = [
    "Check",
    "Difference",
    "Gate",
    "ModelOptError",
    "Pipeline",
    "Progress",
    "Report",
    "Settings",
    "Spec",
    "__version__",
    "check",
    "compress",
    "diff",
    "from_config",
    "load_spec",
    "open_logical",
    "open_weights",
    "plan",
    "plan_restore",
    "restore",
]

TYPE_CHECKING = False  # who wants the version alone shall not wait for `typing`
if TYPE_CHECKING:
    from typing import Any

    from compress_core.checking import check as check
    from compress_core.comparison import diff as diff
    from compress_core.difference import Difference as Difference
    from compress_core.errors import ModelOptError as ModelOptError
    from compress_core.gates import Check as Check
    from compress_core.gates import Gate as Gate
    from compress_core.opening import open_logical as open_logical
    from compress_core.opening import open_weights as open_weights
    from compress_core.operations import compress as compress
    from compress_core.operations import plan as plan
    from compress_core.operations import plan_restore as plan_restore
    from compress_core.operations import restore as restore
    from compress_core.pipeline import Pipeline as Pipeline
    from compress_core.report import Report as Report
    from compress_core.settings import Progress as Progress
    from compress_core.settings import Settings as Settings
    from compress_core.spec import Spec as Spec
    from compress_core.spec import from_config as from_config
    from compress_core.spec import load as load_spec


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(home, "load" if name == "load_spec" else name)


def __dir__() -> list[str]:
    return list(__all__)
