"""Names that files bring along are shown, never obeyed, in every command and format."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.reliability.tool import Ran, Tool, bare_environment

CORPUS = Path(__file__).parents[1] / "corpus" / "bad_inputs" / "safetensors"

EVIL = {
    "clear the screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://example.invalid\x1b\\",
    "one byte csi": "\x9b31m",
    "overwritten": "good\rbad\b\b\b",
    "lines": "a\nb\x0bc\x0cd\x85e\u2028f\u2029g",
    "right to left": "\u202egnp.exe\u202c\u2066x\u2069\u200f",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade",
    "tags": "x\U000e0041\U000e0042",
    "markup": "[red]x[/red] [link=http://example.invalid]y[/link] [/]",
    "markdown": "`x` | <img src=x> **b** [a](b)",
    "nothing": "",
}
MATRIX = (32, 40)

COMMANDS: dict[str, list[str]] = {
    "inspect": ["inspect", "evil", "--per-tensor"],
    "inspect folded": ["inspect", "evil"],
    "inspect stats": ["inspect", "--stats", "--per-tensor", "evil"],
    "plan": ["plan", "evil", "--pass", "quantize bits=4", "--per-tensor", "-v"],
    "plan presets": ["plan", "evil", "--compare", "W4A16,W8A16"],
    "plan measured": ["plan", "evil", "--pass", "quantize bits=4", "--measure", "--per-tensor"],
    "prune": ["prune", "evil", "--sparsity", "0.5", "-o", "out", "--per-tensor", "-v"],
    "quantize": ["quantize", "evil", "--bits", "4", "-o", "out", "--per-tensor", "-v"],
    "compress": ["compress", "evil", "--pass", "prune structure=2of4", "-o", "out"],
    "restore": ["restore", "small", "-o", "out", "--per-tensor"],
    "inspect small": ["inspect", "small", "--per-tensor"],
    "diff": ["diff", "evil", "small", "--per-tensor"],
    "diff others": ["diff", "evil", "plain", "--per-tensor"],
}
FORMATS = ("table", "json", "csv", "md")


def is_harmless(text: str) -> bool:
    """Whether it holds only characters that move the cursor by their own width, and line ends."""
    return all(one == "\n" or unicodedata.category(one)[0] not in "C" for one in text) and not any(
        one in text for one in "\u2028\u2029"
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A folder with such a file, what quantizing makes of it, and a plain one."""
    tool = Tool(tmp_path_factory.mktemp("names"))
    rng = np.random.default_rng(21)
    tensors = {
        f"{name}.{word}.weight": rng.standard_normal(MATRIX, dtype=np.float32)
        for word, name in EVIL.items()
    }
    tensors |= {f"{name}.{word}.bias": np.ones(3, np.float32) for word, name in EVIL.items()}
    save_file(tensors, tool.folder / "evil", metadata={f"k{name}": name for name in EVIL.values()})
    save_file({"a": np.ones(MATRIX, np.float32)}, tool.folder / "plain")
    assert tool.run("quantize", "evil", "--bits", "4", "-o", "small").code == 0
    return tool


def check(ran: Ran) -> None:
    assert is_harmless(ran.out), ran.out
    assert is_harmless(ran.err), ran.err
    assert "Traceback" not in ran.err


SEVERAL = """
import json, os, sys
from modelopt_cli import main
for words in json.loads(sys.argv[1]):
    code = main.run(words)
    if code != int(sys.argv[2]):
        sys.exit(f"{words}: {code}")
    if os.path.exists("out"):
        os.unlink("out")
"""


def run_several(place: Tool, commands: list[list[str]], code: int = 0) -> Ran:
    """Several commands in one process; each must end with ``code``."""
    ran = replace(place, prefix=(sys.executable, "-c", SEVERAL)).run(
        json.dumps(commands), str(code)
    )
    assert ran.code == 0, ran.err
    return ran


@pytest.mark.parametrize("command", COMMANDS)
def test_no_name_drives_the_terminal(place: Tool, command: str) -> None:
    ran = run_several(place, [[*COMMANDS[command], "--format", form] for form in FORMATS])
    assert ran.out
    check(ran)


def test_json_has_the_names_as_they_are(place: Tool) -> None:
    found = json.loads(place.run("inspect", "evil", "--json").out)["files"][0]["tensors"]
    names = {tensor["name"] for tensor in found}
    assert {f"{name}.{word}.weight" for word, name in EVIL.items()} <= names


def test_tables_show_what_stands_there(place: Tool) -> None:
    out = place.run("inspect", "evil", "--per-tensor", "--color", "never").out
    assert "\\x1b[2J\\x1b[H" in out
    assert "[red]x[/red]" in out
    assert "\\u202egnp.exe" in out
    assert "good\\rbad\\x08" in out


def test_colour_comes_from_the_tool_alone(place: Tool) -> None:
    """With colours the only escapes are those around a whole line or a word of its own."""
    out = place.run("inspect", "evil", "--per-tensor", "--color", "always").out
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        out = out.replace(code, "")
    assert is_harmless(out)


@pytest.mark.parametrize("suffix", ["json", "csv", "md"])
def test_reports_in_files_are_as_harmless(place: Tool, suffix: str) -> None:
    path = place.folder / f"report.{suffix}"
    arguments = ["quantize", "evil", "--bits", "4", "-o", "out", "-f", "--report", str(path)]
    assert place.run(*arguments).code == 0
    assert is_harmless(path.read_text(encoding="utf-8"))


def test_a_spec_that_is_begun_from_a_file(place: Tool) -> None:
    ran = place.run("spec", "init", "evil")
    assert ran.code == 0
    check(ran)


def test_errors_name_tensors_as_harmlessly(place: Tool) -> None:
    commands = []
    for number, name in enumerate(EVIL.values()):
        bad = {f"{name}.weight": np.full(MATRIX, np.nan, np.float32)}
        save_file(bad, place.folder / f"bad{number}")
        commands.append(["quantize", f"bad{number}", "--bits", "4", "-o", "out", "-f"])
    ran = run_several(place, commands, 3)
    check(ran)
    assert len(ran.err.splitlines()) == 3 * len(EVIL)
    ran = place.run("quantize", "evil", "--bits", "4", "-o", "out", "-f", "--ignore", "goodbad")
    assert ran.code == 2
    check(ran)


def test_names_of_files_are_as_harmless(place: Tool) -> None:
    name = "\x1b[2J\u202e[red].safetensors"
    (place.folder / name).write_bytes(b"x")
    ran = place.run("inspect", name, "--color", "never")
    assert ran.code == 3
    check(ran)
    save_file({"a": np.ones(MATRIX, np.float32)}, place.folder / name)
    prune = ["prune", name, "--sparsity", "0.5", "-o", "e\x07"]
    check(run_several(place, [["inspect", name, name], prune]))


@pytest.mark.parametrize("form", FORMATS)
def test_the_case_of_the_corpus(place: Tool, form: str) -> None:
    ran = place.run("inspect", CORPUS / "st_ok_control_chars.safetensors", "--format", form)
    assert ran.code == 0
    check(ran)


def test_where_only_ascii_can_be_written(place: Tool) -> None:
    bare = bare_environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    for form in ("table", "csv", "md"):
        ran = place.run("inspect", "evil", "--per-tensor", "--format", form, environment=bare)
        assert ran.code == 0, ran.err
        assert ran.out.isascii()
        check(ran)
