"""What a file says of itself besides: dtypes and errors of its layers, and of the run.

No reader but this tool looks at it, and without it everything is read as well: dtypes are then
taken from ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from compress_core.dtypes import DTYPES, DType
from compress_core.errors import FormatError
from compress_core.recorded import Sums, errors_text, parsed, read_errors
from compress_core.tensors import Form, TensorInfo

ERRORS_KEY = "modelopt.errors"
FORMAT_KEY = "modelopt.format"
_FORMAT = "format"
_USUAL = "pt"  # what nearly all files of plain weights say, or nothing
VERSION = 1


@dataclass
class Record:
    """What files record of their tensors.

    :ivar dtypes: tensor → the dtype that it is decoded to.
    :ivar errors: tensor → its sums.
    :ivar aliases: other name → the tensor that it stood for.
    :ivar config: values of ``config.json`` before, where they are others now.
    :ivar symmetric: tensors whose codes are symmetric integers, where parts do not tell.
    """

    dtypes: dict[str, DType] = field(default_factory=dict)
    errors: dict[str, Sums] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    symmetric: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Recorder:
    """Writes and reads the record of one layout.

    :ivar layout: its id.
    """

    layout: str

    @property
    def key(self) -> str:
        """What the record stands under in the metadata of a file."""
        return f"modelopt.{self.layout}"

    def describe(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        tool: str,
        config: Mapping[str, Any],
        symmetric: Sequence[str] = (),
    ) -> dict[str, str]:
        """Both strings for a file that holds ``touched``; the errors have their final width.

        :param config: values of ``config.json`` that will be others.
        :param symmetric: see :class:`Record`.
        """
        record: dict[str, Any] = {
            "version": VERSION,
            "tool": tool,
            "spec": dict(spec),
            "tensors": {name: form.dtype.code for name, (_, form) in touched.items()},
        }
        record |= {"aliases": dict(aliases)} if aliases else {}
        record |= {"config": dict(config)} if config else {}
        record |= {"symmetric": list(symmetric)} if symmetric else {}
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        return {self.key: text, ERRORS_KEY: errors_text([(0.0, 0.0, 0.0, 0)] * len(touched))}

    def is_in(self, files: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether any file of a checkpoint has a record."""
        return any(self.key in strings for strings in files.values())

    def read(self, files: Mapping[str, Mapping[str, str]]) -> Record:
        """What all files of a checkpoint record; nothing, if another tool wrote them.

        :raises FormatError: a record is damaged, or of a version that is not known.
        """
        found = Record()
        for strings in files.values():
            if self.key in strings:
                self._adopt(found, parsed(strings[self.key], self.key), strings)
        return found

    def describe_format(self, before: Mapping[str, str], written: str) -> dict[str, str]:
        """The string ``format`` of a file of the input, if ``written`` takes the place of it.

        :param before: metadata of the input; without ``format`` it is recorded as empty.
        """
        said = before.get(_FORMAT, "")
        return {} if written in (_USUAL, said) else {FORMAT_KEY: said}

    def without(self, files: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        """The metadata of all files as they were: without the record."""
        return {file: self._without(strings) for file, strings in files.items()}

    def _without(self, strings: Mapping[str, str]) -> dict[str, str]:
        own = (self.key, ERRORS_KEY, FORMAT_KEY)
        found = {key: said for key, said in strings.items() if key not in own}
        before = strings.get(FORMAT_KEY)
        if before is None:
            return found
        found.pop(_FORMAT, None)
        return found | ({_FORMAT: before} if before else {})

    def _adopt(self, found: Record, record: Any, strings: Mapping[str, str]) -> None:
        if not isinstance(record, dict) or record.get("version") != VERSION:
            version = record.get("version") if isinstance(record, dict) else None
            said = f"{self.key} of version {version!r:.20}, and this tool reads version {VERSION}"
            raise FormatError(said, hint="update modelopt")
        tensors = self._strings_of(record, "tensors")
        sums = read_errors(strings.get(ERRORS_KEY, "[]"), ERRORS_KEY)
        if len(sums) != len(tensors):
            raise FormatError(f"{ERRORS_KEY} tells of {len(sums)} tensors, not {len(tensors)}")
        for (name, code), row in zip(tensors.items(), sums, strict=True):
            if code not in DTYPES or not DTYPES[code].is_weight:
                raise FormatError(f"{self.key} has the dtype {code!r:.20}", where=name)
            if name in found.dtypes:
                raise FormatError("described by two files", where=name)
            found.dtypes[name], found.errors[name] = DTYPES[code], row
        found.aliases |= self._strings_of(record, "aliases")
        found.config |= self._object_of(record, "config")
        found.symmetric |= self._some_of(tensors, record.get("symmetric", []))

    def _strings_of(self, record: Mapping[str, Any], key: str) -> dict[str, str]:
        given = self._object_of(record, key)
        if not all(isinstance(value, str) for value in given.values()):
            raise FormatError(f"{self.key}: {key} are not all strings")
        return given

    def _some_of(self, tensors: Mapping[str, str], given: Any) -> set[str]:
        listed = given if isinstance(given, list) else [given]
        if not all(isinstance(one, str) and one in tensors for one in listed):
            raise FormatError(f"{self.key}: symmetric are not tensors of it")
        return set(listed)

    def _object_of(self, record: Mapping[str, Any], key: str) -> dict[str, Any]:
        given = record.get(key, {})
        if not isinstance(given, dict):
            raise FormatError(f"{self.key}: {key} is no object")
        return given
