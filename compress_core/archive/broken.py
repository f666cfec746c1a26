"""The error for an archive that breaks a rule."""

from __future__ import annotations

from compress_core.errors import FormatError


def broken(said: str, where: str) -> FormatError:
    """What is said of an archive, and what helps whatever it is.

    :param where: the file.
    """
    hint = "copy or download it again, or save it again where it was made"
    return FormatError(said, where=where, hint=hint)
