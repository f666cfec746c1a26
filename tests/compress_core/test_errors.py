"""The tree in the docstring is the tree of classes."""

from __future__ import annotations

import inspect
import re

import pytest

from compress_core import errors
from compress_core.errors import ModelOptError


def drawn() -> dict[str, str]:
    """Class → base class, as the module's docstring draws them."""
    path: list[str] = ["Exception"]
    found: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"^ {4}([│├└─ ]*)(\w+Error)\b", line)
        if branch is not None:
            depth = 1 + len(branch[1]) // 3
            found[branch[2]] = path[depth - 1]
            path[depth:] = [branch[2]]
    return found


def test_the_drawn_tree_is_the_real_one() -> None:
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    assert drawn() == {name: cls.__mro__[1].__name__ for name, cls in classes.items()}


@pytest.mark.parametrize("name", drawn())
def test_every_class_says_what_it_means(name: str) -> None:
    assert inspect.getdoc(getattr(errors, name)) != inspect.getdoc(Exception)
    assert vars(getattr(errors, name))["__doc__"]


def test_an_error_keeps_message_place_and_hint() -> None:
    error = ModelOptError("no", where="a.yaml:1:2", hint="yes")
    assert (error.message, error.where, error.hint) == ("no", "a.yaml:1:2", "yes")
    assert str(error) == "no (a.yaml:1:2)"


def test_an_error_without_a_place_is_its_message() -> None:
    assert str(ModelOptError("no")) == "no"
