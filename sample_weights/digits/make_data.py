"""Make ``data.safetensors``, the digits that scikit-learn ships, split once and for all.

    python sample_weights/digits/make_data.py [OUTPUT]

The 1,797 images are taken in the order of ``RandomState(0).permutation``, a stream that NumPy keeps
for ever: the first 1,197 are for training, the other 600 are held out. Images are rows of 64 bytes,
pixels from 0 to 16. This script needs scikit-learn; nothing else in this folder does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
SEED = 0
TRAINING = 1197


def make(output: Path) -> None:
    """Write the file; one that exists is replaced."""
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.RandomState(SEED).permutation(len(digits))
    images, labels = pixels[order].astype(np.uint8), digits[order].astype(np.uint8)
    parts = {
        "train.images": images[:TRAINING],
        "train.labels": labels[:TRAINING],
        "test.images": images[TRAINING:],
        "test.labels": labels[TRAINING:],
    }
    output.write_bytes(save(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the digits, training and held out.")
    parser.add_argument("output", nargs="?", type=Path, default=HERE / "data.safetensors")
    make(parser.parse_args().output)


if __name__ == "__main__":
    main()
