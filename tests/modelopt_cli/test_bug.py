"""What nobody expected."""

from __future__ import annotations

from modelopt_cli.bug import as_bug


def test_a_bug_asks_for_a_report() -> None:
    error = as_bug(ZeroDivisionError("division by zero"))
    assert error.message == "this is a bug in modelopt: ZeroDivisionError: division by zero"
    assert "report" in str(error.hint)
