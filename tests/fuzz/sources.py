"""What mutants are made of: real files, and the hostile and odd ones of the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "bad_inputs"
SAMPLES = ROOT / "sample_weights"

# what takes a tenth of a second to read would leave no time for the others
_SMALL = 64 << 10

# what the names of cases begin with
_CASES = ("st_", "pt_", "np_", "dir_")


@dataclass(frozen=True)
class Source:
    """A file, or a folder of files.

    :ivar name: what it is called in the corpus or among the samples.
    :ivar files: name → content; one for a file that stands alone.
    :ivar is_folder: whether the folder is what is opened.
    """

    name: str
    files: Mapping[str, bytes]
    is_folder: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it can be read as it is."""
        return "_ok_" in self.name or not self.name.startswith(_CASES)

    @property
    def is_small(self) -> bool:
        """Whether it is read in no time."""
        return sum(map(len, self.files.values())) <= _SMALL


@cache
def sources() -> list[Source]:
    """All of them, always in the same order."""
    return [*_alone(), *_folders()]


def _alone() -> Iterator[Source]:
    folders = [CORPUS / kind for kind in ("numpy", "safetensors", "torch")]
    for folder in (*folders, SAMPLES, SAMPLES / "digits"):
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix not in (".json", ".md", ".py"):
                yield Source(path.name, {path.name: path.read_bytes()})


def _folders() -> Iterator[Source]:
    for folder in sorted(path for path in (CORPUS / "folder").iterdir() if path.is_dir()):
        paths = (path for path in sorted(folder.iterdir()) if path.is_file())
        files = {path.name: path.read_bytes() for path in paths}
        if files:
            yield Source(folder.name, files, is_folder=True)
