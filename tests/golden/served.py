"""Golden folders of layouts that servers read: how they are written and looked at."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from compress_core import compress, from_config, operations
from tests.golden.make_golden import TOOL, Arrays, save

CONFIG = {
    "architectures": ["TinyForCausalLM"],
    "dtype": "bfloat16",
    "model_type": "tiny",
    "tie_word_embeddings": True,
}


def quantize(**options: Any) -> dict[str, Any]:
    """The pass, without a search: its figures follow from the formula alone."""
    return {"pass": "quantize", "scale_search": "none", **options}


@dataclass(frozen=True)
class Golden:
    """The golden folders of one layout.

    :ivar version: of its format: the name of their folder is ``<layout>-<version>``.
    :ivar cases: name of a folder → passes.
    :ivar tensors: name of a folder → what it is made of.
    """

    layout: str
    cases: Mapping[str, list[dict[str, Any]]]
    tensors: Callable[[str], Arrays]
    version: int = 1

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return Path(__file__).parent / f"{self.layout}-{self.version}"

    def make(self, target: Path) -> None:
        """Write every golden folder into ``target`` as the tool writes it today."""
        with tempfile.TemporaryDirectory() as folder, patch.object(operations, "__version__", TOOL):
            source = Path(folder)
            config = json.dumps(CONFIG, indent=2) + "\n"
            (source / "config.json").write_text(config, encoding="utf-8")
            for name, passes in self.cases.items():
                save(self.tensors(name), source / "model.safetensors")
                output = {"layout": self.layout, "allow_unread": True}
                spec = from_config({"version": 1, "passes": passes, "output": output})
                compress(source, target / name, spec)

    def add_missing(self) -> None:
        """Write those that do not exist; one that would come out differently today is an error."""
        with tempfile.TemporaryDirectory() as folder:
            self.make(Path(folder))
            found = files_in(Path(folder))
        for name, content in found.items():
            path = self.folder / name
            if path.exists() and path.read_bytes() != content:
                sys.exit(f"{name} would change")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
