"""Open a folder as what its codes stand for, or say why that is not done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from compress_core.container import Reader
from compress_core.layouts._served.quantization import KEYS, without_quantization
from compress_core.layouts._served.reader import ServedReader
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight
from compress_core.logical import located


def open_coded(
    stored: Reader,
    recorder: Recorder,
    coded: Callable[[], Mapping[str, CodedWeight]],
    left_out: Collection[str] = (),
    keys: Collection[str] = KEYS,
) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``, with a note: it is not decoded here.

    :param coded: finds the weights with codes.
    :param left_out: parts that stand for nothing in plain weights.
    :param keys: of ``config.json``, those that describe the codes.
    :raises FormatError: it is damaged.
    """
    before = None if stored.config is None else without_quantization(stored.config, keys)
    try:
        with located(stored.path):
            return ServedReader(stored, coded(), recorder, before, left_out)
    except NotDecodedError as error:
        not_decoded(stored, recorder.layout, str(error))
        return None


def not_decoded(stored: Reader, kind: str, said: str) -> None:
    """Say of codes of what kind they are, and why they are not decoded here."""
    stored.undecoded = said
    stored.notes = [*stored.notes, f"{kind}, and not decoded here: {said}"]


def open_recorded(stored: Reader, recorder: Recorder) -> Reader | None:
    """A reader of a file of ours that has no codes: its tensors were pruned and nothing else.

    :raises FormatError: it is damaged.
    """
    return open_coded(stored, recorder, dict) if recorder.is_in(stored.metadata) else None
