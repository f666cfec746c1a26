"""Write the Gram matrices of what the layers of the digits classifier get.

    python sample_weights/digits/make_gram.py [OUTPUT] [--weights FILE]

The training images go through the classifier; the last fifth of them is kept apart, so that an
error can be told for inputs that nothing was fitted to. The held-out images are not looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

HERE = Path(__file__).parent
HELD_OUT = 5

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = dict[str, Array]


def inputs(tensors: Tensors, images: Array) -> Iterator[tuple[str, Array]]:
    """(layer, what it gets) for a perceptron with ReLU; rows of 64 pixels from 0 to 16 go in."""
    layers = sum(name.endswith(".weight") for name in tensors)
    values = images.astype(np.float32) / 16
    for index in range(layers):
        layer = f"layers.{index}"
        yield layer, values
        outputs = values @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"]
        values = np.maximum(outputs, 0)


def moments(values: Array) -> Tensors:
    """Second moment, mean and number of rows, in float32."""
    wide = values.astype(np.float64)
    return {
        "gram": (wide.T @ wide / len(wide)).astype(np.float32),
        "mean": wide.mean(axis=0).astype(np.float32),
        "count": np.array(len(wide), np.int64),
    }


def grams(tensors: Tensors, images: Array) -> Tensors:
    """The tensors of a Gram file."""
    cut = len(images) - len(images) // HELD_OUT
    found: Tensors = {}
    for prefix, part in (("", images[:cut]), ("held_out.", images[cut:])):
        for layer, values in inputs(tensors, part):
            found |= {f"{layer}.{prefix}{name}": one for name, one in moments(values).items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Write what the layers of the classifier get.")
    parser.add_argument("output", nargs="?", type=Path, default=Path("digits.gram.safetensors"))
    parser.add_argument("--weights", type=Path, default=HERE / "digits.safetensors")
    chosen = parser.parse_args()
    images = load_file(HERE / "data.safetensors")["train.images"]
    chosen.output.write_bytes(save(grams(load_file(chosen.weights), images)))


if __name__ == "__main__":
    main()
