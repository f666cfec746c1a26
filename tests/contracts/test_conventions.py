"""Every convention: open about what it is, and blind to what is none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core import compress, from_config, open_weights, registry
from compress_core.conventions.base import Convention
from compress_core.errors import UsageError
from tests.contracts import zoo
from tests.contracts.promises import LAYOUTS, output_of, place, preset_of

CONVENTIONS: dict[str, type[Convention]] = registry.all_of("conventions")
each_convention = pytest.mark.parametrize("name", CONVENTIONS)


@each_convention
def test_a_convention_says_what_it_is_and_who_writes_it(name: str) -> None:
    cls = CONVENTIONS[name]
    assert issubclass(cls, Convention)
    assert cls.id == name
    assert len(cls.summary) > 10
    assert not cls.summary.endswith(".")
    assert cls.written_by
    assert cls.__doc__


@each_convention
def test_a_convention_is_no_layout_to_write_in(name: str) -> None:
    assert name not in LAYOUTS
    spec = {"version": 1, "output": {"layout": name}}
    with pytest.raises(UsageError, match=f"unknown layout: '{name}'") as caught:
        from_config(spec)
    assert f"{name} is a convention" in str(caught.value.hint)


@each_convention
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_convention_does_not_recognise_what_layouts_write(
    name: str, layout: str, tmp_path: Path
) -> None:
    source = place(tmp_path, "in", layout, zoo.shapes(), zoo.METADATA)
    held = LAYOUTS[layout](allow_unread=True)
    plain = {"bits": 8} if held.keeps_values else {"preset": preset_of(held)}
    passes = [{"pass": "quantize", **plain}]
    spec = from_config({"version": 1, "passes": passes, "output": output_of(layout)})
    compress(source, tmp_path / "out.safetensors", spec)
    for path in (source, tmp_path / "out.safetensors"):
        with open_weights(path) as reader:
            assert CONVENTIONS[name].open(reader) is None
            assert not [note for note in reader.notes if name in note]
