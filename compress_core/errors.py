"""Everything that can go wrong, as one tree.

    ModelOptError
    ├─ UsageError          the request is wrong: nothing was read or written
    │  ├─ SpecError          … in a spec file (``where`` is file:line:column)
    │  ├─ UnmatchedError     … a written pattern matches no tensor
    │  └─ OutputExistsError  … the output exists, is the input, or is no regular file
    ├─ InputError          a file is unreadable, corrupt, hostile or not supported
    │  ├─ FormatError        … its bytes break the rules of its format
    │  ├─ UnsupportedError   … it is well-formed, and nothing here handles it
    │  └─ NonFiniteError     … a weight is NaN or infinite
    ├─ OutputError         the result cannot be written (disk full, read-only, no such folder)
    └─ GateError           all went well, and a gate says no

Every error says *where* (file, tensor, ``file:line:column``) and, whenever there is one, a *hint*:
a fix that can be typed. What an error means for a process (its exit code) is the caller's business.
"""

from __future__ import annotations

TYPE_CHECKING = False  # errors are for all, also for those who start fast: no `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence

    from compress_core.gates.breach import Breach


class ModelOptError(Exception):
    """The root of the tree.

    :param message: one line, without the file's name and without a full stop.
    :param where: the file, the tensor or the line that is meant; the CLI prints it on a line of its
        own.
    :param hint: what to type instead.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.where is None else f"{self.message} ({self.where})"


class UsageError(ModelOptError):
    """The request itself is wrong; nothing was read or written."""


class SpecError(UsageError):
    """A spec breaks the grammar; ``where`` holds ``file:line:column`` and the path inside it."""


class UnmatchedError(UsageError):
    """A pattern that somebody wrote matches no tensor."""


class OutputExistsError(UsageError):
    """The output is already there, is the input, or is something that must not be replaced."""


class InputError(ModelOptError):
    """An input cannot be used."""


class FormatError(InputError):
    """The bytes of an input break the rules of its format."""


class UnsupportedError(InputError):
    """An input is well-formed, and nothing here handles it."""


class NonFiniteError(InputError):
    """A weight is NaN or infinite."""


class OutputError(ModelOptError):
    """The result cannot be written."""


class GateError(ModelOptError):
    """A gate says no to what was measured.

    :param breaches: the limits that were exceeded, where the message alone does not say it all.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        breaches: Sequence[Breach] = (),
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.breaches = tuple(breaches)
