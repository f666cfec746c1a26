"""An error as GitHub Actions wants it."""

from __future__ import annotations

from modelopt_cli.annotation import error_annotation


def test_one_line_that_cannot_begin_another_command() -> None:
    line = error_annotation("50% of\r\n::stop-commands::x", "utf-8")
    assert line == "::error title=modelopt::50%25 of\\r\\n::stop-commands::x\n"


def test_long_texts_are_cut() -> None:
    assert len(error_annotation("x" * 10_000, "utf-8")) < 1100


def test_what_the_stream_cannot_write_has_a_twin() -> None:
    assert error_annotation("≤ 1", "ascii") == "::error title=modelopt::<= 1\n"
