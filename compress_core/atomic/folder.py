"""One folder that appears whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from compress_core.atomic.failures import output_error
from compress_core.atomic.flush import sync_folder, sync_tree
from compress_core.atomic.leftovers import (
    beside,
    check_ours,
    is_ours,
    lock,
    put_back,
    removed_on_interrupt,
    tidy,
)
from compress_core.atomic.targets import folder_mode
from compress_core.errors import OutputError


class PartFolder:
    """A folder that appears at ``target`` when it is committed, with all that was put in ``path``.

    An existing folder is replaced only with ``replace``, and only when it is empty or holds weights
    and no repository: a wrong ``--output`` must not cost anybody a home folder.

    :ivar path: the folder to build in.
    :raises OutputExistsError: the target exists and must not be replaced, or is no folder.
    :raises OutputError: its parent folder is missing or cannot be written to.
    """

    _file = -1

    def __init__(self, target: Path, *, replace: bool) -> None:
        self._target = target
        self._replace = replace
        self._committed = False
        try:
            self._final = Path(os.path.realpath(target))
            self.path = beside(self._final, "part")
            self._old = beside(self._final, "old")
            tidy(self._final)  # first: it may put an old output back
            folder_mode(target, replace=replace)
            with removed_on_interrupt(self._final, self.abort):
                os.mkdir(self.path)
                self._file = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                lock(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        """Flush all files and folders, put the folder in its place. Again: nothing happens.

        :raises OutputExistsError: the target exists by now and must not be replaced.
        :raises OutputError: the disk says no; the target is what it was.
        """
        if self._committed:
            return
        if self._file < 0:
            raise RuntimeError("commit after abort")
        try:
            sync_tree(self.path)
            check_ours(self._file, self.path)
            self._publish(folder_mode(self._target, replace=self._replace))
            self._committed = True
            sync_folder(self._final.parent)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self.abort()
        import shutil  # with every archive format that it knows

        shutil.rmtree(self._old, ignore_errors=True)

    def abort(self) -> None:
        """Remove what was built, unless it was committed. Again: nothing happens."""
        if self._file < 0:
            return
        with suppress(OSError):
            if not self._committed and is_ours(self._file, self.path):
                import shutil

                shutil.rmtree(self.path, ignore_errors=True)
        # first the number: a late write must not hit what gets it next
        file, self._file = self._file, -1
        os.close(file)

    def _publish(self, old_mode: int | None) -> None:
        if old_mode is None:
            os.rename(self.path, self._final)
            return
        with suppress(OSError):  # some file systems have no modes
            os.fchmod(self._file, old_mode)
        try:
            os.rename(self._final, self._old)
            os.rename(self.path, self._final)
        except BaseException:  # an interrupt between the two must not lose the old one either
            if self._old.exists():
                put_back(self._old, self._final)
            raise

    def _failed(self, error: OSError) -> OutputError:
        return output_error(error, self._target, 0)

    def __del__(self) -> None:
        self.abort()  # an interrupt may come before anybody has taken hold of it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()
