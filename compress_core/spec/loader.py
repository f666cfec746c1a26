"""A spec file: read within limits, and nothing in it that two readers could take differently."""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path

from compress_core.errors import InputError, SpecError
from compress_core.inputs import InputFile
from compress_core.near import shown
from compress_core.spec.config import build
from compress_core.spec.model import Spec

MAX_BYTES = 1_000_000

# what is invisible, turns the direction of text, or ends a line for one reader and not for another
_SURPRISE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


def load(path: str | os.PathLike[str]) -> Spec:
    """The spec in a YAML file of at most 1 MB.

    :raises SpecError: the file cannot be read or breaks the grammar; ``where`` is
        ``file:line:column  path``.
    """
    name = os.fspath(path)
    return loads(_decode(_read(name), name), name)


def loads(text: str, name: str = "spec") -> Spec:
    """The spec in a YAML text that messages call ``name``.

    :raises SpecError: as :func:`load`.
    """
    from compress_core.spec.document import parse  # brings the YAML parser

    _check_characters(text, name)
    data, place = parse(text, name)
    return build(data, place)


def _read(name: str) -> bytes:
    try:
        with closing(InputFile(Path(name))) as file:
            if file.size > MAX_BYTES:
                raise SpecError(
                    "the spec is larger than 1 MB", where=name, hint="name tensors by patterns"
                )
            return file.read(0, file.size)
    except InputError as error:
        # what was asked for is wrong, not the weights
        raise SpecError(f"the spec cannot be read: {error.message}", where=name) from error


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        raise SpecError(
            f"byte 0x{error.object[error.start]:02x} is not UTF-8",
            where=_where(name, before),
            hint="save the file as UTF-8",
        ) from None


def _check_characters(text: str, name: str) -> None:
    found = _SURPRISE.search(text) or re.search("\t", text)
    if found is None:
        return
    where = _where(name, text[: found.start()])
    if found[0] == "\t":
        raise SpecError("a tab", where=where, hint="indent with spaces")
    raise SpecError(
        f"a character that cannot be seen: {shown(found[0])}",
        where=where,
        hint="delete it, or write it as an escape in double quotes",
    )


def _where(name: str, before: str) -> str:
    lines = re.split("\r\n|\r|\n", before)
    return f"{name}:{len(lines)}:{len(lines[-1]) + 1}"
