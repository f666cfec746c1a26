"""What nobody expected, in the words of an error."""

from __future__ import annotations

from compress_core.errors import ModelOptError


def as_bug(error: Exception) -> ModelOptError:
    """The error to show for an exception that is none of the tool's own."""
    return ModelOptError(
        f"this is a bug in modelopt: {type(error).__name__}: {error}",
        hint="please report it, with what the same command prints with -v",
    )
