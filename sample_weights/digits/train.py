"""Train the classifier ``digits.safetensors``: 64 pixels → 128 → 64 → 10 digits.

    python sample_weights/digits/train.py [OUTPUT]

A perceptron with two hidden layers and ReLU, in NumPy: stochastic gradient descent with momentum
and weight decay on the cross-entropy, at a rate that falls in a straight line to zero. The held-out
images are not looked at. The seed fixes the start and the order of the images, so one machine gives
one result; where the matrix library rounds differently, the weights differ.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

HERE = Path(__file__).parent
SIZES = (64, 128, 64, 10)
SEED = 0
EPOCHS = 60
BATCH = 32
RATE = 0.05
MOMENTUM = 0.9
DECAY = 1e-4

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = dict[str, Array]


def start(random: np.random.RandomState) -> Tensors:
    """Normal weights of variance 2 / inputs (He et al. 2015), and biases of zero."""
    tensors: Tensors = {}
    for index, (inputs, outputs) in enumerate(pairwise(SIZES)):
        weight = random.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs)
        tensors[f"layers.{index}.weight"] = weight.astype(np.float32)
        tensors[f"layers.{index}.bias"] = np.zeros(outputs, np.float32)
    return tensors


def gradients(tensors: Tensors, images: Array, labels: Array) -> Tensors:
    """The gradients of the mean cross-entropy of a batch."""
    last = len(SIZES) - 2
    inputs = [images]
    for index in range(last + 1):
        outputs = inputs[-1] @ tensors[f"layers.{index}.weight"].T + tensors[f"layers.{index}.bias"]
        inputs.append(outputs if index == last else np.maximum(outputs, 0))
    logits = inputs.pop()

    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = odds / odds.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)

    found: Tensors = {}
    for index in range(last, -1, -1):
        found[f"layers.{index}.weight"] = error.T @ inputs[index]
        found[f"layers.{index}.bias"] = error.sum(axis=0)
        error = (error @ tensors[f"layers.{index}.weight"]) * (inputs[index] > 0)
    return found


def train(images: Array, labels: Array) -> Tensors:
    """The weights and biases after all epochs, in float32.

    :param images: rows of 64 pixels from 0 to 16.
    """
    random = np.random.RandomState(SEED)
    pixels = images.astype(np.float32) / 16
    tensors = start(random)
    speeds = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
    batches = len(pixels) // BATCH
    for step in range(EPOCHS * batches):
        if step % batches == 0:
            order = random.permutation(len(pixels))
        chosen = order[step % batches * BATCH :][:BATCH]
        rate = np.float32(RATE * (1 - step / (EPOCHS * batches)))
        for name, gradient in gradients(tensors, pixels[chosen], labels[chosen]).items():
            gradient += np.float32(DECAY) * tensors[name]
            speeds[name] = np.float32(MOMENTUM) * speeds[name] - rate * gradient
            tensors[name] += speeds[name]
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the digits classifier.")
    parser.add_argument("output", nargs="?", type=Path, default=HERE / "digits.safetensors")
    output = parser.parse_args().output
    data = load_file(HERE / "data.safetensors")
    tensors = train(data["train.images"], data["train.labels"])
    output.write_bytes(save(tensors, metadata={"format": "pt"}))


if __name__ == "__main__":
    main()
