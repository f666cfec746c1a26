"""What the content of one pickle may cost, whatever it claims."""

from __future__ import annotations

from compress_core.errors import UnsupportedError
from compress_core.sizes import human

MAX_OPCODES = 20_000_000

OPCODE = 8
"""What an opcode leaves on the stack, among the marks or in the memo."""
INTEGER = 32
SEQUENCE = 64
"""A tuple or a list without its elements."""
ITEM = 8
"""An element of a tuple or a list."""
MAPPING = 72
ENTRY = 100
"""An entry of a dictionary: its table doubles when it is full, and both are there for a moment."""
RECORD = 160
"""A tensor or a storage."""
VISIT = 200
"""Remembering a container that was walked through."""
NAMED = 1300
"""A chosen tensor, in all the tables that know it later."""

_MEMORY = 128 << 20
_AT_MOST = 4 * _MEMORY


class Budget:
    """Memory and steps that are left, over everything that is made of one file.

    Costs are those of CPython, rounded up, and nothing is ever given back: a short pickle can ask
    for any amount of memory (one opcode names a length, two double a tuple), and counting all that
    is made is simpler than one limit for each of these ways. A large file may cost more, as many
    tensors make a large file.

    :param size: bytes of the file.
    """

    def __init__(self, size: int, where: str) -> None:
        self._where = where
        self._all = min(_MEMORY + size, _AT_MOST)
        self._left = self._all
        self._opcodes = MAX_OPCODES

    def charge(self, cost: int) -> None:
        """Spend bytes, before they are allocated.

        :raises UnsupportedError: there are not so many left.
        """
        self._left -= cost
        if self._left < 0:
            raise self._refusal(f"takes more than {human(self._all, 0)} of memory")

    def begin(self, opcodes: int) -> None:
        """Spend steps, and what each of them may leave behind.

        :raises UnsupportedError: there are not so many left.
        """
        self._opcodes -= opcodes
        if self._opcodes < 0:
            raise self._refusal(f"has more than {MAX_OPCODES:,} opcodes")
        self.charge(OPCODE * opcodes)

    def _refusal(self, why: str) -> UnsupportedError:
        return UnsupportedError(
            f"its pickle {why}", where=self._where, hint="save model.state_dict() and no more"
        )
