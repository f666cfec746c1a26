"""The digits: data, training, and what every rung of the ladder costs the classifier."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import compress, from_config
from compress_core.errors import SpecError
from sample_weights.digits import evaluate, train
from sample_weights.digits.evaluate import Result, Tensors

SPEC = re.compile(r"^```yaml\n([^`]*)^```$", re.MULTILINE)

# the closest decision that rounding in float64 could not turn
MARGIN = 1e-9


@pytest.fixture(scope="module")
def digits(samples: Path) -> Path:
    return samples / "digits"


@pytest.fixture(scope="module")
def weights(digits: Path) -> Path:
    return digits / "digits.safetensors"


@pytest.fixture(scope="module")
def data(digits: Path) -> Tensors:
    return load_file(digits / "data.safetensors")


@pytest.fixture(scope="module")
def results(digits: Path, weights: Path) -> dict[str, Result]:
    ladder = evaluate.load_ladder(digits / "ladder.yaml")
    return {name: evaluate.evaluate(spec, weights) for name, spec in ladder.items()}


def printed(digits: Path, *arguments: str | Path, **environment: str) -> str:
    """What evaluate.py prints."""
    run = subprocess.run(
        [sys.executable, digits / "evaluate.py", *arguments],
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return run.stdout


def accuracy(results: dict[str, Result], name: str) -> float:
    return 100 * evaluate.accuracy(results[name].restored)


# data


def test_data_are_small_and_what_the_notice_says(digits: Path, data: Tensors) -> None:
    assert (digits / "data.safetensors").stat().st_size < 150_000
    assert {name: (str(part.dtype), part.shape) for name, part in data.items()} == {
        "train.images": ("uint8", (1197, 64)),
        "train.labels": ("uint8", (1197,)),
        "test.images": ("uint8", (600, 64)),
        "test.labels": ("uint8", (600,)),
    }
    assert max(part.max() for name, part in data.items() if name.endswith("images")) == 16


def test_no_held_out_image_was_trained_on(data: Tensors) -> None:
    trained = {image.tobytes() for image in data["train.images"]}
    assert [image for image in data["test.images"] if image.tobytes() in trained] == []


@pytest.mark.oracle
def test_data_are_made_byte_for_byte(digits: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    subprocess.run([sys.executable, digits / "make_data.py", made], check=True)
    assert made.read_bytes() == (digits / "data.safetensors").read_bytes()


# training


def test_training_gives_such_a_classifier(data: Tensors, weights: Path) -> None:
    """The weights may differ from the committed ones: another matrix library rounds differently."""
    trained, committed = train.train(data["train.images"], data["train.labels"]), load_file(weights)
    assert {name: (t.dtype, t.shape) for name, t in trained.items()} == {
        name: (t.dtype, t.shape) for name, t in committed.items()
    }
    assert evaluate.accuracy(trained) == pytest.approx(evaluate.accuracy(committed), abs=0.01)


def test_training_is_seeded(data: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "EPOCHS", 2)
    first, second = (train.train(data["train.images"], data["train.labels"]) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


# evaluation


def test_the_dense_model_is_a_good_one(results: dict[str, Result]) -> None:
    assert accuracy(results, "dense") >= 98


def test_int8_costs_at_most_three_tenths_of_a_point(results: dict[str, Result]) -> None:
    assert accuracy(results, "int8") >= accuracy(results, "dense") - 0.3


@pytest.mark.parametrize("name", ["int4 g32", "int4 g16"])
def test_int4_with_groups_costs_at_most_one_point(name: str, results: dict[str, Result]) -> None:
    assert accuracy(results, name) >= accuracy(results, "dense") - 1


def test_random_pruning_is_no_method(results: dict[str, Result]) -> None:
    assert accuracy(results, "random 50 %") < accuracy(results, "sparsity 50 %") - 10


def test_no_decision_hangs_on_rounding(results: dict[str, Result], data: Tensors) -> None:
    for name, result in results.items():
        scores = np.sort(evaluate.logits(result.restored, data["test.images"]), axis=1)
        assert np.min(scores[:, -1] - scores[:, -2]) > MARGIN, name


def test_a_row_says_what_is_in_the_files(
    results: dict[str, Result], weights: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.safetensors"
    compress(
        weights, small, from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    )
    restored, dense = (
        np.concatenate([tensors[name].ravel().astype(np.float64) for name in sorted(tensors)])
        for tensors in (results["int4"].restored, load_file(weights))
    )
    _, _, nbytes, ratio, zeros, error = evaluate.cells("int4", results["int4"])
    size = small.stat().st_size
    assert nbytes == f"{size:,}"
    assert ratio == f"{weights.stat().st_size / size:.2f}×"
    assert zeros == f"{100 * np.mean(restored == 0):.1f}"
    assert error == f"{np.linalg.norm(dense - restored) / np.linalg.norm(dense):.3f}"


def test_threads_do_not_change_the_table(digits: Path) -> None:
    one, two = (
        printed(digits, OPENBLAS_NUM_THREADS=threads, OMP_NUM_THREADS=threads) for threads in "12"
    )
    assert one == two


# specs


def test_the_spec_shown_can_be_measured(digits: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    (shown,) = SPEC.findall((digits / "README.md").read_text(encoding="utf-8"))
    mine.write_text(shown, encoding="utf-8")
    header, rule, row = printed(digits, mine, "--markdown").splitlines()
    assert header == "| Spec | Accuracy % | Bytes | Ratio | Zeros % | Error |"
    assert rule == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert re.fullmatch(r"\| mine \| \d+\.\d \| [\d,]+ \| [\d.]+× \| [\d.]+ \| 0\.\d{3} \|", row)


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ("- {version: 1, name: a}\n- {version: 1, nam: b}\n", 2, "unknown key"),
        ("- {version: 1, name: a}\n- {version: 1, name: a}\n", 2, "no name of its own"),
        ("- {version: 1}\n", 1, "no name of its own"),
        ("version: 1\nname: a\n", 1, "not a list"),
    ],
)
def test_the_ladder_is_read_strictly(rows: str, line: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ladder.yaml"
    path.write_text(rows, encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        evaluate.load_ladder(path)
    assert f"{path}:{line}:" in (caught.value.where or "")
