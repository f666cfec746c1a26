"""Reading a file never runs code from it, and touches nothing but the paths that were named."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reliability.tool import ROOT, Tool, bare_environment

CORPUS = ROOT / "tests" / "corpus" / "bad_inputs"
EXPECTED = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
CASES = [case for case in EXPECTED["cases"] if case["kind"] != "yaml"]

SOURCES = sorted(
    path for package in ("compress_core", "cli") for path in (ROOT / package).rglob("*.py")
)

MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("torch", "tensorflow", "transformers", "h5py", "subprocess", "multiprocessing", "socket"),
    *("urllib.request", "http", "requests", "ctypes", "runpy", "code", "pty"),
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    *("np.load", "numpy.load", "np.fromfile", "np.memmap", "mmap.mmap", "yaml.unsafe_load"),
    *("yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all", "os.system", "os.popen"),
    *("os.execv", "os.execve", "os.fork", "os.posix_spawn", "torch.load"),
}

ALLOWED = {
    "cli/modelopt_cli/allocator.py": {"ctypes"},  # settings of the C library in use
    # the kernels that were installed with the package
    **{
        f"compress_core/kernels/native/{name}.py": {"ctypes"}
        for name in ("__init__", "calls", "differences", "floats", "ranking")
    },
    # modelopt gram runs a model: the only room that does, with an extra of its own
    "compress_core/gathering/framework.py": {"torch", "transformers", "transformers.pytorch_utils"},
    # a batch starts this tool itself, and its workers end with it
    "cli/modelopt_cli/workers/lifeline.py": {"ctypes"},
    "cli/modelopt_cli/workers/worker.py": {"subprocess"},
}


def offences(source: str) -> Iterator[str]:
    """What a module does that could run code from a file, or leave the process."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if _is_unwanted(one.name))
        elif isinstance(node, ast.ImportFrom) and _is_unwanted(node.module or ""):
            yield str(node.module)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in BUILTINS | METHODS:
                yield called
            if called == "yaml.load" and not _names_a_loader(node):
                yield "yaml.load without a loader of our own"
            yield from (
                f"{called}({word.arg}=…)" for word in node.keywords if word.arg == "allow_pickle"
            )


def _is_unwanted(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in MODULES)


def _names_a_loader(call: ast.Call) -> bool:
    given = [ast.unparse(word.value) for word in call.keywords if word.arg == "Loader"]
    given += [ast.unparse(argument) for argument in call.args[1:]]
    return bool(given) and not any(name.startswith("yaml.") for name in given)


def test_both_packages_are_looked_at() -> None:
    assert {"compress_core", "cli"} == {path.relative_to(ROOT).parts[0] for path in SOURCES}
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_run_code_from_a_file(path: Path) -> None:
    found = set(offences(path.read_text(encoding="utf-8")))
    assert found <= ALLOWED.get(path.relative_to(ROOT).as_posix(), set())


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch.serialization",
        "import subprocess as s",
        "from urllib.request import urlopen",
        "eval('1')",
        "exec(x)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "os.system('ls')",
        "__import__('os')",
    ],
)
def test_the_check_sees_what_it_should(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source", ["re.compile('x')", "yaml.load(text, Loader=_Strict)", "yaml.safe_load(x)"]
)
def test_the_check_sees_no_more_than_that(source: str) -> None:
    assert not list(offences(source))


WATCHED = """
import importlib, json, os, pkgutil, sys, tempfile
from pathlib import Path

import compress_core, modelopt_cli
from modelopt_cli import main

for package in (compress_core, modelopt_cli):  # what is imported late is imported now
    for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if one.name.rpartition(".")[2] not in ("__main__", "libmodelopt_kernels"):
            importlib.import_module(one.name)

harmless, out, *cases = sys.argv[1:]
out = os.path.realpath(out)
scratch = os.path.realpath(os.environ.get("TMPDIR", out))
trusted = tuple({os.path.realpath(one) for one in (sys.prefix, sys.base_prefix, *sys.path) if one})
seen = []
named = None

def commands(path, target):
    yield ["inspect", path, "--per-tensor"]
    yield ["inspect", "--stats", path, "--json"]
    yield ["quantize", path, "--bits", "4", "-o", f"{target}.q", "-f", "--on-nonfinite", "keep"]
    yield ["prune", path, "--sparsity", "0.5", "-o", f"{target}.p", "-f", "--report",
           f"{target}.json", "--on-nonfinite", "keep"]
    yield ["restore", path, "-o", f"{target}.r", "-f"]
    yield ["diff", path, path]

def inside(path, folders):
    path = os.path.realpath(os.fsdecode(path))
    return any(path == one or path.startswith(one + os.sep) for one in folders)

def is_ours(name):
    return name.endswith(".py") and inside(name, trusted)

def watch(event, args):
    if named is None:
        return
    if event in ("exec", "compile"):
        name = args[0].co_filename if event == "exec" else args[1]
        if not is_ours(os.fsdecode(name or "")):
            seen.append([event, str(name)])
    elif event == "open":
        path, _, flags = args
        if isinstance(path, int):
            return
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        if not inside(path, [out, scratch] if writes else [out, os.path.realpath(named), *trusted]):
            seen.append([event, str(path), flags])
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "shutil.rmtree",
                   "os.rename", "os.link", "os.symlink", "os.utime", "os.chown"):
        paths = args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]
        if not all(isinstance(one, int) or inside(one, [out, scratch]) for one in paths):
            seen.append([event, *map(str, paths)])
    elif event == "ctypes.dlopen" and args[0] is not None:  # None: the C library in use
        seen.append([event, str(args[0])])
    elif event.split(".")[0] in ("subprocess", "socket", "pickle", "pty", "mmap",
                                 "urllib", "http", "ftplib", "smtplib", "webbrowser"):
        seen.append([event, *map(str, args)])
    elif event in ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
                   "os.putenv", "code.__new__", "marshal.load"):
        seen.append([event, *map(str, args)])

def run_all(path, number):
    for arguments in commands(path, os.path.join(out, str(number))):
        code = main.run(arguments)
        if code not in (0, 3):
            seen.append(["exit code", code, *arguments])

run_all(harmless, "warm")
main.run(["inspect", os.devnull])
sys.addaudithook(watch)
for number, case in enumerate([harmless, *cases]):
    named = case
    run_all(case, number)
    named = None
with open(os.path.join(out, "seen.json"), "w") as file:
    json.dump(seen, file)
"""


def digest(folder: Path) -> str:
    """Names, kinds, modes, times and contents of everything below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.update(repr((str(path), status.st_mode, status.st_mtime_ns)).encode())
        if path.is_file() and not path.is_symlink():
            found.update(path.read_bytes())
    return found.hexdigest()


def test_hostile_files_run_nothing_and_reach_nothing(tool: Tool, tmp_path: Path) -> None:
    """Watched by the interpreter itself, over every case of weights."""
    assert sum("hostile" in (case.get("tags") or ()) for case in CASES) >= 37
    out = tmp_path / "out"
    out.mkdir()
    before = digest(CORPUS)
    watched = replace(tool, prefix=(sys.executable, "-B", "-c", WATCHED))
    harmless = ROOT / "sample_weights" / "fracast.safetensors"
    # many tensors of nothing are a matter of time, which is watched elsewhere
    cases = [CORPUS / case["path"] for case in CASES if case["name"] != "st_ok_many_small"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ran = watched.run(harmless, out, *cases, environment=bare_environment(TMPDIR=str(scratch)))
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    assert json.loads((out / "seen.json").read_text()) == []
    assert digest(CORPUS) == before, "an input was changed"
    assert os.listdir(tool.folder) == [], "a payload has run, or something was left behind"
    assert os.listdir(scratch) == []
    assert (out / "0.q").exists()
    assert (out / "0.json").exists()


@pytest.mark.parametrize(
    "deed",
    [
        "eval('1')",
        "exec('x = 1')",
        "open(os.path.expanduser('/etc/hostname'))",
        "open(os.path.join(os.getcwd(), 'elsewhere'), 'w')",
        "__import__('subprocess').run(['true'])",
        "__import__('socket').socket()",
        "__import__('pickle').loads(b'cos\\ngetcwd\\n.')",
        "os.mkdir('elsewhere')",
    ],
)
def test_the_watch_sees_what_it_should(tool: Tool, tmp_path: Path, deed: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    hook = "def run_all(path, number):"
    assert hook in WATCHED
    code = WATCHED.replace(hook, f"{hook}\n    if number != 'warm': {deed}")
    watched = replace(tool, prefix=(sys.executable, "-B", "-c", code))
    ran = watched.run(ROOT / "sample_weights" / "digits" / "digits.safetensors", out)
    assert ran.code == 0, ran.err
    assert json.loads((out / "seen.json").read_text())
