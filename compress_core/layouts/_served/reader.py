"""The way back: a reader of the logical tensors of a folder that servers read.

No NumPy here: what the tensors are is known from headers and ``config.json``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.layouts._served.record import Record, Recorder
from compress_core.layouts._served.weight import CodedWeight
from compress_core.logical import LogicalReader, located
from compress_core.report import ErrorResult
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from compress_core.tiles import Quantized


class ServedReader(LogicalReader):
    """Logical tensors of a folder, some of which are stored as codes.

    :param recorder: of the layout whose record, if there is one, tells dtypes and errors.
    :param config: ``config.json`` without what the codes are.
    :param left_out: parts that stand for nothing in plain weights.
    :raises FormatError: parts, record and config do not belong together.
    """

    def __init__(
        self,
        stored: Reader,
        coded: Mapping[str, CodedWeight],
        recorder: Recorder,
        config: Mapping[str, Any] | None,
        left_out: Collection[str] = (),
    ) -> None:
        recorded = recorder.read(stored.metadata)
        super().__init__(stored, coded, recorded.aliases)
        self._coded = coded
        self._left_out = left_out
        self.metadata = recorder.without(stored.metadata)
        self.config = None if config is None else _as_before(config, recorded)
        left = f"{len(left_out)} scales of activations are left out"
        self.notes = [*stored.notes, *([left] if left_out else [])]
        infos, shards = self._logical()
        self.add_aliases(infos, shards)
        self.infos, self.shards = infos, shards
        owners = {name: self.owner(name) for name in infos}
        changed = {name: Form(dtype, moved=True) for name, dtype in recorded.dtypes.items()}
        forms = changed | {name: one.form for name, one in coded.items()}
        self.forms = {name: forms[owner] for name, owner in owners.items() if owner in forms}
        self.errors = {
            name: ErrorResult(*recorded.errors[owner][:3])
            for name, owner in owners.items()
            if owner in recorded.errors
        }
        self._check(recorded)

    def has_codes(self, name: str) -> bool:
        found = self._coded.get(self.owner(name))
        # where they stand for values in a way of their own, another layout would misread them
        return found is not None and found.scheme == found.form.scheme

    def codes(self, name: str, start: int, stop: int) -> Quantized:
        with located(self.path / self.shards[name]):
            return self._coded[self.owner(name)].quantized(start, stop)

    def _logical(self) -> tuple[dict[str, TensorInfo], dict[str, str]]:
        """Tensors and their files, in the order of the parts, which stand for their tensors."""
        owner = {part: name for name, one in self._coded.items() for part in one.part_names}
        infos: dict[str, TensorInfo] = {}
        shards: dict[str, str] = {}
        for part, stored in self.stored.infos.items():
            if part in self._left_out:
                continue
            name = owner.get(part, part)
            if name in self._coded and part not in owner:
                raise FormatError("stored twice", where=name)
            infos[name] = self._coded[name].info if part in owner else stored
            shards.setdefault(name, self.stored.shards[part])
        return infos, shards

    def _check(self, recorded: Record) -> None:
        for name, dtype in recorded.dtypes.items():
            if name not in self.infos or self.infos[name].dtype != dtype:
                raise FormatError(f"recorded as {dtype}, and is not there or is not", where=name)


def _as_before(config: Mapping[str, Any], recorded: Record) -> dict[str, Any]:
    """What a config said before, where it is recorded; ``None`` is recorded of what it lacked."""
    before = {**config, **recorded.config}
    absent = {key for key, value in recorded.config.items() if value is None}
    return {key: value for key, value in before.items() if key not in absent}
