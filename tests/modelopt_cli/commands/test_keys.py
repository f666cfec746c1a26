"""``--key``: it applies where it can, and is refused where it can nowhere."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compress_core.formats.torch import assembler
from tests.compress_core.formats.torch.assembler import mapping, storage

ROWS = 16
FLOATS = np.random.default_rng(5).standard_normal((ROWS, ROWS), "f4")
INT4 = ("--pass", "quantize bits=4")


def _weights(key: str) -> bytes:
    return mapping({"up.weight": assembler.tensor(storage(key, FLOATS.size), (ROWS, ROWS))})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sets of weights in one file, one in another, and a file that can hold only one."""
    data = {"0": FLOATS.tobytes(), "1": (FLOATS + 1).tobytes()}
    models = tmp_path / "m"
    models.mkdir()
    both = mapping({"model": _weights("0"), "ema": _weights("1")})
    (models / "two.pt").write_bytes(assembler.zipped(both, data))
    (models / "one.bin").write_bytes(assembler.zipped(_weights("0"), {"0": data["0"]}))
    plain: dict[str, Any] = {"up.weight": FLOATS}
    np.savez(models / "plain.npz", **plain)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_inspect_takes_files_of_any_kind(cli: Any) -> None:
    ran = cli("inspect", "m/plain.npz", "m/two.pt", "--key", "ema")
    assert ran.code == 0
    assert all(path in ran.out for path in ("m/plain.npz", "m/two.pt"))


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "m/plain.npz", "m/plain.npz"),
        ("diff", "m/plain.npz", "m/plain.npz"),
        ("check", "m/plain.npz", "--max-size", "1GiB"),
        ("batch", "m/plain.npz", *INT4, "-O", "out"),
    ],
)
def test_where_nothing_has_a_choice_it_is_refused(cli: Any, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--key", "ema")
    assert (ran.code, ran.out) == (2, "")
    assert "hint: leave --key out" in ran.err


def test_one_that_cannot_be_read_keeps_no_other_from_being_shown(cli: Any, folder: Path) -> None:
    (folder / "m" / "bad.pt").write_bytes(b"hello")
    ran = cli("inspect", "m/bad.pt", "m/two.pt", "--key", "ema")
    assert (ran.code, " up " in ran.out) == (3, True)


def test_a_batch_takes_it_for_those_that_have_a_choice(cli: Any, folder: Path) -> None:
    ran = cli("batch", "m/plain.npz", "m/two.pt", *INT4, "-O", "out", "--key", "ema")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "2 done")
    same = cli("diff", "out/two.safetensors", "m/two.pt", "--key", "ema")
    assert same.code == 0, same.err


def test_two_sets_of_one_file_are_compared(cli: Any) -> None:
    ran = cli("diff", "m/two.pt", "m/two.pt", "--key-a", "model", "--key-b", "ema", "--exit-code")
    assert ran.code == 1
    assert cli("diff", "m/two.pt", "m/two.pt", "--key", "ema", "--exit-code").code == 0


def test_each_side_may_have_its_own(cli: Any) -> None:
    assert cli("diff", "m/two.pt", "m/one.bin", "--key-a", "model", "--exit-code").code == 0
    assert cli("diff", "m/one.bin", "m/two.pt", "--key-b", "ema", "--exit-code").code == 1
    ran = cli("diff", "m/two.pt", "m/two.pt", "--key", "model", "--key-b", "ema", "--exit-code")
    assert ran.code == 1


def _hint(err: str) -> list[str]:
    line = next(line for line in err.splitlines() if line.startswith("hint: modelopt "))
    return shlex.split(line.removeprefix("hint: modelopt "))


@pytest.mark.parametrize(
    "command",
    [
        ("compress", "m/two.pt", *INT4, "--max-size", "1"),
        ("compress", "m/two.pt", *INT4, "--max-error", "0"),
        ("check", "m/two.pt", "--max-size", "1"),
    ],
)
def test_the_hint_of_a_gate_can_be_typed(cli: Any, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--key", "ema")
    assert ran.code == 1
    hint = _hint(ran.err)
    assert "--key" in hint
    assert cli(*hint).code == 0


@pytest.mark.parametrize("metric", ["size, max: 1 B", "error, max: 0"])
@pytest.mark.parametrize("exists", ["error", "resume"])
def test_so_can_that_of_a_batch(cli: Any, folder: Path, metric: str, exists: str) -> None:
    (folder / "w.yaml").write_text(
        "version: 1\npasses: [{pass: quantize, bits: 4}]\n"
        f"output: {{on_exists: {exists}}}\ngates: [{{metric: {metric}}}]\n"
    )
    ran = cli("batch", "m/two.pt", "--spec", "w.yaml", "-O", "out", "--key", "ema")
    assert ran.code == 5
    again = cli(*_hint(ran.err))
    assert again.code == 1, again.err
    assert "gate failed" in again.err
    assert list(folder.glob("*.safetensors")) == []


def test_a_spec_is_checked_against_one_of_several_sets(cli: Any, folder: Path) -> None:
    (folder / "s.yaml").write_text("version: 1\npasses: [{pass: quantize, bits: 4}]\n")
    against = ("spec", "validate", "s.yaml", "--against", "m/two.pt")
    assert cli(*against).code == 3
    ran = cli(*against, "--key", "ema")
    assert (ran.code, ran.out) == (0, "s.yaml: valid for m/two.pt, changes 1 of 1 tensors\n")
    ran = cli("spec", "validate", "s.yaml", "--key", "ema")
    assert ran.code == 2
    assert "hint: name them: --against WEIGHTS" in ran.err
