"""Rows that go by what they give: the best choice there is, and L2 norms where H = I."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import Report, Settings, compress, from_config, restore
from compress_core.errors import UsageError
from compress_core.passes.prune import _BY_OUTPUT, Prune
from compress_core.passes.prune.rows import outputs_of_rows
from compress_core.passes.prune.units import norms
from tests.compress_core import gram_files
from tests.compress_core.gram_files import Arrays

METHODS = sorted(_BY_OUTPUT)
each = pytest.mark.parametrize("method", METHODS)


def run(
    tmp_path: Path, arrays: Arrays, grams: Arrays | None, *passes: dict[str, Any], **settings: Any
) -> tuple[Report, Arrays]:
    source = gram_files.saved(tmp_path / "model.safetensors", arrays)
    config: dict[str, Any] = {"version": 1, "passes": list(passes)}
    if grams is not None:
        config["gram"] = str(gram_files.saved(tmp_path / "g.safetensors", grams))
    small, dense = tmp_path / "small.safetensors", tmp_path / "dense.safetensors"
    report = compress(source, small, from_config(config), Settings(replace=True, **settings))
    restore(small, dense, Settings(replace=True))
    return report, load_file(dense)


def rows(method: str, sparsity: float = 0.3, **more: Any) -> dict[str, Any]:
    return {"pass": "prune", "method": method, "structure": "row", "sparsity": sparsity, **more}


def identities(arrays: Arrays) -> Arrays:
    return {
        f"{name.removesuffix('.weight')}.gram": np.eye(one.shape[1], dtype=np.float32)
        for name, one in arrays.items()
        if one.ndim == 2
    }


def same(one: Arrays, other: Arrays) -> bool:
    return {name: a.tobytes() for name, a in one.items()} == {
        name: a.tobytes() for name, a in other.items()
    }


def test_no_other_rows_would_lose_less(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    moments = gram_files.moments(5, 1)
    gram = moments["gram"].astype(np.float64)
    _, found = run(tmp_path, {"w": weights}, {"w.gram": moments["gram"]}, rows("admm", 3 / 7))
    gone = tuple(np.flatnonzero(~found["w"].any(axis=1)).tolist())

    def lost(chosen: tuple[int, ...]) -> float:
        gap = weights[list(chosen)].astype(np.float64)
        return float(np.trace(gap @ gram @ gap.T))

    assert gone == min(itertools.combinations(range(7), 3), key=lost)
    stays = found["w"].any(axis=1)
    np.testing.assert_array_equal(found["w"][stays], weights[stays])


def test_all_methods_choose_the_same_rows_and_the_report_says_so(tmp_path: Path) -> None:
    arrays = gram_files.model()
    found = [run(tmp_path, arrays, gram_files.grams(arrays), rows(one)) for one in METHODS]
    assert all(same(found[0][1], one) for _, one in found)
    for report, _ in found:
        assert any(note.startswith("prune: rows that give least are gone") for note in report.notes)
    _, plain = run(tmp_path, arrays, gram_files.grams(arrays), rows("magnitude"))
    assert not same(found[0][1], plain)


def test_it_loses_less_than_norms_and_leaves_as_much(tmp_path: Path) -> None:
    arrays = gram_files.model()
    report, _ = run(tmp_path, arrays, gram_files.grams(arrays), rows("l2"))
    plain, _ = run(tmp_path, arrays, gram_files.grams(arrays), rows("magnitude"))
    assert report.totals.zeros == plain.totals.zeros
    assert report.totals.outputs is not None
    assert plain.totals.outputs is not None
    assert report.totals.outputs.in_sample.error < plain.totals.outputs.in_sample.error


@each
@pytest.mark.parametrize("given", [True, False], ids=["identity", "no matrix"])
def test_where_all_inputs_are_alike_it_is_l2_bit_for_bit(
    method: str, given: bool, tmp_path: Path
) -> None:
    arrays = gram_files.model()
    arrays["up.weight"][100:200] = arrays["up.weight"][:100]  # ties, of which the later go first
    arrays["up.weight"][[5, 77]] = 0
    grams = identities(arrays) if given else None
    report, found = run(tmp_path, arrays, grams, rows(method, 0.41))
    _, plain = run(tmp_path, arrays, grams, rows("magnitude", 0.41))
    assert same(found, plain)
    assert any("is magnitude there" in note for note in report.notes) is not given


def test_scores_are_norms_in_other_coordinates() -> None:
    values = np.random.default_rng(1).standard_normal((600, 300)).astype(np.float32)
    identity = np.eye(300, dtype=np.float32)
    assert outputs_of_rows(values, identity).tobytes() == norms(values, "l2").tobytes()
    mixing = np.random.default_rng(2).standard_normal((300, 300))
    gram = (mixing @ mixing.T).astype(np.float32)
    wanted = np.sqrt(np.sum((values @ gram.astype(np.float64)) * values, axis=1))
    np.testing.assert_allclose(outputs_of_rows(values, gram), wanted, rtol=1e-12)


def test_rows_that_were_pruned_or_quantized_before_keep_what_they_have(tmp_path: Path) -> None:
    arrays = gram_files.model()
    first = {"pass": "quantize", "bits": 4}
    _, before = run(tmp_path, arrays, None, first)
    _, after = run(tmp_path, arrays, gram_files.grams(arrays), first, rows("admm"))
    stays = after["up.weight"].any(axis=1)
    assert np.count_nonzero(stays) == 210
    np.testing.assert_array_equal(after["up.weight"][stays], before["up.weight"][stays])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_and_none(share: float, tmp_path: Path) -> None:
    arrays = gram_files.model()
    _, found = run(tmp_path, arrays, gram_files.grams(arrays), rows("dynamic", share))
    assert np.count_nonzero(found["up.weight"]) == (1 - share) * arrays["up.weight"].size


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"norm": "max"}, "norm"),
        ({"scope": "global"}, "scope"),
        ({"damping": 0.1}, "damping"),
        ({"damping": "auto"}, "damping"),
        ({"structure": "column"}, "structure"),
    ],
)
def test_what_it_cannot_go_by_is_refused(more: dict[str, Any], where: str) -> None:
    config = {key: value for key, value in rows("admm").items() if key != "pass"}
    with pytest.raises(UsageError) as caught:
        Prune.from_config({**config, **more})
    assert caught.value.where == where
    assert caught.value.hint
