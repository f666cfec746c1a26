"""On a terminal: what fits, what is coloured, and how long many tensors take."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from rich.cells import cell_len
from safetensors.numpy import save_file

from tests.reliability.tool import PATIENCE, Tool, bare_environment

MANY = 5000
SECONDS = 20
"""More than enough for that many tensors, also where other things run."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")

COMMANDS = {
    "inspect": ["inspect", "model"],
    "inspect per tensor": ["inspect", "model", "--per-tensor"],
    "inspect stats": ["inspect", "--stats", "model"],
    "plan": ["plan", "model", "--pass", "quantize bits=4 group_size=32"],
    "plan presets": ["plan", "model", "--compare", "W2A16,W4A16,W8A16,W4A16_ASYM"],
    "plan measured": ["plan", "model", "--compare", "W2A16,NF4,FP8_DYNAMIC", "--measure"],
    "prune": ["prune", "model", "--sparsity", "0.5", "-o", "out", "-f"],
    "quantize": ["quantize", "model", "--bits", "4", "--group-size", "32", "-o", "out", "-f"],
    "restore": ["restore", "small", "-o", "out", "-f"],
    "diff": ["diff", "model", "small"],
    "list": ["list", "passes"],
    "list prune": ["list", "passes", "prune"],
    "help": ["--help"],
    "help of a command": ["quantize", "--help"],
    "an error": ["quantize", "absent", "--bits", "4"],
    "a wrong word": ["quantize", "model", "--bit", "4"],
}


@dataclass(frozen=True)
class Screen:
    """All that a command wrote to a terminal."""

    code: int
    text: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """The lines without colours, and without the words that a bar erases its line by."""
        return COLOUR.sub("", self.text).replace("\x1b[2K", "").splitlines()

    @property
    def widest(self) -> str:
        return max(self.lines, key=cell_len, default="")


def on_terminal(tool: Tool, columns: int, environment: Mapping[str, str], *words: str) -> Screen:
    """Run a command whose three streams are a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    started = time.monotonic()
    with tool.start(
        *words,
        environment=bare_environment(**environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        try:
            text = _all_of(ours)
        finally:
            os.close(ours)
        process.wait(PATIENCE)
    return Screen(process.returncode, text, time.monotonic() - started)


def _all_of(terminal: int) -> str:
    read = bytearray()
    try:
        while piece := os.read(terminal, 1 << 16):
            read += piece
    except OSError as error:  # so the other end says that it is closed
        if error.errno != errno.EIO:
            raise
    return read.decode("utf-8")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A folder with a model of a few layers, and one of very many."""
    found = Tool(tmp_path_factory.mktemp("terminal"))
    rng = np.random.default_rng(23)
    words = ("self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj", "mlp.down_proj")
    tensors = {
        f"model.language_model.layers.{layer}.{word}.weight": rng.standard_normal(
            (64, 96), dtype=np.float32
        )
        for layer in range(3)
        for word in words
    }
    tensors["model.visual.patch_embedding.with_a_name.that_is_longer.than_most_of.them.proj"] = (
        np.ones((16, 24), np.float32)
    )
    tensors["norm.weight"] = np.ones(96, np.float32)
    tensors["名前.重み.weight"] = np.ones((32, 64), np.float32)
    save_file(tensors, found.folder / "model")
    assert found.run("quantize", "model", "--bits", "4", "-o", "small").code == 0
    many = {f"layers.{at}.word{at % 7}.weight": np.ones((2, 2), np.float32) for at in range(MANY)}
    save_file(many, found.folder / "many")
    return found


ENVIRONMENTS = {
    "plain": {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
    "no colour": {"TERM": "xterm-256color", "LANG": "C.UTF-8", "NO_COLOR": "1"},
    "dumb": {"TERM": "dumb", "LANG": "C.UTF-8"},
    "ascii": {"TERM": "xterm", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_terminal(tool: Tool, command: str, columns: int) -> None:
    seen = on_terminal(tool, columns, ENVIRONMENTS["plain"], *COMMANDS[command])
    assert seen.code in (0, 2, 3), seen.text
    assert seen.text
    assert "Traceback" not in seen.text
    assert cell_len(seen.widest) <= columns, seen.widest


@pytest.mark.parametrize("command", ["inspect stats", "quantize", "an error"])
@pytest.mark.parametrize("environment", ["plain", "dumb", "ascii"])
def test_twenty_columns_are_ugly_and_work(tool: Tool, environment: str, command: str) -> None:
    seen = on_terminal(tool, 20, ENVIRONMENTS[environment], *COMMANDS[command])
    assert seen.code == (3 if command == "an error" else 0), seen.text
    assert "Traceback" not in seen.text
    assert "UnicodeEncodeError" not in seen.text


@pytest.mark.parametrize("command", ["inspect", "quantize", "an error"])
class TestColour:
    def test_on_a_terminal(self, tool: Tool, command: str) -> None:
        seen = on_terminal(tool, 80, ENVIRONMENTS["plain"], *COMMANDS[command])
        assert COLOUR.search(seen.text)
        assert "\x1b" not in COLOUR.sub("", seen.text)

    @pytest.mark.parametrize("environment", ["no colour", "dumb"])
    def test_not_where_nobody_wants_it(self, tool: Tool, command: str, environment: str) -> None:
        seen = on_terminal(tool, 80, ENVIRONMENTS[environment], *COMMANDS[command])
        assert "\x1b" not in seen.text

    def test_never_means_never(self, tool: Tool, command: str) -> None:
        words = [*COMMANDS[command], "--color", "never"]
        assert "\x1b" not in on_terminal(tool, 80, ENVIRONMENTS["plain"], *words).text

    def test_not_in_a_pipe_unless_it_is_asked_for(self, tool: Tool, command: str) -> None:
        plain = tool.run(*COMMANDS[command], environment=bare_environment(TERM="xterm"))
        assert "\x1b" not in plain.out + plain.err
        forced = tool.run(*COMMANDS[command], environment=bare_environment(FORCE_COLOR="1"))
        assert COLOUR.search(forced.out + forced.err)
        assert COLOUR.sub("", forced.out) == plain.out


@pytest.mark.parametrize("command", COMMANDS)
def test_ascii_is_enough(tool: Tool, command: str) -> None:
    seen = on_terminal(tool, 80, ENVIRONMENTS["ascii"], *COMMANDS[command])
    assert seen.code in (0, 2, 3), seen.text
    assert COLOUR.sub("", seen.text).isascii()
    assert "Traceback" not in seen.text


def test_a_pipe_gets_whole_names(tool: Tool) -> None:
    """What a program reads is not shortened to fit anybody's screen."""
    out = tool.run("inspect", "model", "--per-tensor").out
    assert "model.visual.patch_embedding.with_a_name.that_is_longer.than_most_of.them.proj" in out
    assert "…" not in out


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        (["inspect", "many"], 1, 40),
        (["inspect", "many", "--per-tensor"], MANY, MANY + 20),
        (["plan", "many", "--pass", "prune sparsity=0.5"], 1, 40),
        (["prune", "many", "--sparsity", "0.5", "-o", "out", "-f"], 1, 40),
        (["diff", "many", "many"], 1, 40),
    ],
    ids=["inspect", "per tensor", "plan", "prune", "diff"],
)
def test_five_thousand_tensors(tool: Tool, words: list[str], least: int, most: int) -> None:
    seen = on_terminal(tool, 80, ENVIRONMENTS["plain"], *words)
    assert seen.code == 0, seen.text[-500:]
    assert least <= len(seen.lines) <= most
    assert seen.seconds < SECONDS
    assert cell_len(seen.widest) <= 80, seen.widest


def test_a_bar_is_gone_at_the_end(tool: Tool) -> None:
    """Whatever the bar drew, the last line of it is erased before the result comes."""
    words = ["prune", "many", "--structure", "2of4", "-o", "out", "-f", "--progress", "bar"]
    seen = on_terminal(tool, 80, ENVIRONMENTS["no colour"], *words)
    assert seen.code == 0
    assert not COLOUR.search(seen.text)
    result = seen.text.rpartition("\x1b")[2]
    assert "Tensors" in result
    assert "Wrote out" in result
