"""Exit codes, one by one, and what the streams hold then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import compress_core
from compress_core.errors import ModelOptError
from modelopt_cli import main


def raising(error: BaseException) -> Callable[..., Any]:
    def work(*_: object, **__: object) -> Any:
        raise error

    return work


def test_0_did_what_was_asked(cli: Any, weights: Path, tmp_path: Path) -> None:
    ran = cli("quantize", weights, "--bits", "4", "-o", tmp_path / "out.safetensors")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out.safetensors").exists()
    assert ran.out.splitlines()[-1].startswith(f"Wrote {tmp_path / 'out.safetensors'}")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "missing command", "see modelopt --help"),
        (["prun"], "unknown command: prun", "did you mean prune?"),
        (["prune"], "missing argument 'PATH'", "see modelopt prune --help"),
        (
            ["prune", "x", "--sparsty", "1"],
            "no such option '--sparsty'",
            "did you mean --sparsity?",
        ),
        (["--xyzzy"], "no such option '--xyzzy'", "see modelopt --help"),
        (
            ["prune", "x", "--sparsity", "2"],
            "--sparsity: 2 is not accepted",
            "--sparsity takes a number from 0 to 1",
        ),
    ],
)
def test_2_usage(cli: Any, arguments: list[str], message: str, hint: str) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [f"error: {message}", f"hint: {hint}"]


def test_2_output_exists(cli: Any, weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"precious")
    ran = cli("quantize", weights, "--bits", "4", "-o", target)
    assert (ran.code, ran.out, target.read_bytes()) == (2, "", b"precious")
    assert "--force" in ran.err


def test_2_output_is_the_input(cli: Any, weights: Path) -> None:
    before = weights.read_bytes()
    ran = cli("quantize", weights, "--bits", "4", "-o", weights, "--force")
    assert (ran.code, weights.read_bytes()) == (2, before)


@pytest.mark.parametrize("content", [None, b"", b"not a weight file"])
def test_3_bad_input(cli: Any, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    ran = cli("quantize", path, "--bits", "4", "-o", tmp_path / "out.safetensors")
    assert (ran.code, ran.out) == (3, "")
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 4
    assert "bad.safetensors" in ran.err
    assert not (tmp_path / "out.safetensors").exists()


def test_4_cannot_write(cli: Any, weights: Path, tmp_path: Path) -> None:
    ran = cli("quantize", weights, "--bits", "4", "-o", tmp_path / "no" / "out.safetensors")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("error: no such folder")


def test_70_a_bug(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress_core, "compress", raising(KeyError("x\x1b")), raising=False)
    ran = cli("quantize", weights, "--bits", "4")
    assert ran.code == 70
    assert ran.err.splitlines() == [
        "error: this is a bug in modelopt: KeyError: 'x\\x1b'",
        "hint: please report it, with what the same command prints with -v",
    ]


def test_70_with_v_shows_where(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress_core, "compress", raising(KeyError("x")), raising=False)
    ran = cli("quantize", weights, "--bits", "4", "-v")
    assert ran.code == 70
    assert ran.err.splitlines()[0].startswith("error: ")
    assert "Traceback" in ran.err


def test_70_an_error_of_no_known_kind(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress_core, "compress", raising(ModelOptError("odd")), raising=False)
    assert cli("quantize", weights, "--bits", "4").code == 70


def test_130_ctrl_c_is_quiet(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress_core, "compress", raising(KeyboardInterrupt()), raising=False)
    ran = cli("quantize", weights, "--bits", "4")
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_143_sigterm_lets_outputs_be_cleaned_up(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned = []

    def work(*_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # a second one does not disturb
            cleaned.append(True)

    monkeypatch.setattr(compress_core, "compress", work, raising=False)
    ran = cli("quantize", weights, "--bits", "4")
    assert (ran.code, ran.out, ran.err, cleaned) == (143, "", "", [True])


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["inspect", "{weights}"]])
def test_a_closed_pipe_ends_quietly(
    clean_environment: dict[str, str], weights: Path, arguments: list[str]
) -> None:
    command = [
        sys.executable,
        "-m",
        "modelopt_cli",
        *(a.format(weights=weights) for a in arguments),
    ]
    with subprocess.Popen(
        command, env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["inspect", "{weights}"]])
def test_a_full_stdout_is_an_error(
    clean_environment: dict[str, str], weights: Path, arguments: list[str]
) -> None:
    command = [
        sys.executable,
        "-m",
        "modelopt_cli",
        *(a.format(weights=weights) for a in arguments),
    ]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command,
            env=clean_environment,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "error: cannot write the result: No space left on device",
        "  stdout",
        "hint: send it to another disk: > FILE",
    ]


def test_no_stdout_at_all_ends_quietly(clean_environment: dict[str, str]) -> None:
    command = f"exec '{sys.executable}' -m modelopt_cli --help >&-"
    done = subprocess.run(
        ["sh", "-c", command], env=clean_environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_main_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["modelopt", "--version"])
    monkeypatch.setattr(main, "run", lambda arguments: 3 if arguments == ["--version"] else 0)
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 3


@pytest.mark.parametrize(
    ("signalled", "code"), [(KeyboardInterrupt(), 130), (main.Terminated(), 143)]
)
def test_a_signal_that_python_wraps_is_a_signal(
    signalled: BaseException, code: int, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoke(arguments: list[str], output: Any) -> None:
        raise RuntimeError("Error calling __set_name__") from signalled

    monkeypatch.setattr(main, "_invoke", invoke)
    ran = cli("prune")
    assert (ran.code, ran.out, ran.err) == (code, "", "")
