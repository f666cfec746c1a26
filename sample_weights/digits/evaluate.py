"""Measure what compression costs the digits classifier: accuracy on images it was not trained on.

    python sample_weights/digits/evaluate.py               every spec of ladder.yaml
    python sample_weights/digits/evaluate.py my.yaml …     specs of your own
    python sample_weights/digits/evaluate.py --markdown    a table for a README

Every spec is carried out on ``digits.safetensors``: the weights are compressed into one file, whose
bytes are counted, and the accuracy is that of the weights restored from it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from compress_core import ModelOptError, Report, Spec, compress, load_spec, restore
from compress_core.spec.config import build
from compress_core.spec.document import parse
from compress_core.spec.shapes import items

HERE = Path(__file__).parent
HEADER = ("Spec", "Accuracy %", "Bytes", "Ratio", "Zeros %", "Error")

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = dict[str, Array]


@dataclass(frozen=True)
class Result:
    """What a spec made of the weights.

    :ivar report: sizes and errors, as the tool tells them.
    :ivar restored: the tensors that a reader of the compressed file gets.
    """

    report: Report
    restored: Tensors


def load_ladder(path: Path) -> dict[str, Spec]:
    """The specs of a YAML list by name, read as strictly as a spec file.

    :raises SpecError: one breaks the grammar or has no name of its own; ``where`` is the line.
    """
    data, place = parse(path.read_text(encoding="utf-8"), str(path))
    ladder: dict[str, Spec] = {}
    for item, at in items(data, place):
        spec = build(item, at)
        if spec.name is None or spec.name in ladder:
            raise at.error("the spec has no name of its own", "add one, such as name: int4")
        # the name would be stored with the weights, and its bytes be counted
        ladder[spec.name] = replace(spec, name=None)
    return ladder


def load_own(path: Path) -> tuple[str, Spec]:
    """The spec in a file, and the name in it, or else that of the file.

    :raises SpecError: it cannot be read or breaks the grammar.
    """
    spec = load_spec(path)
    return spec.name or path.stem, spec


def logits(tensors: Tensors, images: Array) -> Array:
    """The ten scores of each image; rows of 64 pixels from 0 to 16 go in.

    Float64 and without BLAS, so that neither threads nor the machine decide between two digits.
    """
    layers = sum(name.endswith(".weight") for name in tensors)
    values = images.astype(np.float64) / 16
    for index in range(layers):
        weight = tensors[f"layers.{index}.weight"].astype(np.float64)
        values = np.einsum("ni,oi->no", values, weight) + tensors[f"layers.{index}.bias"]
        if index < layers - 1:
            values = np.maximum(values, 0)
    return values


def accuracy(tensors: Tensors) -> float:
    """The share of the held-out images that are told right; of equal scores the first counts."""
    data = load_file(HERE / "data.safetensors")
    told = logits(tensors, data["test.images"]).argmax(axis=1)
    return float(np.mean(told == data["test.labels"]))


def evaluate(spec: Spec, weights: Path) -> Result:
    """Compress ``weights`` and restore them."""
    with tempfile.TemporaryDirectory() as folder:
        small, dense = Path(folder) / "small.safetensors", Path(folder) / "dense.safetensors"
        report = compress(weights, small, spec)
        restore(small, dense)
        return Result(report, load_file(dense))


def cells(name: str, result: Result) -> tuple[str, ...]:
    """The row of the table."""
    totals = result.report.totals
    zeros = sum(int(np.sum(tensor == 0)) for tensor in result.restored.values())
    return (
        name,
        f"{100 * accuracy(result.restored):.1f}",
        f"{totals.bytes_out:,}",
        f"{totals.ratio:.2f}×",
        f"{100 * zeros / totals.elements:.1f}",
        "—" if totals.measured is None else f"{totals.measured.error:.3f}",
    )


def as_text(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """A table for terminals."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "─" * (sum(widths) + 2 * len(widths) - 2)
    lines = [_padded(header, widths), rule, *(_padded(row, widths) for row in rows)]
    return "".join(f" {line}\n" for line in lines)


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([row[0].ljust(widths[0]), *numbers])


def as_markdown(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """A table for GitHub."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what compression costs the classifier.")
    parser.add_argument("specs", nargs="*", type=Path, metavar="SPEC", help="spec files to measure")
    parser.add_argument(
        "--weights", type=Path, default=HERE / "digits.safetensors", help="what train.py wrote"
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    chosen = parser.parse_args()
    render = as_markdown if chosen.markdown else as_text
    try:
        ladder = load_ladder(HERE / "ladder.yaml")
        specs = [load_own(path) for path in chosen.specs] or ladder.items()
        rows = [cells(name, evaluate(spec, chosen.weights)) for name, spec in specs]
    except ModelOptError as error:
        sys.exit(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
    print(render(rows), end="")


if __name__ == "__main__":
    main()
