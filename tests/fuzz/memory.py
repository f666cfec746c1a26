"""Input files that stand in memory, so that a fuzzer can read a thousand of them in a second."""

from __future__ import annotations

from pathlib import Path

from compress_core.inputs import InputFile


class MemoryFile(InputFile):
    """Bytes that are read like a file.

    A reader that asks for more than there is would be told that the file has changed. In memory
    nothing changes, so here it is a bug of the reader.
    """

    def __init__(self, content: bytes, name: str = "fuzzed") -> None:
        self.path = Path(name)
        self.size = len(content)
        self._content = content

    def read_into(self, buffer: memoryview, start: int) -> None:
        self._check(start, len(buffer))
        buffer[:] = self._content[start : start + len(buffer)]

    def close(self) -> None:
        pass

    def _check(self, start: int, length: int) -> None:
        if not 0 <= start <= start + length <= self.size:
            raise AssertionError(f"bytes {start}:{start + length} of {self.size} are read")


class ZeroFile(MemoryFile):
    """A file of any size that is all zeros, and takes no memory."""

    def __init__(self, size: int, name: str = "fuzzed") -> None:
        super().__init__(b"", name)
        self.size = size

    def read_into(self, buffer: memoryview, start: int) -> None:
        self._check(start, len(buffer))
        buffer[:] = bytes(len(buffer))
