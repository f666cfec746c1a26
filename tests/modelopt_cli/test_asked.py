"""Flags win over a spec, and a spec over the project's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.errors import UsageError
from modelopt_cli.asked import Asked, asked_for
from modelopt_cli.gate_options import Comparing
from modelopt_cli.options import Choosing

TABLE = """\
[tool.modelopt.check]
paths = ["m/*.x", "../n"]
gates = [{metric = "size", max = 1}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "w4.yaml").write_text("version: 1\ngates: [{metric: ratio, min: 2}]\n")
    (tmp_path / "none.yaml").write_text("version: 1\n")
    (tmp_path / "sub [1]").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(
    *paths: str, spec: str | None = None, match: tuple[str, ...] = (), **flags: object
) -> Asked:
    return asked_for(
        [Path(path) for path in paths],
        Comparing(**flags),  # type: ignore[arg-type]
        Choosing(match=match),
        None if spec is None else Path(spec),
    )


def metrics(found: Asked) -> list[str]:
    return [gate.metric for gate in found.gates]


@pytest.mark.usefixtures("project")
def test_the_rules_of_the_project() -> None:
    found = asked()
    assert found.paths == ("m/*.x", "../n")
    assert metrics(found) == ["size"]
    assert found.said == "gates: pyproject.toml [tool.modelopt.check]"
    assert asked("a").paths == ("a",)


@pytest.mark.usefixtures("project")
def test_paths_are_meant_from_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("sub [1]")
    assert asked().paths == ("../m/*.x", "../../n")


@pytest.mark.usefixtures("project")
def test_a_spec_wins_over_the_rules() -> None:
    found = asked(spec="w4.yaml")
    assert (found.paths, metrics(found), found.said) == (("m/*.x", "../n"), ["ratio"], None)
    assert asked("a", spec="w4.yaml").paths == ("a",)


@pytest.mark.usefixtures("project")
def test_flags_win_over_all() -> None:
    found = asked(max_error=0.1)
    assert metrics(found) == ["error"]
    assert (
        found.said == "gates: those of the flags, not those of pyproject.toml [tool.modelopt.check]"
    )
    by_spec = asked("a", spec="w4.yaml", max_error=0.1)
    assert metrics(by_spec) == ["error"]
    assert by_spec.said == "gates: those of the flags, not those of w4.yaml"
    assert asked("a", max_error=0.1).said is None


@pytest.mark.usefixtures("project")
def test_a_spec_without_gates_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="the spec has no gates"):
        asked("a", spec="none.yaml")


@pytest.mark.usefixtures("project")
def test_patterns_without_a_gate_of_their_own_are_a_mistake() -> None:
    with pytest.raises(UsageError, match="are for gates of flags"):
        asked("a", match=("x",))


def test_without_rules_there_is_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="nothing to check"):
        asked(max_size=1)
    assert asked("a") == Asked(("a",), ())
