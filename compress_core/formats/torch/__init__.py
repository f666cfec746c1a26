"""PyTorch: what ``torch.save`` writes, read as data.

Such files hold a pickle, which is a program. It is read here by a loop of our own over an
allow-list of opcodes and names, without torch, and nothing in it is run.
"""

from __future__ import annotations

import re
from pathlib import Path

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.formats.base import Format
from compress_core.inputs import InputFile

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")
_MEMBER = re.compile(
    rb"[^/]+/(data\.pkl|constants\.pkl|version|byteorder|\.format_version|\.storage_alignment"
    rb"|(data|\.data|code|constants|extra)/.*)",
    re.DOTALL,
)


class Torch(Format):
    """One file of ``torch.save``: a zip archive, or a row of pickles (before torch 1.6).

    Source: torch 2.13, ``torch/serialization.py`` and ``torch/_weights_only_unpickler.py``;
    stricter wherever two readers could understand a file differently.
    """

    id = "torch"
    summary = "PyTorch: .pt .pth .bin, zip and legacy"
    suffixes = (".pt", ".pth", ".pth.tar", ".bin", ".ckpt")

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """A pickle, or a zip archive whose first member or own name is like those of PyTorch."""
        if head.startswith(_ZIP):
            is_called_so = path.name.lower().endswith(cls.suffixes)
            return is_called_so or _MEMBER.fullmatch(_first_member(head)) is not None
        return head[:1] == _PICKLE and head[1:2] in _PROTOCOLS

    @classmethod
    def open(cls, path: Path) -> Reader:
        return _open(path, None)

    @classmethod
    def takes_key(cls, path: Path) -> bool:
        """Trainers keep several sets of weights in one file."""
        return True

    @classmethod
    def open_at(cls, path: Path, key: str) -> Reader:
        """Open the weights under a key, such as ``model.ema``; ``"."`` is everything.

        :param key: dots at its end mean nothing, and are left away.
        :raises UsageError: no tensors are there; the hint says where some are.
        """
        return _open(path, key.rstrip(".") or key)


def _first_member(head: bytes) -> bytes:
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length]


def _open(path: Path, key: str | None) -> Reader:
    # every format is asked whether it knows a file; only the one that does needs its readers
    from compress_core.formats.torch.legacy import open_legacy
    from compress_core.formats.torch.reader import read_weights
    from compress_core.formats.torch.zipped import open_zip

    file = InputFile(path)
    try:
        head = file.read(0, min(file.size, 4))
        if head == _ZIP:
            checkpoint = open_zip(file)
        elif head[:1] == _PICKLE:
            checkpoint = open_legacy(file)
        else:
            raise FormatError(f"not a PyTorch file ({file.size} bytes)", where=str(path))
        return read_weights(file, checkpoint, key)
    except BaseException:
        file.close()
        raise
