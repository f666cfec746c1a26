"""JSON: every number exactly, ASCII only, so that any stream can take it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from modelopt_cli.render.base import Look, Result

FOR_FILES = True


def render(result: Result, look: Look) -> str:
    """An indented document with stable keys."""
    return json.dumps(_standard(result.to_json()), indent=2, allow_nan=False) + "\n"


def _standard(value: Any) -> Any:
    """``value`` without the infinities and NaN that JSON has no word for; they become ``null``."""
    if isinstance(value, Mapping):
        return {key: _standard(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_standard(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
