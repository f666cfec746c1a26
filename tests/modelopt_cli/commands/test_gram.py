"""``--gram``: a flag and a key of the spec, columns of the table, gates, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compress_core import gram_files
from tests.compress_core.grams import imatrix_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model and its Gram file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    gram_files.saved(tmp_path / "m.safetensors", gram_files.model())
    gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(gram_files.model()))
    return tmp_path


PRUNE = ("prune", "m.safetensors", "--sparsity", "0.5")


def test_the_table_has_the_error_of_what_layers_give(cli: Any) -> None:
    ran = cli(*PRUNE, "--method", "admm", "--gram", "g.safetensors")
    assert ran.code == 0, ran.err
    assert "Output error  held out" in ran.out.splitlines()[0]
    assert "Output error: the same of what layers give" in ran.out


def test_without_a_gram_file_the_table_is_what_it_was(cli: Any) -> None:
    assert "Output error" not in cli(*PRUNE).out


def test_json_has_both_errors_of_each_tensor_and_of_all(cli: Any) -> None:
    found = json.loads(cli(*PRUNE, "--gram", "g.safetensors", "--json").out)
    for one in (found["totals"], *(t for t in found["tensors"] if t["name"] != "norm.weight")):
        assert 0 < one["output_error"] < 1
        assert 0 < one["output_error_held_out"] < 1
    assert [t["output_error"] for t in found["tensors"] if t["name"] == "norm.weight"] == [None]


def test_the_flag_is_a_key_of_the_spec(cli: Any, folder: Path) -> None:
    ran = cli(*PRUNE, "--method", "l2", "--gram", "g.safetensors", "--print-spec")
    assert "gram: g.safetensors" in ran.out
    (folder / "s.yaml").write_text(ran.out)
    by_spec = cli("compress", "m.safetensors", "--spec", "s.yaml", "-o", "a.safetensors")
    by_flag = cli(*PRUNE, "--method", "l2", "--gram", "g.safetensors", "-o", "b.safetensors")
    assert (by_spec.code, by_flag.code) == (0, 0)
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()


def test_the_place_of_the_gram_file_is_not_in_the_output(cli: Any, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "g.safetensors").rename(folder / "elsewhere" / "h.safetensors")
    gram_files.saved(folder / "g.safetensors", gram_files.grams(gram_files.model()))
    for name, gram in (("a", "g.safetensors"), ("b", "elsewhere/h.safetensors")):
        ran = cli(*PRUNE, "--method", "admm", "--gram", gram, "-o", f"{name}.safetensors")
        assert ran.code == 0, ran.err
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()


@pytest.mark.parametrize(("limit", "code"), [(0.9, 0), (0.01, 1)])
def test_a_gate_may_limit_the_error_of_what_layers_give(
    limit: float, code: int, cli: Any, folder: Path
) -> None:
    (folder / "s.yaml").write_text(
        "version: 1\npasses: [{pass: prune, sparsity: 0.5, method: dynamic}]\ngram: g.safetensors\n"
        f"gates: [{{metric: output_error, max: {limit}, over: tensor}}]\n"
    )
    ran = cli("compress", "m.safetensors", "--spec", "s.yaml", "--gate-before-write")
    assert ran.code == code, ran.err
    assert "output_error each of its tensors" in ran.out


def test_a_gate_without_a_gram_file_is_refused_before_anything_is_done(
    cli: Any, folder: Path
) -> None:
    (folder / "s.yaml").write_text(
        "version: 1\npasses: [{pass: prune, sparsity: 0.5}]\n"
        "gates: [{metric: output_error, max: 0.5}]\n"
    )
    ran = cli("compress", "m.safetensors", "--spec", "s.yaml")
    assert ran.code == 2
    assert "the gate on output_error needs Gram matrices" in ran.err
    assert "--gram FILE" in ran.err
    ran = cli("check", "m.safetensors", "--spec", "s.yaml")
    assert ran.code == 2
    assert "--gram FILE" in ran.err


@pytest.mark.parametrize("bad", ["shape", "nan", "indefinite"])
def test_a_bad_matrix_is_exit_3_with_its_name_and_leaves_nothing(
    bad: str, cli: Any, folder: Path
) -> None:
    arrays = gram_files.grams(gram_files.model())
    gram = arrays["up.gram"]
    arrays["up.gram"] = {
        "shape": np.ascontiguousarray(gram[:, 1:]),
        "nan": np.full_like(gram, np.nan),
        "indefinite": -gram,
    }[bad]
    gram_files.saved(folder / "g.safetensors", arrays)
    before = sorted(path.name for path in folder.iterdir())
    ran = cli(*PRUNE, "--method", "admm", "--gram", "g.safetensors")
    assert ran.code == 3
    assert "tensor up.gram" in ran.err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_gram_file_is_never_replaced(cli: Any, folder: Path) -> None:
    before = (folder / "g.safetensors").read_bytes()
    ran = cli(*PRUNE, "--gram", "g.safetensors", "-o", "./g.safetensors", "--force")
    assert ran.code == 2
    assert "the output is the Gram file" in ran.err
    assert (folder / "g.safetensors").read_bytes() == before


def test_a_missing_gram_file_is_exit_3(cli: Any) -> None:
    assert cli(*PRUNE, "--gram", "absent.safetensors").code == 3


def test_a_batch_does_again_what_had_another_gram_file(cli: Any, folder: Path) -> None:
    (folder / "s.yaml").write_text(
        "version: 1\npasses: [{pass: prune, sparsity: 0.5, method: l2}]\ngram: g.safetensors\n"
    )
    batch = ("batch", "m.safetensors", "--spec", "s.yaml", "-O", "out", "-j", "1")
    assert "done" in cli(*batch).out
    assert "resumed" in cli(*batch).out
    arrays = gram_files.grams(gram_files.model())
    arrays["up.gram"] *= 2
    gram_files.saved(folder / "g.safetensors", arrays)
    assert "resumed" not in cli(*batch).out


def test_an_importance_matrix_is_taken_by_its_content(cli: Any, folder: Path) -> None:
    squares = {
        name: np.ones(array.shape[1])
        for name, array in gram_files.model().items()
        if array.ndim > 1
    }
    data = imatrix_files.dat(squares)
    (folder / "i.imatrix").write_bytes(data)
    ran = cli(*PRUNE, "--gram", "i.imatrix")
    assert ran.code == 0, ran.err
    assert "Output error" in ran.out
    (folder / "cut.dat").write_bytes(data[:200])
    ran = cli(*PRUNE, "--gram", "cut.dat", "-f")
    assert ran.code == 3
    assert "tensor down.weight" in ran.err or "up.weight" in ran.err
