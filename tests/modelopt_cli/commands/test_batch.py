"""``batch``: what it takes, what it says, and what it refuses."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

INT4 = ("--pass", "quantize bits=4")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two inputs, to work in."""
    work = tmp_path / "work"
    (work / "models" / "deep").mkdir(parents=True)
    shutil.copy(weights, work / "models" / "a.safetensors")
    shutil.copy(weights, work / "models" / "deep" / "b.safetensors")
    monkeypatch.chdir(work)
    return work


def test_done_then_resumed(cli: Any, folder: Path) -> None:
    first = cli("batch", "models", *INT4, "-O", "out", "-j", "2")
    assert first.code == 0, first.err
    assert first.out.splitlines()[-1] == "2 done"
    assert (folder / "out" / "deep" / "b.safetensors").exists()
    again = cli("batch", "models", *INT4, "-O", "out", "--verify")
    assert again.code == 0, again.err
    assert again.out.splitlines()[-1] == "2 resumed"
    assert again.out.splitlines()[2].split()[2:] == first.out.splitlines()[2].split()[2:]


def test_the_outputs_are_those_of_compress(cli: Any, folder: Path) -> None:
    assert cli("batch", "models", *INT4, "-O", "out").code == 0
    assert cli("compress", "models/a.safetensors", *INT4, "-o", "one.safetensors").code == 0
    batched = (folder / "out" / "a.safetensors").read_bytes()
    assert batched == (folder / "one.safetensors").read_bytes()


def test_a_failure_is_exit_5_and_is_told_with_a_hint(cli: Any, folder: Path) -> None:
    (folder / "models" / "c.safetensors").write_bytes(b"damaged")
    ran = cli("batch", "models", *INT4, "-O", "out", "-k", "--report", "r.json")
    assert ran.code == 5
    assert ran.out.splitlines()[-1] == "2 done, 1 failed · exit 5"
    lines = ran.err.splitlines()[-3:]
    assert lines[0].startswith("error: c.safetensors: ")
    assert lines[1] == "  models/c.safetensors"
    assert lines[2].startswith("hint: ")
    said = json.loads((folder / "r.json").read_text())
    assert said["totals"]["failed"] == 1
    assert said["exit_code"] == 5


def test_json_has_everything(cli: Any) -> None:
    ran = cli("batch", "models", *INT4, "-O", "out", "--json")
    said = json.loads(ran.out)
    assert said["schema"] == "modelopt.batch/1"
    assert [one["item"] for one in said["items"]] == ["a.safetensors", "deep/b.safetensors"]
    assert said["totals"]["bytes_in"] == sum(one["bytes_in"] for one in said["items"])


def test_flags_narrow_the_spec(cli: Any, folder: Path) -> None:
    (folder / "s.yaml").write_text("version: 1\npasses: [{pass: quantize, bits: 4}]\n")
    flags = ("--spec", "s.yaml", "--ignore", "embed_tokens", "--layout", "dense")
    ran = cli("batch", "models", *flags, "-O", "out", "--json")
    assert ran.code == 0, ran.err
    assert {one["layout"] for one in json.loads(ran.out)["items"]} == {"dense"}
    wrong = cli("batch", "models", "--spec", "s.yaml", "--ignore", "nobody", "-O", "other")
    assert wrong.code == 5
    assert "ignore pattern matched no tensor: nobody" in wrong.err


def test_a_shard_may_be_empty_and_a_batch_may_not(cli: Any) -> None:
    codes = [
        cli("batch", "models/a.safetensors", *INT4, "-O", "out", "--shard", f"{index}/2")
        for index in (1, 2)
    ]
    assert [ran.code for ran in codes] == [0, 0]
    sums = sorted(ran.out.splitlines()[-1] for ran in codes)
    assert [said.partition(" · ")[0] for said in sums] == ["1 done", "nothing to do"]
    assert cli("batch", "nowhere/*", *INT4, "-O", "out", "--shard", "1/2").code == 2


def test_shard_auto_reads_the_environment(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ("batch", "models", *INT4, "-O", "out", "--shard", "auto")
    for variable in ("SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(variable, raising=False)
    assert cli(*flags).code == 2
    for index in ("0", "1"):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
        monkeypatch.setenv("JOB_COMPLETIONS", "2")
        assert cli(*flags).code == 0
    assert cli("batch", "models", *INT4, "-O", "out").out.endswith("2 resumed\n")


def test_what_exists_is_kept_unless_forced(cli: Any, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "a.safetensors").write_bytes(b"precious")
    ran = cli("batch", "models", *INT4, "-O", "out")
    assert ran.code == 2
    assert "no batch has written it" in ran.err
    assert [path.name for path in (folder / "out").iterdir()] == ["a.safetensors"]
    assert (folder / "out" / "a.safetensors").read_bytes() == b"precious"
    assert cli("batch", "models", *INT4, "-O", "out", "--force").code == 0


def test_a_spec_may_say_that_outputs_are_replaced(cli: Any, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "a.safetensors").write_bytes(b"old")
    (folder / "s.yaml").write_text("version: 1\noutput: {on_exists: replace}\n")
    assert cli("batch", "models", "--spec", "s.yaml", "-O", "out").code == 0


def test_a_spec_may_ask_for_what_a_batch_does_anyway(cli: Any, folder: Path) -> None:
    (folder / "s.yaml").write_text("version: 1\noutput: {on_exists: resume}\n")
    flags = ("batch", "models", "--spec", "s.yaml", "-O", "out")
    assert cli(*flags).out.endswith("2 done\n")
    assert cli(*flags).out.endswith("2 resumed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", *INT4], "missing option '-O'"),
        ([*INT4, "-O", "out"], "no inputs"),
        (["models", "-O", "out"], "nothing to do"),
        (["models", *INT4, "--spec", "s.yaml", "-O", "out"], "exclude each other"),
        (["models/*.bin", *INT4, "-O", "out"], "no file matches the pattern"),
        (["models", *INT4, "-O", "models"], "there are no inputs"),
        (["models/a.safetensors", *INT4, "-O", "models"], "the output is the input"),
        (["models", *INT4, "-O", "out", "--shard", "3/2"], "there is no shard 3 of 2"),
        (["models", *INT4, "-O", "out", "--filelist", "absent"], "the list of files"),
        (["models", *INT4, "-O", "out", "-j", "2", "--max-memory", "100MiB"], "for 2 processes"),
        (["models", *INT4, "-O", "out", "--report", "r.txt"], "no report format"),
    ],
)
def test_what_is_refused_before_anything_is_done(
    cli: Any, folder: Path, arguments: list[str], message: str
) -> None:
    before = sorted(folder.rglob("*"))
    ran = cli("batch", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert sorted(folder.rglob("*")) == before


def test_a_missing_folder_is_exit_4(cli: Any) -> None:
    ran = cli("batch", "models", *INT4, "-O", "absent/out")
    assert ran.code == 4
    assert "no such folder" in ran.err


def test_notes_name_their_item(cli: Any) -> None:
    ran = cli("batch", "models", *INT4, "--ignore", "*", "-O", "out")
    assert ran.code == 0
    assert "note: deep/b.safetensors: no tensor is selected" in ran.err


def test_kept_tensors_are_counted_over_all_items(cli: Any) -> None:
    ran = cli("batch", "models", *INT4, "--ignore", "embed_tokens", "-O", "out", "-v")
    assert "note: 6 tensors kept in all: 1-D (4), ignored by embed_tokens (2)" in ran.err
    assert "note: a.safetensors: 2 kept: 1-D" in ran.err


def test_gates_of_the_spec_hold_for_every_item(cli: Any, folder: Path) -> None:
    spec = folder / "specs" / "s.yaml"
    spec.parent.mkdir()
    text = "version: 1\npasses: [{pass: quantize, bits: 4}]\ngates:\n"
    spec.write_text(f"{text}  - {{metric: size, max: 10 B}}\n")
    ran = cli("batch", "models", "--spec", spec, "-O", "out", "-k")
    assert ran.code == 5
    assert "error: a.safetensors: size 18.41 KiB is over the limit of 10 B" in ran.err
    assert not (folder / "out" / "a.safetensors").exists()
    spec.write_text(f"{text}  - {{metric: size, max_growth: 1%, baseline: base.json}}\n")
    missing = cli("batch", "models", "--spec", spec, "-O", "other")
    assert missing.code == 2
    assert "base.json" in missing.err
    assert not (folder / "other").exists()


GATED = """\
version: 1
passes: [{pass: quantize, bits: 4}]
gates:
  - {metric: size, max: 10 KiB}
  - {metric: error, max: 0.01}
"""


def test_a_failed_gate_says_what_check_says(cli: Any, folder: Path) -> None:
    (folder / "s.yaml").write_text(GATED)
    ran = cli("batch", "models/a.safetensors", "--spec", "s.yaml", "-O", "out", "--json")
    assert ran.code == 5
    assert ran.err.splitlines() == [
        "error: a.safetensors: size 18.41 KiB is over the limit of 10.00 KiB (s.yaml:4);"
        " error 0.0947 is over the limit of 0.0100 (s.yaml:5)",
        "  models/a.safetensors",
        "hint: modelopt plan models/a.safetensors --spec s.yaml",
    ]
    (item,) = json.loads(ran.out)["items"]
    assert [one["where"]["line"] for one in item["breaches"]] == [4, 5]
    typed = ran.err.splitlines()[-1].removeprefix("hint: modelopt ").split()
    assert "FAIL" in cli(*typed).out


def test_github_gets_an_annotation_for_each(
    cli: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "s.yaml").write_text(GATED)
    (folder / "models" / "c.safetensors").write_bytes(b"damaged")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary"))
    inputs = ("models/a.safetensors", "models/c.safetensors")
    ran = cli("batch", *inputs, "--spec", "s.yaml", "-O", "out", "-k", "--format", "github")
    assert ran.code == 5
    size, error, damaged = (line for line in ran.out.splitlines() if line.startswith("::error"))
    assert size == (
        "::error file=work/s.yaml,line=4,col=20,title=size out/a.safetensors::"
        "a.safetensors: size 18.41 KiB is over the limit of 10.00 KiB"
    )
    assert error.startswith("::error file=work/s.yaml,line=5,col=21,title=error out/a.safetensors:")
    assert damaged.startswith("::error title=c.safetensors failed::c.safetensors: ")
    assert "is over the limit" in (folder / "summary").read_text()


def test_an_input_that_lies_elsewhere_moves_no_output(
    cli: Any, folder: Path, weights: Path
) -> None:
    first = ("models", *INT4, "-O", "out")
    assert cli("batch", *first).code == 0
    (folder / "other").mkdir()
    shutil.copy(weights, folder / "other" / "c.safetensors")
    before = sorted((folder / "out").rglob("*"))
    ran = cli("batch", "other", *first)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        f"error: the outputs in out are named below {folder}/models,"
        f" and these inputs lie below {folder}",
        "  other/c.safetensors",
        f"hint: --root {folder}/models for what lies there; another -O for what does not",
    ]
    assert cli("batch", *first, "--root", ".").code == 2
    assert sorted((folder / "out").rglob("*")) == before
    # fewer inputs keep their names
    again = cli("batch", "models/deep/b.safetensors", *INT4, "-O", "out")
    assert again.out.splitlines()[2].split()[:2] == ["deep/b.safetensors", "resumed"]


def test_shards_keep_the_root_of_the_first(cli: Any, folder: Path) -> None:
    flags = (*INT4, "-O", "out", "--shard")
    done = [cli("batch", "models", *flags, f"{index}/2", "--json") for index in (1, 2)]
    items = [one["item"] for ran in done for one in json.loads(ran.out)["items"]]
    assert sorted(items) == ["a.safetensors", "deep/b.safetensors"]
    assert cli("batch", "models", *INT4, "-O", "out").out.endswith("2 resumed\n")
    shutil.copy(folder / "models" / "a.safetensors", folder / "elsewhere.safetensors")
    refused = [cli("batch", ".", *flags, f"{index}/2") for index in (1, 2)]
    assert [ran.code for ran in refused] == [2, 2]


def test_outputs_of_another_batch_are_no_inputs(cli: Any, folder: Path) -> None:
    assert cli("batch", "models", *INT4, "-O", "models/old").code == 0
    ran = cli("batch", "models", *INT4, "-O", "out")
    assert ran.out.endswith("2 done\n")
    assert "note: skipped models/old: it holds the outputs of a batch" in ran.err
    named = cli("batch", "models/old", "-O", "again", "--pass", "prune sparsity=0.5")
    assert "note: models/old holds the outputs of a batch: inputs, since named" in named.err


def test_the_environment_sets_limits(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELOPT_CLI_JOBS", "2")
    monkeypatch.setenv("MODELOPT_CLI_MAX_MEMORY", "100MiB")
    assert cli("batch", "models", *INT4, "-O", "out").code == 0  # in one process
    ran = cli("batch", "models", *INT4, "-O", "out", "-j", "2")
    assert ran.code == 2
    assert "too little for 2 processes" in ran.err
    monkeypatch.setenv("MODELOPT_CLI_JOBS", "none")
    assert cli("batch", "models", *INT4, "-O", "out").code == 2


def test_what_cannot_be_written_belongs_elsewhere(
    cli: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr("compress_core.batch.root.os.link", full)
    ran = cli("batch", "models", *INT4, "-O", "out")
    assert ran.code == 4
    assert "disk full" in ran.err
    assert ran.err.splitlines()[-1] == "hint: write it somewhere else: -O DIR"


def test_a_damaged_baseline_is_told_with_a_hint(cli: Any, folder: Path) -> None:
    gate = "{metric: size, max_growth: 1%, baseline: base.json}"
    (folder / "s.yaml").write_text(f"version: 1\ngates: [{gate}]\n")
    (folder / "base.json").write_text("{")
    ran = cli("batch", "models", "--spec", "s.yaml", "-O", "out")
    assert ran.code == 3
    assert ran.err.splitlines()[-1] == "hint: take it from git again: git checkout -- base.json"
