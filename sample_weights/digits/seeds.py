"""Measure what Gram matrices are worth: five classifiers of digits, each row of a ladder on each.

    python -m sample_weights.digits.seeds                the ladder of gram_ladder.yaml
    python -m sample_weights.digits.seeds --markdown     a table for a README
    python -m sample_weights.digits.seeds --seeds 5 30   other classifiers

One classifier says little about a method. These are perceptrons of 64-128-64-10 of scikit-learn,
which only this script needs, each with a start and a division of the images of its own. Gram
matrices are made of four fifths of the images that it was trained on; 30 % of all images are held
out, and the accuracy is that on them. Nothing is chosen by these images: where the damping is
``auto``, it is chosen by the last fifth of those that the classifier was trained on.

The last row is fitted layer after layer: the Gram matrices are made anew before each, of what the
compressed layers before it give.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from compress_core import Report, Spec
from compress_core.select import Pattern, Selector
from sample_weights.digits import evaluate, make_gram
from sample_weights.digits.evaluate import Tensors

HERE = Path(__file__).parent
SEEDS = range(5)
BEST = "sparsity 90 % admm, damping auto"
HEADER = ("Spec", "Accuracy %", "Lowest", "Ratio", "Zeros %", "Output error", "held out")


@dataclass(frozen=True)
class Classifier:
    """One classifier.

    :ivar images: (images, 64), pixels from 0 to 16; those it was trained on, and those held out.
    """

    tensors: Tensors
    images: evaluate.Array
    held_out: evaluate.Array
    labels: evaluate.Array

    def accuracy(self, tensors: Tensors) -> float:
        """The share of the held-out images that other weights tell right, in percent."""
        told = evaluate.logits(tensors, self.held_out).argmax(axis=1)
        return 100 * float(np.mean(told == self.labels))


def trained(seed: int) -> Classifier:
    """A perceptron of scikit-learn with its default settings."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    images, held_out, labels, true = train_test_split(
        digits.data, digits.target, test_size=0.3, random_state=seed
    )
    model = MLPClassifier((128, 64), random_state=seed, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may stop before it has converged
        model.fit(images / 16, labels)
    tensors: Tensors = {}
    for index, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        tensors[f"layers.{index}.weight"] = np.ascontiguousarray(weight.T, np.float32)
        tensors[f"layers.{index}.bias"] = bias.astype(np.float32)
    return Classifier(tensors, images, held_out, true)


@dataclass(frozen=True)
class Row:
    """A spec on all classifiers.

    :ivar accuracies: one each, in percent.
    """

    accuracies: tuple[float, ...]
    reports: tuple[Report, ...]

    def cells(self, name: str) -> tuple[str, ...]:
        """The row of the table: means over the classifiers."""
        totals = [report.totals for report in self.reports]
        outputs = [one.outputs for one in totals if one.outputs is not None]
        held_out = [one.held_out.error for one in outputs if one.held_out is not None]
        zeros = np.mean([(one.zeros or 0) / max(1, one.float_elements) for one in totals])
        return (
            name,
            f"{np.mean(self.accuracies):.1f}",
            f"{min(self.accuracies):.1f}",
            f"{np.mean([one.ratio or 0 for one in totals]):.2f}×",
            f"{100 * zeros:.1f}",
            f"{np.mean([one.in_sample.error for one in outputs]):.3f}" if outputs else "—",
            f"{np.mean(held_out):.3f}" if held_out else "—",
        )


def measure(specs: Mapping[str, Spec], seeds: Iterable[int] = SEEDS) -> dict[str, Row]:
    """Every spec on every classifier."""
    found: dict[str, list[tuple[float, Any]]] = {name: [] for name in specs}
    for seed in seeds:
        classifier = trained(seed)
        with tempfile.TemporaryDirectory() as folder:
            weights, gram = Path(folder) / "w.safetensors", Path(folder) / "g.safetensors"
            save_file(classifier.tensors, weights)
            save_file(make_gram.grams(classifier.tensors, classifier.images), gram)
            for name, spec in specs.items():
                result = evaluate.evaluate(replace(spec, gram=str(gram)), weights)
                found[name].append((classifier.accuracy(result.restored), result.report))
    return {
        name: Row(tuple(one for one, _ in rows), tuple(report for _, report in rows))
        for name, rows in found.items()
    }


def in_sequence(spec: Spec, seeds: Iterable[int] = SEEDS) -> tuple[float, ...]:
    """Accuracies where each layer is fitted to what the compressed layers before it give.

    For that the Gram matrices are made anew before each layer.
    """
    return tuple(_in_sequence(trained(seed), spec) for seed in seeds)


def _in_sequence(classifier: Classifier, spec: Spec) -> float:
    tensors = classifier.tensors
    for index in range(3):
        only = Selector(match=(Pattern(f"layers.{index}.*"),))
        own = replace(spec, pipeline=replace(spec.pipeline, select=only))
        with tempfile.TemporaryDirectory() as folder:
            weights, gram = Path(folder) / "w.safetensors", Path(folder) / "g.safetensors"
            save_file(tensors, weights)
            save_file(make_gram.grams(tensors, classifier.images), gram)
            tensors = evaluate.evaluate(replace(own, gram=str(gram)), weights).restored
    return classifier.accuracy(tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what Gram matrices are worth.")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "--seeds", nargs=2, type=int, default=(SEEDS.start, SEEDS.stop), metavar=("FIRST", "END")
    )
    chosen = parser.parse_args()
    render = evaluate.as_markdown if chosen.markdown else evaluate.as_text
    seeds = range(*chosen.seeds)
    ladder = evaluate.load_ladder(HERE / "gram_ladder.yaml")
    rows = [row.cells(name) for name, row in measure(ladder, seeds).items()]
    found = in_sequence(ladder[BEST], seeds)
    rows.append((f"{BEST}, in sequence", f"{np.mean(found):.1f}", f"{min(found):.1f}", *["—"] * 4))
    print(render(rows, HEADER), end="")


if __name__ == "__main__":
    main()
