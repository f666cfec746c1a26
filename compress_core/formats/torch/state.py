"""What a pickle works on while it is read: a stack with marks, and a memo."""

from __future__ import annotations

from compress_core.errors import FormatError
from compress_core.formats.torch.budget import OPCODE, Budget
from compress_core.formats.torch.feed import Feed
from compress_core.formats.torch.rebuild import Rebuild

_ABSENT = object()
_GAP = 256


class State:
    """What one pickle works on.

    :ivar stack: values; opcodes may push by appending to it.
    :ivar start: where the pickle begins.
    """

    def __init__(self, feed: Feed, rebuild: Rebuild, budget: Budget) -> None:
        self.feed = feed
        self.rebuild = rebuild
        self.budget = budget
        self.stack: list[object] = []
        self.start = feed.position
        self._marks: list[int] = []
        self._floor = 0
        self._memo: list[object] = []

    def pop(self) -> object:
        """Take the topmost value, which must stand above the last mark.

        :raises FormatError: there is none; so say the others.
        """
        self.need(1)
        return self.stack.pop()

    def top(self) -> object:
        """The topmost value, which must stand above the last mark."""
        self.need(1)
        return self.stack[-1]

    def need(self, count: int) -> None:
        """See that so many values stand above the last mark."""
        if len(self.stack) - self._floor < count:
            raise self.broken("an opcode finds no value to work on")

    def mark(self) -> None:
        """Remember how high the stack is."""
        self._marks.append(self._floor)
        self._floor = len(self.stack)

    def since_mark(self) -> list[object]:
        """Take all values above the last mark, and the mark."""
        if not self._marks:
            raise self.broken("an opcode finds no mark")
        values = self.stack[self._floor :]
        del self.stack[self._floor :]
        self._floor = self._marks.pop()
        return values

    def put(self, index: int) -> None:
        """Remember the topmost value at ``index`` of the memo.

        Writers count from 0, that of Python 2 from 1. A list holds what they write without a
        table; a few free places are fine, many only cost memory.
        """
        value, memo = self.top(), self._memo
        if index < len(memo):
            memo[index] = value
            return
        gap = index - len(memo)
        if gap > _GAP:
            raise self.broken(f"place {index} of the memo, far behind the others")
        if gap:
            self.budget.charge(OPCODE * gap)
            memo.extend([_ABSENT] * gap)
        memo.append(value)

    def memoize(self) -> None:
        """Remember the topmost value at the next place of the memo."""
        self._memo.append(self.top())

    def get(self, index: int) -> None:
        """Push what is remembered at ``index``."""
        value = self._memo[index] if index < len(self._memo) else _ABSENT
        if value is _ABSENT:
            raise self.broken(f"place {index} of the memo is free")
        self.stack.append(value)

    def result(self) -> object:
        """The value that is left at the end.

        :raises FormatError: there is none, or more than that.
        """
        if self._marks or len(self.stack) != 1:
            raise self.broken("it does not end with one value")
        return self.stack[0]

    def broken(self, what: str) -> FormatError:
        """The error for a pickle that breaks the rules."""
        where = self.feed.where
        return FormatError(f"broken pickle: {what} (byte {self.feed.position})", where=where)
