"""The sample weights are what NOTICE.md says, and can be made again."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROW = re.compile(r"^\| `(?P<file>[^`]+)` \|.*\| `(?P<sha256>[0-9a-f]{64})` \|", re.MULTILINE)


def test_files_are_the_ones_in_the_notice(samples: Path) -> None:
    stated = dict(ROW.findall((samples / "NOTICE.md").read_text(encoding="utf-8")))
    assert stated
    found = {name: hashlib.sha256((samples / name).read_bytes()).hexdigest() for name in stated}
    assert found == stated


def test_no_file_is_missing_in_the_notice(samples: Path) -> None:
    notice = (samples / "NOTICE.md").read_text(encoding="utf-8")
    files = [path.name for path in samples.iterdir() if path.is_file() and path.name != "NOTICE.md"]
    assert [name for name in files if f"`{name}`" not in notice] == []


def test_every_package_has_its_licence_text(samples: Path) -> None:
    notice = (samples / "NOTICE.md").read_text(encoding="utf-8")
    texts = sorted(path.name for path in (samples / "licenses").iterdir())
    assert [name for name in texts if f"`{name}`" in notice] == texts


def test_the_folder_is_made_byte_for_byte(samples: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    subprocess.run([sys.executable, samples / "make_bf16_folder.py", made], check=True)
    assert contents(made) == contents(samples / "fracast-bf16")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
