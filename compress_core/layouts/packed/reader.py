"""The way back: a reader of the logical tensors of a packed file or folder.

No NumPy here: what the tensors are is known from headers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.layouts.packed import record
from compress_core.layouts.packed.arrangement import Arrangement, candidates, parts
from compress_core.logical import LogicalReader, located
from compress_core.report import ErrorResult
from compress_core.sizes import human
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress_core.layouts.packed.decoder import Decoder


MOST_TIMES = 1000
ALWAYS = 1024**3
"""Weights may have ``MOST_TIMES`` the bytes of their files and ``ALWAYS``: more is not honest."""


class PackedReader(LogicalReader):
    """Logical tensors of a container whose metadata holds the record of this layout."""

    def __init__(self, stored: Reader) -> None:
        self._tensors: dict[str, PackedTensor] = {}
        aliases = {
            name: owner
            for file, strings in stored.metadata.items()
            for name, owner in _read_aliases(strings, stored.path / file).items()
        }
        super().__init__(stored, self._tensors, aliases)
        self.config = stored.config
        self.notes = stored.notes
        self.metadata = {
            file: {k: v for k, v in strings.items() if k not in (record.KEY, record.ERRORS_KEY)}
            for file, strings in stored.metadata.items()
        }
        self.errors: dict[str, ErrorResult] = {}
        for file, strings in stored.metadata.items():
            with located(self.path / file):
                self._adopt(strings)
        with located(self.path):
            infos, shards = self._logical()
            self.add_aliases(infos, shards)
            self.infos, self.shards = infos, shards
            self._check_proportion()
        owners = {name: self.owner(name) for name in infos}
        self.forms = {
            name: self._tensors[owner].form
            for name, owner in owners.items()
            if owner in self._tensors
        }
        recorded = self.errors
        self.errors = {name: recorded[owner] for name, owner in owners.items() if owner in recorded}

    def _adopt(self, strings: Mapping[str, str]) -> None:
        described = record.read_forms(strings) or {}
        sums = record.read_errors(strings)
        if len(sums) != len(described):
            raise FormatError(
                f"{record.ERRORS_KEY} tells of {len(sums)} tensors, not {len(described)}"
            )
        for name, (info, form) in described.items():
            if name in self._tensors:
                raise FormatError("described by two files", where=name)
            self._tensors[name] = PackedTensor(self.stored, info, form)
        for name, row in zip(described, sums, strict=True):
            self.errors[name] = ErrorResult(*row[:3])

    def _logical(self) -> tuple[dict[str, TensorInfo], dict[str, str]]:
        """Tensors and their files, in the order of the parts, which stand for their tensors."""
        owner = {part: name for name, one in self._tensors.items() for part in one.part_names}
        infos: dict[str, TensorInfo] = {}
        shards: dict[str, str] = {}
        for part, stored in self.stored.infos.items():
            name = owner.get(part, part)
            if part in owner:
                infos[name] = self._tensors[name].info
            elif name in infos or name in self._tensors:
                raise FormatError("stored twice", where=name)
            else:
                infos[name] = stored
            if shards.setdefault(name, self.stored.shards[part]) != self.stored.shards[part]:
                raise FormatError("its parts stand in different files", where=name)
        return infos, shards

    def _check_proportion(self) -> None:
        """Rows and columns that are all left out cost nothing: a tiny file could claim any size."""
        logical = sum(info.nbytes for info in self.infos.values())
        if logical > MOST_TIMES * self.stored.size() + ALWAYS:
            raise FormatError(f"{human(logical)} of weights in {human(self.stored.size())}")


def _read_aliases(strings: Mapping[str, str], file: Path) -> dict[str, str]:
    with located(file):
        return record.read_aliases(strings)


class PackedTensor:
    """One compressed tensor and where its parts are.

    :raises FormatError: parts are missing, or their dtypes and shapes do not belong together.
    """

    def __init__(self, stored: Reader, info: TensorInfo, form: Form) -> None:
        self._stored = stored
        self.info = info
        self.form = form
        self.arrangement = self._recognised()
        self.part_names = self._checked()

    def _recognised(self) -> Arrangement:
        """How the elements are arranged: in the first way whose parts are all there.

        The plainest comes first: a part that it does not have may be a tensor of its own, which
        only happens to be called like one. In a damaged file, the way of which most is there.
        """
        known = candidates(self.info, self.form)
        whole = (one for one in known if all(self._found(one)))
        return next(whole, None) or max(known, key=lambda one: sum(self._found(one)))

    def _found(self, chosen: Arrangement) -> list[bool]:
        """For each part of an arrangement: whether it is there, with its dtype and shape."""
        return [
            (found := self._stored.infos.get(name)) is not None
            and (found.dtype.code, found.shape) == (spec.dtype, spec.shape)
            for name, spec in parts(self.info, self.form, chosen).items()
        ]

    def _checked(self) -> tuple[str, ...]:
        expected = parts(self.info, self.form, self.arrangement)
        for name, spec in expected.items():
            found = self._stored.infos.get(name)
            if found is None or (found.dtype.code, found.shape) != (spec.dtype, spec.shape):
                said = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise FormatError(
                    f"part {name} is {said}, and should be {spec.dtype} {list(spec.shape)}",
                    where=self.info.name,
                )
        return tuple(expected)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows of the matrix view, decoded and rounded to the original dtype."""
        return self._decoder.read(start, stop)

    @cached_property
    def _decoder(self) -> Decoder:
        from compress_core.layouts.packed.decoder import Decoder

        return Decoder(self._stored, self.info, self.form, self.arrangement)
