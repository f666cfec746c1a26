"""``config.json``: what a checkpoint folder says of its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compress_core.errors import InputError
from compress_core.inputs import read_small

CONFIG = "config.json"
_LARGEST = 16_000_000


def read_config(folder: Path) -> tuple[dict[str, Any] | None, str | None]:
    """What the file says, and why it is not used where it cannot be."""
    if not (folder / CONFIG).exists():
        return None, f"no {CONFIG}"
    try:
        text = read_small(folder / CONFIG, "a file", _LARGEST)
        config = json.loads(text.decode("utf-8"))
    except (InputError, ValueError, RecursionError) as error:
        return None, f"{CONFIG} is not used: {error}"
    if not isinstance(config, dict):
        return None, f"{CONFIG} is not used: no JSON object"
    return config, None


def config_text(config: Mapping[str, Any]) -> str:
    """The file as ``transformers`` writes it; the order of keys is kept."""
    return json.dumps(config, indent=2) + "\n"
