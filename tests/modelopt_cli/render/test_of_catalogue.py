"""Lists of what there is."""

from __future__ import annotations

import pytest

from compress_core import registry
from modelopt_cli.catalogue import KINDS, entries, entry, ids
from modelopt_cli.render import formats, renderer
from modelopt_cli.render.base import Look
from modelopt_cli.render.of_catalogue import Details, Listing

LISTINGS = [Listing(kind, entries(kind)) for kind in KINDS]
DETAILS = [Details(kind, (entry(kind, name),)) for kind in KINDS for name in ids(kind)]


@pytest.mark.parametrize("result", [*LISTINGS, *DETAILS])
def test_every_format_shows_every_list(result: Listing) -> None:
    for name in formats():
        text = renderer(name).render(result, Look())
        (sheet,) = result.sheets()
        assert sheet.rows[0].cells[0].lower() in text.lower()
        assert name != "table" or all(len(line) <= 80 for line in text.splitlines())
    assert len({tuple(record) for record in result.records()}) == 1


def test_a_list() -> None:
    (sheet,) = Listing("passes", entries("passes")).sheets()
    assert [column.title for column in sheet.columns] == ["Passes", "Summary"]
    assert [row.cells[0] for row in sheet.rows] == list(registry.names("passes"))


def test_a_pass_shows_defaults_meanings_and_what_is_accepted() -> None:
    (sheet,) = Details("passes", (entry("passes", "prune"),)).sheets()
    rows = {row.cells[0]: row.cells[1:] for row in sheet.rows}
    assert rows["norm"] == ("l2", "score of a structure larger than an element: l1, l2, max")
    assert rows["sparsity"] == (
        "required, or threshold",
        "share that becomes zero: a number from 0 to 1",
    )


def test_a_preset_shows_what_it_sets() -> None:
    (sheet,) = Details("presets", (entry("presets", "W4A16_ASYM"),)).sheets()
    assert ("symmetric", "false", "no zero point") in [row.cells for row in sheet.rows]


def test_json_has_everything_apart() -> None:
    found = Details("passes", (entry("passes", "quantize"),)).to_json()
    assert found["schema"] == "modelopt.list/1"
    options = {option["name"]: option for option in found["entries"][0]["options"]}
    assert options["group_size"] == {
        "name": "group_size",
        "value": None,
        "otherwise": "channel; affine and nf4 64, mxfp4 and mxfp8 32, nvfp4 16",
        "type": "int",
        "choices": ["channel", "tensor"],
        "minimum": 1,
        "maximum": None,
        "accepts": "a whole number of 1 or more, channel, tensor",
        "meaning": "columns that share a scale",
    }
