"""An annotation of GitHub Actions that belongs to no line of a file.

Source: "Workflow commands for GitHub Actions" (form and escapes).
"""

from __future__ import annotations

from modelopt_cli.printable import printable

_LONGEST = 1000
_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def error_annotation(text: str, encoding: str) -> str:
    """The line that makes an error of the step of ``text``, whatever that holds."""
    return f"::error title=modelopt::{printable(text[:_LONGEST], encoding).translate(_ESCAPES)}\n"
