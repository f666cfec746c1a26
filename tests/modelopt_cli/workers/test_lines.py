"""JSON lines through a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from modelopt_cli.workers.lines import LineReader, write_line


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for file in (reading, writing):
        try:
            os.close(file)
        except OSError:
            continue


def test_there_and_back(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    reader = LineReader(reading)
    said = {"name": os.fsdecode(b"\xff \n") + "é", "share": 0.5}
    write_line(writing, said)
    write_line(writing, {})
    assert reader.read() == [said, {}]


def test_a_line_may_come_in_pieces(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    reader = LineReader(reading)
    for piece, lines in (
        ('{"a"', []),
        (": 1}", []),
        ('\n{"b": 2', [{"a": 1}]),
        ("}\n", [{"b": 2}]),
    ):
        os.write(writing, piece.encode())
        assert reader.read() == lines


def test_the_end(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(writing)
    assert LineReader(reading).read() is None


def test_nobody_reads(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        write_line(writing, {})
