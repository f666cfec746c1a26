"""Copy what only comes in order into a region of the spool."""

from __future__ import annotations

from compress_core.errors import FormatError
from compress_core.views.source import Sequential
from compress_core.views.spool import Region


def unpack(source: Sequential, where: str, region: Region) -> None:
    """Write all the bytes of a source as they come.

    :param where: the file that is read, for messages.
    :raises InputError: they are damaged, or not as many as was said.
    """
    done = 0
    for chunk in source.chunks():
        if done + len(chunk) > source.size:
            raise FormatError(f"compressed data hold more than {source.size} bytes", where=where)
        region.write(memoryview(chunk), done)
        done += len(chunk)
    if done != source.size:
        said = f"compressed data hold {done} bytes, not {source.size}"
        raise FormatError(said, where=where)
