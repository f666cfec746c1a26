"""What there is to choose from."""

from __future__ import annotations

import pytest

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import options_of
from compress_core.presets import PRESETS
from modelopt_cli.catalogue import KINDS, entries, entry, ids, written

ALL = [(kind, name) for kind in KINDS for name in ids(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_everything_has_a_name_and_a_line(kind: str, name: str) -> None:
    found = entry(kind, name)
    assert found.id == name
    assert len(found.summary) > 10
    assert "\n" not in found.summary
    assert found in entries(kind)


@pytest.mark.parametrize("name", registry.names("passes"))
def test_a_pass_has_its_options(name: str) -> None:
    own = options_of(registry.get("passes", name))
    settings = entry("passes", name).settings
    assert {one.name: (one.described, one.value) for one in settings} == own


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_what_it_sets(name: str) -> None:
    found = entry("presets", name.lower())
    assert found.id == name
    assert {one.name: one.value for one in found.settings} == PRESETS[name]
    quantize = registry.get("passes", "quantize")
    words = found.summary.split()[1:]
    assert [word.partition("=")[0] for word in words] == list(PRESETS[name])
    assert all(one.described == options_of(quantize)[one.name][0] for one in found.settings)


def test_layouts_say_who_reads_them() -> None:
    assert entry("layouts", "packed").facts["read_by"] == "modelopt restore"
    assert entry("layouts", "dense").facts["saves_bytes"] == "only by a cast"


def test_formats_say_whether_they_are_written() -> None:
    assert entry("formats", "safetensors").facts["use"] == "read and written"


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("pases", "prune", "did you mean passes?"),
        ("schemes", "integer", "there are: passes, presets, layouts, formats, conventions"),
        ("passes", "prun", "did you mean prune?"),
        ("layouts", "pakced", "did you mean packed?"),
        ("formats", "foldr", "did you mean folder?"),
        ("presets", "W4A61", "did you mean W4A16?"),
        ("presets", "NVFP4", "use NVFP4A16"),
    ],
)
def test_near_names(kind: str, name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        entry(kind, name)
    assert caught.value.hint == hint


def test_values_are_written_as_in_a_spec() -> None:
    assert [written(value) for value in (True, 4, 0.5, "auto")] == ["true", "4", "0.5", "auto"]
