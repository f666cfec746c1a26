"""Paths, and their lines and columns."""

from __future__ import annotations

import pytest

from compress_core.errors import SpecError, UsageError
from compress_core.spec.place import Place

POSITIONS = {"": (1, 1), "passes": (2, 1), "passes[0]": (3, 5), "passes[0].where.dtype": (4, 9)}
FILE = Place("", "a.yaml", POSITIONS)


def test_paths_grow_by_keys_and_items() -> None:
    assert str(Place().key("passes").item(0).key("ignore").item(1)) == "passes[0].ignore[1]"


def test_a_path_in_a_file_has_line_and_column() -> None:
    assert str(FILE.key("passes").item(0)) == "a.yaml:3:5  passes[0]"
    assert str(FILE) == "a.yaml:1:1"


@pytest.mark.parametrize(
    ("key", "path"),
    [("group-size", "group-size"), ("a.b", '"a.b"'), ("a[0]", '"a[0]"'), ("\x1b", r'"\u001b"')],
)
def test_a_strange_key_cannot_look_like_a_path(key: str, path: str) -> None:
    assert str(Place().key(key)) == path


def test_a_long_key_is_cut() -> None:
    assert len(str(Place().key("x" * 1000))) == 62


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ("where.dtype", "a.yaml:4:9  passes[0].where.dtype"),
        ("where.dtype[3]", "a.yaml:4:9  passes[0].where.dtype"),
        ("where.role", "a.yaml:3:5  passes[0]"),
    ],
)
def test_an_error_is_put_where_something_was_written(steps: str, where: str) -> None:
    assert str(FILE.key("passes").item(0).inside(steps)) == where


def test_without_a_file_every_path_is_said() -> None:
    assert str(Place().key("a").inside("b[0]")) == "a.b[0]"


def test_usage_errors_get_a_place() -> None:
    with pytest.raises(SpecError, match="no") as caught, FILE.key("passes").item(0).blaming():
        raise UsageError("no", where="where.dtype", hint="yes")
    assert caught.value.where == "a.yaml:4:9  passes[0].where.dtype"
    assert caught.value.hint == "yes"


def test_errors_that_have_a_place_keep_it() -> None:
    with pytest.raises(SpecError) as caught, FILE.blaming():
        raise SpecError("no", where="elsewhere")
    assert caught.value.where == "elsewhere"


def test_the_root_of_a_dictionary_has_no_place() -> None:
    assert Place().error("no").where is None
