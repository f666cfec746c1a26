"""What is refused before a model is run; what comes of running one is tested with oracles."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core.errors import OutputExistsError, UnsupportedError, UsageError
from compress_core.gathering import Gathering, gather


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that are found, and never used."""
    for name in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_the_extra_is_named_where_it_is_missing(
    missing: str, installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=f"needs PyTorch and transformers: .*{missing}") as caught:
        gather(tmp_path, tmp_path / "t.txt", tmp_path / "g.safetensors")
    assert caught.value.hint == "pip install 'modelopt-cli[torch]'"


@pytest.mark.usefixtures("installed")
def test_only_folders_of_plain_weights_are_run(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a.weight": np.ones((4, 4), np.float32)}, path)
    with pytest.raises(UnsupportedError, match="only checkpoint folders") as caught:
        gather(path, tmp_path / "t.txt", tmp_path / "g.safetensors")
    assert caught.value.hint == "for other models, see docs/gram.md"
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "model.safetensors")
    (folder / "config.json").write_text('{"quantization_config": {"quant_method": "awq"}}')
    with pytest.raises(UnsupportedError, match="already quantized: awq"):
        gather(folder, tmp_path / "t.txt", tmp_path / "g.safetensors")


@pytest.mark.usefixtures("installed")
def test_the_texts_and_the_folder_are_never_written_to(tmp_path: Path) -> None:
    texts = tmp_path / "t.txt"
    texts.write_text("a\n")
    with pytest.raises(OutputExistsError, match="the output is the input"):
        gather(tmp_path, texts, texts, replace=True)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OutputExistsError, match="in the input folder"):
        gather(folder, texts, folder / "g.safetensors")


@pytest.mark.parametrize("config", [{"held_out": 1}, {"max_length": 0}, {"batch_size": 0}])
def test_numbers_out_of_range_are_refused(config: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Gathering(**config)
