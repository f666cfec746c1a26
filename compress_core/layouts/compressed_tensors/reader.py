"""The way back: a reader of the logical tensors of a compressed-tensors folder.

No NumPy here, but for the two numbers of each ``weight_shape``: what the tensors are is known from
headers and ``config.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.layouts.compressed_tensors import record
from compress_core.layouts.compressed_tensors.groups import (
    Groups,
    beyond,
    quantization_of,
    without_quantization,
)
from compress_core.layouts.compressed_tensors.undecoded import NotDecodedError
from compress_core.layouts.compressed_tensors.weights import (
    CodedWeight,
    coded_weight,
    modules_of,
    parts_of_inputs,
    usual_dtype,
)
from compress_core.logical import LogicalReader, located
from compress_core.report import ErrorResult
from compress_core.tensors import Form, TensorInfo


def opened(stored: Reader) -> Reader | None:
    """A reader of what ``stored`` stands for; ``None``: it is of another kind, or not decoded here.

    :raises FormatError: it is damaged.
    """
    config = quantization_of(stored.config)
    if config is None or not modules_of(stored):
        # with tensors that are pruned and nothing else, the record is all there is
        own = any(record.KEY in strings for strings in stored.metadata.values())
        return _read(stored, None) if config is None and own else None
    said = beyond(config)
    if said is None:
        try:
            return _read(stored, config)
        except NotDecodedError as error:
            said = str(error)
    stored.notes = [*stored.notes, f"compressed-tensors, and not decoded here: {said}"]
    return None


def _read(stored: Reader, config: Mapping[str, Any] | None) -> Reader:
    with located(stored.path):
        return CompressedTensorsReader(stored, None if config is None else Groups(config))


class CompressedTensorsReader(LogicalReader):
    """Logical tensors of a folder whose config describes codes.

    The dtype of a decoded weight is the one that the file records; for files of other tools, that
    of :func:`usual_dtype`.
    """

    def __init__(self, stored: Reader, groups: Groups | None) -> None:
        recorded = record.read_record(stored.metadata)
        coded = {} if groups is None else _decodable(stored, groups, recorded)
        super().__init__(stored, coded, recorded.aliases)
        self._coded = coded
        self.metadata = {
            file: {k: v for k, v in strings.items() if k not in (record.KEY, record.ERRORS_KEY)}
            for file, strings in stored.metadata.items()
        }
        self.config = _as_before(stored.config, recorded)
        self._left_out = parts_of_inputs(stored, stored.config or {})
        left = len(self._left_out)
        self.notes = [*stored.notes, *([f"{left} scales of activations are left out"] * bool(left))]
        infos, shards = self._logical()
        self.add_aliases(infos, shards)
        self.infos, self.shards = infos, shards
        owners = {name: self.owner(name) for name in infos}
        changed = {name: Form(dtype, moved=True) for name, dtype in recorded.dtypes.items()}
        forms = changed | {name: one.form for name, one in self._coded.items()}
        self.forms = {name: forms[owner] for name, owner in owners.items() if owner in forms}
        self.errors = {
            name: ErrorResult(*recorded.errors[owner][:3])
            for name, owner in owners.items()
            if owner in recorded.errors
        }
        self._check(recorded)

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

    def _check(self, recorded: record.Record) -> None:
        for name, dtype in recorded.dtypes.items():
            if name not in self.infos or self.infos[name].dtype != dtype:
                raise FormatError(f"recorded as {dtype}, and is not there or is not", where=name)


def _as_before(
    config: Mapping[str, Any] | None, recorded: record.Record
) -> Mapping[str, Any] | None:
    if config is None:
        return None
    before = without_quantization(config) | recorded.config
    absent = {key for key, value in recorded.config.items() if value is None}
    return {key: value for key, value in before.items() if key not in absent}


def _decodable(stored: Reader, groups: Groups, recorded: record.Record) -> dict[str, CodedWeight]:
    modules = modules_of(stored)
    usual = usual_dtype(stored, modules)
    found: dict[str, CodedWeight] = {}
    for name, group in groups.of(list(modules)):
        weight = f"{name}.weight"
        dtype = recorded.dtypes.get(weight, usual)
        found[weight] = coded_weight(modules[name], group, dtype)
    return found
