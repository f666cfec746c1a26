"""The record that files keep of themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.errors import FormatError
from compress_core.layouts._served.record import ERRORS_KEY, Recorder
from compress_core.tensors import Form, TensorInfo

RECORDER = Recorder("some")
BF16 = DTYPES["BF16"]
TOUCHED = {"a.weight": (TensorInfo("a.weight", BF16, (2, 2), 8), Form(BF16))}


def written(**changed: Any) -> dict[str, str]:
    strings = RECORDER.describe(TOUCHED, {"b.weight": "a.weight"}, {"version": 1}, "0.1", {})
    record = json.loads(strings[RECORDER.key]) | changed
    return {**strings, RECORDER.key: json.dumps(record)}


def test_what_is_written_is_read() -> None:
    found = RECORDER.read({"one": {"format": "pt", **written()}, "other": {"format": "pt"}})
    assert found.dtypes == {"a.weight": BF16}
    assert found.aliases == {"b.weight": "a.weight"}
    assert found.errors == {"a.weight": (0.0, 0.0, 0.0, 0)}
    assert found.config == {}


def test_a_file_of_another_layout_has_no_record() -> None:
    files = {"one": written()}
    assert RECORDER.is_in(files)
    assert not Recorder("other").is_in(files)
    assert Recorder("other").read(files).dtypes == {}


def test_the_rest_of_the_metadata_is_kept() -> None:
    assert RECORDER.without({"one": {"format": "pt", **written()}}) == {"one": {"format": "pt"}}


@pytest.mark.parametrize("before", [{}, {"format": "pt"}, {"format": "np"}, {"format": "mlx"}])
def test_the_format_of_the_input_comes_back(before: dict[str, str]) -> None:
    strings = {**before, "format": "mlx", **RECORDER.describe_format(before, "mlx")}
    assert RECORDER.without({"one": strings | written()}) == {"one": before}


def test_the_usual_format_takes_the_place_of_any_without_a_record() -> None:
    assert RECORDER.describe_format({"format": "np"}, "pt") == {}


def test_two_files_may_not_describe_one_tensor() -> None:
    with pytest.raises(FormatError, match="two files"):
        RECORDER.read({"one": written(), "other": written()})


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"tensors": ["a.weight"]},
        {"tensors": {"a.weight": "I8"}},
        {"tensors": {"a.weight": 3}},
        {"tensors": {}},
        {"aliases": {"b.weight": 1}},
        {"config": []},
        {"symmetric": "a.weight"[:1]},
        {"symmetric": [[]]},
        {"symmetric": 4},
    ],
)
def test_a_damaged_record_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        RECORDER.read({"one": written(**changed)})


def test_errors_have_the_width_that_they_will_have() -> None:
    before = written()[ERRORS_KEY]
    assert json.loads(before) == [[0.0, 0.0, 0.0, 0]]
    assert len(before) > 90
