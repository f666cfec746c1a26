"""Exit codes, row by row, and the error that goes with each."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.reliability.conftest import Mount
from tests.reliability.tool import Ran, Tool, check_error, ended, when_writing

INT4 = ("--bits", "4", "--group-size", "32")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class TestZero:
    """Did what was asked."""

    @pytest.mark.parametrize("command", ["quantize", "inspect", "plan", "diff", "restore"])
    def test_a_command_that_did_its_work(self, tool: Tool, small: Path, command: str) -> None:
        arguments: dict[str, list[str | Path]] = {
            "quantize": [small, *INT4],
            "inspect": [small],
            "plan": [small, "--compare", "W4A16,W8A16"],
            "diff": [small, small],
            "restore": [small, "-o", "same.safetensors"],
        }
        ran = tool.run(command, *arguments[command])
        assert ran.code == 0, ran.err
        assert ran.out
        assert "error" not in ran.err

    def test_a_selection_that_finds_nothing_is_said(self, tool: Tool, tmp_path: Path) -> None:
        source = tmp_path / "ints.safetensors"
        save_file({"ids": np.arange(9)}, source)
        ran = tool.run("quantize", source, *INT4)
        assert ran.code == 0
        assert "note: no tensor is selected: the output is a copy" in ran.err


class TestOne:
    """Worked, and the answer is no."""

    def test_a_difference_if_that_is_asked_for(
        self, tool: Tool, small: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.safetensors"
        save_file({"up.weight": np.zeros((64, 96)), "bias": np.ones(96)}, other)
        assert tool.run("diff", small, other).code == 0
        ran = tool.run("diff", small, other, "--exit-code")
        assert (ran.code, "error" in ran.err) == (1, False)
        assert ran.out
        assert tool.run("diff", small, small, "--exit-code").code == 0


def existing(tool: Tool, small: Path) -> list[str]:
    (tool.folder / "out.safetensors").write_bytes(b"precious")
    return ["quantize", str(small), *INT4, "-o", "out.safetensors"]


def input_as_output(tool: Tool, small: Path) -> list[str]:
    return ["quantize", str(small), *INT4, "-o", str(small), "--force"]


def hard_link_as_output(tool: Tool, small: Path) -> list[str]:
    os.link(small, tool.folder / "out.safetensors")
    return ["quantize", str(small), *INT4, "-o", "out.safetensors", "--force"]


def folder_as_output(tool: Tool, small: Path) -> list[str]:
    (tool.folder / "out.safetensors").mkdir()
    return ["quantize", str(small), *INT4, "-o", "out.safetensors", "--force"]


def pipe_as_output(tool: Tool, small: Path) -> list[str]:
    os.mkfifo(tool.folder / "out.safetensors")
    return ["quantize", str(small), *INT4, "-o", "out.safetensors", "--force"]


def unmatched_pattern(tool: Tool, small: Path) -> list[str]:
    return ["quantize", str(small), *INT4, "--ignore", "up_weight"]


def bad_spec(tool: Tool, small: Path) -> list[str]:
    (tool.folder / "bad.yaml").write_text("version: 1\npasses:\n  - pass: quantize\n    bit: 4\n")
    return ["compress", str(small), "--spec", "bad.yaml"]


def no_yaml(tool: Tool, small: Path) -> list[str]:
    (tool.folder / "bad.yaml").write_text("version: 1\npasses: [\n")
    return ["spec", "validate", "bad.yaml"]


def missing_spec(tool: Tool, small: Path) -> list[str]:
    return ["compress", str(small), "--spec", "absent.yaml"]


def existing_report(tool: Tool, small: Path) -> list[str]:
    (tool.folder / "report.json").write_bytes(b"precious")
    return ["quantize", str(small), *INT4, "-o", "out.safetensors", "--report", "report.json"]


USAGE = [
    (existing, "out.safetensors"),
    (input_as_output, "small.safetensors"),
    (hard_link_as_output, "out.safetensors"),
    (folder_as_output, "out.safetensors"),
    (pipe_as_output, "out.safetensors"),
    (unmatched_pattern, "up_weight"),
    (bad_spec, "bad.yaml:4:5"),
    (no_yaml, "bad.yaml:3:1"),
    (missing_spec, "absent.yaml"),
    (existing_report, "report.json"),
]

WORDS = [
    (["quantise", "x"], "quantise"),
    (["quantize"], "PATH"),
    (["quantize", "x", "--bit", "4"], "--bit"),
    (["quantize", "x", "--bits", "9"], "--bits"),
    (["quantize", "x"], "bits"),
    (["compress", "x", "--pass", "prun sparsity=1"], "prun"),
    (["compress", "x", "--pass", "prune sparsity=2"], "sparsity"),
    (["prune", "x", "--sparsity", "0.5", "--max-memory", "10M"], "--max-memory"),
    (["prune", "x", "--sparsity", "0.5", "--match", "re:("], "re:("),
    (["prune", "x", "--sparsity", "0.5", "--report", "x.pdf"], "x.pdf"),
    (["inspect", "--format", "xml", "x"], "--format"),
    (["list", "pases"], "pases"),
]


class TestTwo:
    """Usage or spec error, output exists, output is the input: nothing was read or written."""

    @pytest.mark.parametrize(("make", "named"), USAGE)
    def test_nothing_is_written(
        self, tool: Tool, small: Path, make: Callable[[Tool, Path], list[str]], named: str
    ) -> None:
        arguments = make(tool, small)
        before, content = names(tool.folder), small.read_bytes()
        ran = tool.run(*arguments)
        check_error(ran, 2, named)
        assert ran.out == ""
        assert names(tool.folder) == before
        assert small.read_bytes() == content
        for kept in ("out.safetensors", "report.json"):
            path = tool.folder / kept
            if kept in before and path.is_file() and path.stat().st_nlink == 1:
                assert path.read_bytes() == b"precious"

    @pytest.mark.parametrize(("arguments", "named"), WORDS, ids=lambda one: str(one)[:40])
    def test_a_wrong_word_is_named(self, tool: Tool, arguments: list[str], named: str) -> None:
        ran = tool.run(*arguments)
        check_error(ran, 2, named)
        assert (ran.out, names(tool.folder)) == ("", [])


def absent(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("<!DOCTYPE html>" * 100)


def pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def cut(path: Path) -> None:
    save_file({"a": np.ones((64, 64))}, path)
    os.truncate(path, path.stat().st_size - 1)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder_of_nothing(path: Path) -> None:
    path.mkdir()


def pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x02}q\x00." + bytes(99))


BAD = [absent, empty, text, pointer, cut, pipe, folder_of_nothing, pickle]


class TestThree:
    """Bad input: unreadable, corrupt, unsupported, hostile."""

    @pytest.mark.parametrize(
        ("command", "make"),
        [
            *product(["quantize"], BAD),
            *product(["inspect", "plan", "restore", "diff"], [absent, text, cut]),
        ],
    )
    def test_a_bad_file_is_named(
        self, tool: Tool, small: Path, command: str, make: Callable[[Path], None]
    ) -> None:
        make(tool.folder / "bad.safetensors")
        more: dict[str, list[str | Path]] = {
            "quantize": [*INT4, "-o", "out"],
            "plan": ["--pass", "quantize bits=4"],
            "restore": ["-o", "out"],
            "diff": [small],
        }
        before = names(tool.folder)
        ran = tool.run(command, "bad.safetensors", *more.get(command, []))
        check_error(ran, 3, "bad.safetensors")
        assert (ran.out, names(tool.folder)) == ("", before)

    def test_weights_that_are_not_finite(self, tool: Tool) -> None:
        save_file({"good": np.ones((8, 8)), "a.b": np.full((8, 8), np.nan)}, tool.folder / "in")
        ran = tool.run("quantize", "in", *INT4, "-o", "out")
        check_error(ran, 3, "a.b", "  in\n", "--on-nonfinite keep")
        assert names(tool.folder) == ["in"]

    def test_what_is_quantized_already(self, tool: Tool, small: Path) -> None:
        assert tool.run("quantize", small, *INT4, "-o", "once").code == 0
        ran = tool.run("quantize", "once", *INT4, "-o", "twice")
        check_error(ran, 3, "once", "modelopt restore")
        assert names(tool.folder) == ["once"]

    def test_a_file_of_ours_that_was_damaged(self, tool: Tool, small: Path) -> None:
        assert tool.run("quantize", small, *INT4, "-o", "once").code == 0
        content = (tool.folder / "once").read_bytes()
        damaged = content.replace(b'\\"symmetric\\":true', b'\\"symmetric\\":null')
        assert damaged != content
        (tool.folder / "once").write_bytes(damaged)
        for arguments in (["inspect", "once"], ["restore", "once", "-o", "out"]):
            check_error(tool.run(*arguments), 3, "once")
        assert names(tool.folder) == ["once"]

    def test_numbers_in_a_file_of_ours_that_were_damaged(self, tool: Tool, small: Path) -> None:
        """The file and the tensor are named also when only the data tell."""
        assert tool.run("quantize", small, *INT4, "-o", "once").code == 0
        content = bytearray((tool.folder / "once").read_bytes())
        header = content[8 : 8 + int.from_bytes(content[:8], "little")]
        assert b'"up.weight.scale":{"dtype":"F16"' in header.replace(b" ", b"")
        start = 8 + len(header) + 96 * 8  # the bias is wider and comes first
        content[start : start + 2] = b"\x00\x7e"
        (tool.folder / "once").write_bytes(content)
        ran = tool.run("restore", "once", "-o", "out")
        check_error(ran, 3, "  once\n", "tensor up.weight", "NaN")
        assert names(tool.folder) == ["once"]

    def test_the_shard_is_named(self, tool: Tool, samples: Path) -> None:
        folder = tool.folder / "checkpoint"
        shutil.copytree(samples / "fracast-bf16", folder)
        os.truncate(folder / "model-00002-of-00002.safetensors", 5000)
        for ran in (
            tool.run("inspect", folder),
            tool.run("quantize", folder, *INT4, "-o", "out"),
        ):
            check_error(ran, 3, "model-00002-of-00002.safetensors")
        assert not (tool.folder / "out").exists()

    def test_of_several_files_each_is_named(self, tool: Tool, small: Path) -> None:
        (tool.folder / "a").write_bytes(b"x")
        ran = tool.run("inspect", "a", small, "b")
        assert ran.code == 3
        assert ran.err.count("error: ") == ran.err.count("hint: ") == 2
        assert "up" in ran.out


class TestFour:
    """Cannot write."""

    def test_the_folder_is_missing(self, tool: Tool, small: Path) -> None:
        ran = tool.run("quantize", small, *INT4, "-o", "no/such/out.safetensors")
        check_error(ran, 4, "no/such/out.safetensors", "mkdir -p")
        assert names(tool.folder) == []

    def test_a_limit_on_the_size_of_files(self, tool: Tool, large: Path) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

        ran = tool.run("quantize", large, *INT4, "-o", "out.safetensors", before=limit)
        check_error(ran, 4, "out.safetensors")
        assert names(tool.folder) == []

    def test_a_full_disk(self, tool: Tool, large: Path, mount: Mount) -> None:
        place = mount("size=1m")
        ran = tool.run("quantize", large, *INT4, "-o", place / "out.safetensors")
        check_error(ran, 4, "out.safetensors", "disk full: needs", "free")
        assert names(place) == []

    def test_a_read_only_file_system(self, tool: Tool, small: Path, mount: Mount) -> None:
        place = mount("ro,size=64k")
        ran = tool.run("quantize", small, *INT4, "-o", place / "out.safetensors")
        check_error(ran, 4, "out.safetensors", "read-only")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_read_only_folder(self, tool: Tool, small: Path) -> None:
        tool.folder.chmod(0o555)
        try:
            ran = tool.run("quantize", small, *INT4, "-o", "out.safetensors")
        finally:
            tool.folder.chmod(0o755)
        check_error(ran, 4, "out.safetensors", "permission denied")
        assert names(tool.folder) == []

    def test_the_report_has_no_place(self, tool: Tool, small: Path) -> None:
        arguments = [*INT4, "-o", "out.safetensors", "--report", "no/r.json"]
        check_error(tool.run("quantize", small, *arguments), 4, "no/r.json")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_stdout_is_full(self, tool: Tool, small: Path) -> None:
        with open("/dev/full", "w") as full:
            ran = tool.run("inspect", small, stdout=full)
        check_error(ran, 4, "stdout")


BROKEN = """
import sys
import compress_core
from modelopt_cli.main import main
def boom(*_, **__): raise KeyError("a bug\\x1b[2J")
compress_core.compress = boom
main()
"""


class TestSeventy:
    """A bug."""

    def test_it_asks_for_a_report(self, tool: Tool, small: Path) -> None:
        broken = replace(tool, prefix=(sys.executable, "-c", BROKEN))
        ran = broken.run("quantize", small, *INT4)
        check_error(ran, 70, "bug in modelopt", "KeyError", "-v")
        assert "\x1b" not in ran.err
        assert names(tool.folder) == []

    def test_its_traceback_is_for_those_who_ask(self, tool: Tool, small: Path) -> None:
        broken = replace(tool, prefix=(sys.executable, "-c", BROKEN))
        ran = broken.run("quantize", small, *INT4, "-v")
        assert ran.code == 70
        assert "Traceback" in ran.err
        assert "\x1b" not in ran.err


def interrupted(tool: Tool, number: int, *arguments: str | Path) -> Ran:
    """The command after a signal that came while it wrote; a few tries, for it may be faster."""
    for _ in range(10):
        with tool.start(*arguments) as process:
            hit = when_writing(process, tool.folder, lambda: os.kill(process.pid, number))
            ran = ended(process)
        if hit and ran.code != 0:
            return ran
    pytest.fail("it was always done before the signal came")


class TestSignals:
    """130, 143: interrupted; nothing left behind."""

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["130", "143"]
    )
    def test_it_ends_quietly_and_leaves_nothing(
        self, tool: Tool, large: Path, number: int, code: int
    ) -> None:
        arguments = ["quantize", str(large), *INT4, "-f", "-o", "out.safetensors"]
        (tool.folder / "out.safetensors").write_bytes(b"precious")
        before = (tool.folder / "out.safetensors").read_bytes()
        ran = interrupted(tool, number, *arguments)
        assert (ran.code, ran.out, ran.err) == (code, "", "")
        assert names(tool.folder) == ["out.safetensors"]
        assert (tool.folder / "out.safetensors").read_bytes() in (before, finished(tool, arguments))


def finished(tool: Tool, arguments: list[str]) -> bytes:
    """What stands in the output after an uninterrupted run."""
    assert tool.run(*arguments).code == 0
    return (tool.folder / "out.safetensors").read_bytes()


class TestClosedPipe:
    """Nobody reads on: no reason to complain."""

    @pytest.mark.parametrize(
        "arguments",
        [["plan", "{small}", "--compare", "W4A16"], ["list", "passes"], ["inspect", "{small}"]],
    )
    def test_it_ends_quietly(self, tool: Tool, small: Path, arguments: list[str]) -> None:
        words = [word.format(small=small) for word in arguments]
        with tool.start(*words, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            said = process.stderr.read()
        assert (process.returncode, said) == (0, b"")
