"""The public surface of the package: these names, typed, and each imported when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import compress_core

SURFACE = {
    "Check",
    "Difference",
    "Gate",
    "ModelOptError",
    "Pipeline",
    "Progress",
    "Report",
    "Settings",
    "Spec",
    "__version__",
    "check",
    "compress",
    "diff",
    "from_config",
    "load_spec",
    "open_logical",
    "open_weights",
    "plan",
    "plan_restore",
    "restore",
}


def _silent(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_surface_has_the_names_that_were_promised_and_no_others() -> None:
    assert set(compress_core.__all__) == SURFACE
    assert compress_core.__all__ == sorted(compress_core.__all__)
    assert dir(compress_core) == compress_core.__all__


@pytest.mark.parametrize("name", sorted(set(compress_core.__all__) - {"__version__"}))
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(compress_core, name)
    assert found is getattr(compress_core, name)
    assert found.__doc__


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name in set(compress_core.__all__) - {"__version__"}
        if not isinstance(getattr(compress_core, name), type)
    ),
)
def test_every_function_says_the_types_it_takes_and_gives(name: str) -> None:
    code = getattr(compress_core, name).__code__
    described = getattr(compress_core, name).__annotations__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    assert set(described) == {*taken, "return"}
    assert "Any" not in str(described["return"])


def test_the_package_tells_type_checkers_that_it_has_types() -> None:
    assert (Path(compress_core.__file__).parent / "py.typed").exists()


def test_what_type_checkers_see_is_what_there_is() -> None:
    module = ast.parse(Path(compress_core.__file__).read_text("utf-8"))
    (block,) = [one for one in module.body if isinstance(one, ast.If)]
    seen = {"__version__"}
    for statement in block.body:
        if isinstance(statement, ast.ImportFrom):
            seen |= {alias.asname for alias in statement.names if alias.asname}
        if isinstance(statement, ast.Assign):
            seen |= {name.id for name in statement.targets if isinstance(name, ast.Name)}
    assert seen == set(compress_core.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'compress_core' has no attribute 'squash'"):
        compress_core.squash  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    _silent(
        "import sys; before = set(sys.modules); import compress_core\n"
        "more = {m for m in set(sys.modules) - before if m.startswith('compress_core.')}\n"
        "assert not more, more\n"
        "assert 'numpy' not in sys.modules"
    )


def test_every_name_but_those_that_work_on_data_comes_without_numpy() -> None:
    _silent(
        "import sys, compress_core\n"
        "for name in compress_core.__all__:\n"
        "    getattr(compress_core, name)\n"
        "    assert 'numpy' not in sys.modules, name"
    )


def test_planning_from_headers_loads_no_numpy(root: Path) -> None:
    source = str(root / "sample_weights" / "silero_vad_16k.safetensors")
    _silent(
        "import sys; from compress_core import from_config, plan\n"
        "passes = [{'pass': 'prune', 'sparsity': 0.5}, {'pass': 'quantize', 'bits': 4}]\n"
        f"plan({source!r}, from_config({{'version': 1, 'passes': passes}}))\n"
        "assert 'numpy' not in sys.modules"
    )


def test_the_example_of_the_docstring_runs(tmp_path: Path, samples: Path) -> None:
    document = compress_core.__doc__ or ""
    lines = [line.strip().removeprefix(">>> ") for line in document.splitlines() if ">>>" in line]
    assert len(lines) >= 3
    code = "\n".join(lines).replace(
        "model.safetensors", str(samples / "silero_vad_16k.safetensors")
    )
    place: dict[str, typing.Any] = {}
    exec(code.replace('"small.', f'"{tmp_path}/small.'), place)
    assert (tmp_path / "small.safetensors").exists()
    assert place["report"].totals.ratio > 2
