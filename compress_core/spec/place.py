"""Where in a spec something stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from compress_core.errors import SpecError, UsageError

Position = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True)
class Place:
    """A path such as ``passes[0].ignore[1]`` and, for a file, the positions of all its paths.

    A key's position is that of the key, an item's that of the item.
    """

    path: str = ""
    file: str | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)

    def key(self, name: str) -> Place:
        """The place of one key of a mapping."""
        plain = re.fullmatch(r"[\w-]{1,60}", name) is not None
        step = name if plain else json.dumps(name[:60])
        return self._at(f"{self.path}.{step}" if self.path else step)

    def item(self, index: int) -> Place:
        """The place of one item of a list."""
        return self._at(f"{self.path}[{index}]")

    def inside(self, steps: str) -> Place:
        """The place that ``steps`` (``dtype[1]``) names below this one, or the nearest written."""
        path = f"{self.path}.{steps}" if self.path else steps
        for tried in (path, re.sub(r"\[\d+\]\Z", "", path)):
            if self.file is None or tried in self.positions:
                return self._at(tried)
        return self

    def _at(self, path: str) -> Place:
        return Place(path, self.file, self.positions)

    def __str__(self) -> str:
        if self.file is None:
            return self.path
        line, column = self.positions.get(self.path, (1, 1))
        return f"{self.file}:{line}:{column}  {self.path}".rstrip()

    def error(self, message: str, hint: str | None = None) -> SpecError:
        """What is wrong here."""
        return SpecError(message, where=str(self) or None, hint=hint)

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Usage errors from inside, whose ``where`` is a path below this place, said of the spec.

        :raises SpecError: instead of any :class:`UsageError`.
        """
        try:
            yield
        except SpecError:
            raise  # it knows its place already
        except UsageError as error:
            here = self.inside(error.where) if error.where else self
            raise here.error(error.message, error.hint) from error
