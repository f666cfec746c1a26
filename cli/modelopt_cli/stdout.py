"""stdout, which takes the result: all of it, or an error."""

from __future__ import annotations

import os

from compress_core.errors import OutputError
from modelopt_cli.printable import encodable

TYPE_CHECKING = False  # importing `typing` takes half of the time that `--version` has
if TYPE_CHECKING:
    from typing import TextIO


class ReaderGoneError(Exception):
    """Nobody reads stdout any more, as after ``| head``."""


def write_result(stream: TextIO | None, text: str) -> None:
    """Write to stdout, and be sure that it arrived.

    :param stream: ``None`` where it was closed before Python started.
    :raises ReaderGoneError: the other end of the pipe is closed.
    :raises OutputError: stdout takes no more.
    """
    if stream is None:
        raise ReaderGoneError
    try:
        stream.write(encodable(text, encoding_of(stream)))
        stream.flush()
    except BrokenPipeError:
        _abandon(stream)
        raise ReaderGoneError from None
    except OSError as error:
        _abandon(stream)
        raise OutputError(
            f"cannot write the result: {error.strerror}",
            where="stdout",
            hint="send it to another disk: > FILE",
        ) from None


def encoding_of(stream: TextIO | None) -> str:
    """What the characters of a stream become."""
    return getattr(stream, "encoding", None) or "utf-8"


def _abandon(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, or Python would complain once more at its end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
