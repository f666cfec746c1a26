"""Texts: what is a text, which are held out, and which run together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import FormatError, InputError
from compress_core.gathering.texts import Batch, Texts


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "texts.txt"
    path.write_bytes(data)
    return path


def test_every_fifth_text_is_held_out_and_empty_lines_are_none(tmp_path: Path) -> None:
    found = Texts.read(_file(tmp_path, b"a\n\nb\r\n  \nc\nd\ne\nf\ng\nh\ni\nj"), 0.2)
    assert [line.strip() for line in found.lines] == list("abcdefghij")
    assert [line.strip() for line, out in zip(found.lines, found.held_out, strict=True) if out] == [
        "e",
        "j",
    ]
    assert found.held_out_count == 2
    assert Texts.read(tmp_path / "texts.txt", 0).held_out_count == 0


@pytest.mark.parametrize(
    ("data", "share", "message"),
    [
        (b"", 0.0, "0 texts are too few: 1 or more"),
        (b"\n \n", 0.5, "0 texts are too few: 2 or more"),
        (b"a\nb\nc\nd", 0.2, "4 texts are too few: 5 or more"),
    ],
)
def test_too_few_texts_are_refused(data: bytes, share: float, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        Texts.read(_file(tmp_path, data), share)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        Texts.read(_file(tmp_path, b"\xff\xfe"), 0)
    with pytest.raises(InputError, match="no such file"):
        Texts.read(tmp_path / "absent.txt", 0)
    with pytest.raises(InputError, match="a folder, not a regular file"):
        Texts.read(tmp_path, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())), st.integers(1, 4))
def test_batches_hold_each_text_once_with_others_of_its_length_and_part(
    drawn: list[tuple[int, bool]], size: int
) -> None:
    tokens = [tuple([at] * length) for at, (length, _) in enumerate(drawn)]
    texts = Texts(("x",) * len(drawn), tuple(out for _, out in drawn))
    batches = texts.batches(tokens, size)
    assert sorted(one for batch in batches for one in batch.tokens) == sorted(filter(None, tokens))
    for batch in batches:
        assert 1 <= len(batch.tokens) <= size
        assert len({len(one) for one in batch.tokens}) == 1
        assert {texts.held_out[one[0]] for one in batch.tokens} == {batch.held_out}
    assert batches == texts.batches(tokens, size)
    assert all(isinstance(batch, Batch) for batch in batches)
