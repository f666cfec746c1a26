"""Click's usage errors in the words of this tool."""

from __future__ import annotations

import click

from compress_core.errors import UsageError


def in_our_words(error: click.UsageError) -> UsageError:
    """``error`` as one of the core's: a line without a full stop, and something to type."""
    message = (
        error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    ).strip()
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=_hint(error))


def _hint(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"did you mean {error.possibilities[0]}?"
    command = error.ctx.command_path if error.ctx is not None else "modelopt"
    return f"see {command} --help"
