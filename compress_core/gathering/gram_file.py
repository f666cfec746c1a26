"""A Gram file that is written layer by layer, before it is known which layers get anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from compress_core.atomic import PartFile
from compress_core.errors import NonFiniteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.gathering.moments import Moments

SAMPLES: Mapping[bool, str] = {False: "", True: "held_out."}
"""Whether inputs are held out → what stands before the parts of their moments."""

_PARTS = ("gram", "mean", "count")
_LONGEST_ENTRY = 160
"""Bytes of a member in the header beside its name: dtype, shape and places, with room to spare."""


class Sized(Protocol):
    """A layer that moments may be written of."""

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> int: ...


class GramFile:
    """A safetensors file whose header has room for the moments of all layers.

    :param layers: those that moments may come of.
    :raises OutputExistsError: the target exists and must not be replaced.
    :raises OutputError: its folder is missing or cannot be written to.
    """

    def __init__(self, target: Path, layers: Iterable[Sized], *, replace: bool) -> None:
        self._where = str(target)
        self._header: dict[str, Any] = {}
        names = [json.dumps(one.name) for one in layers for _ in SAMPLES for _ in _PARTS]
        room = 2 + sum(len(name) + _LONGEST_ENTRY for name in names)
        self._room = -(-room // 8) * 8
        self._end = 0
        self._file = PartFile(target, replace=replace)

    def append(self, name: str, samples: Mapping[bool, Moments]) -> bool:
        """The moments of a layer; whether it has got any inputs that are not held out.

        :raises NonFiniteError: what it got is not finite, or beyond float32.
        """
        import numpy as np

        if not samples[False].count:
            return False
        for held_out, moments in samples.items():
            if moments.count:
                prefix = f"{name}.{SAMPLES[held_out]}"
                with np.errstate(over="ignore", invalid="ignore"):
                    gram, mean = moments.gram, moments.mean
                if not (np.isfinite(gram).all() and np.isfinite(mean).all()):
                    raise NonFiniteError(
                        f"layer {name} gets NaN, infinity or numbers beyond float32",
                        where=self._where,
                    )
                self._put(f"{prefix}gram", "F32", gram)
                self._put(f"{prefix}mean", "F32", mean)
                self._put(f"{prefix}count", "I64", np.array(moments.count, "<i8"))
        return True

    def _put(self, name: str, code: str, array: NDArray[np.generic]) -> None:
        data = array.tobytes()
        start, self._end = self._end, self._end + len(data)
        self._header[name] = {
            "dtype": code,
            "shape": list(array.shape),
            "data_offsets": [start, self._end],
        }
        self._file.pwrite(data, 8 + self._room + start)

    def commit(self) -> None:
        """Write the header, and let the file appear.

        :raises OutputError: the disk says no.
        """
        text = json.dumps(self._header, separators=(",", ":")).encode().ljust(self._room)
        self._file.pwrite(self._room.to_bytes(8, "little") + text, 0)
        self._file.commit()

    def __enter__(self) -> GramFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.abort()
