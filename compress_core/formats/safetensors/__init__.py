"""safetensors: the format of nearly all published weights, one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress_core.container import Reader, Writer
from compress_core.formats.base import Format
from compress_core.formats.safetensors.header import MAX_HEADER, PREFIX

if TYPE_CHECKING:
    from compress_core.formats.safetensors.reader import SafetensorsReader


class Safetensors(Format):
    """One ``.safetensors`` file.

    Source: https://github.com/huggingface/safetensors, version 0.8; the library itself has the last
    word on every header.
    """

    id = "safetensors"
    summary = "one safetensors file"
    suffixes = (".safetensors",)
    trusted = True

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        length = int.from_bytes(head[:PREFIX], "little")
        return head[PREFIX : PREFIX + 1] == b"{" and length <= MAX_HEADER

    @classmethod
    def open(cls, path: Path) -> SafetensorsReader:
        from compress_core.formats.safetensors.reader import SafetensorsReader

        return SafetensorsReader(path)

    @classmethod
    def writer(cls, target: Path, source: Reader, *, replace: bool) -> Writer:
        from compress_core.formats.safetensors.writer import SafetensorsWriter

        return SafetensorsWriter(target, source, replace=replace)
